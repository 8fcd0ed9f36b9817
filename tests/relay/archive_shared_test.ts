/** An archive that several relays write. */
import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import { messageId } from "../../relay/protocol/message.ts";
import { archiving, message, outcome, pass, SLOT } from "../support/archiving.ts";
import { ArchivePlace } from "../support/memory_archive.ts";
import { A, B, C } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

Deno.test("to a shared store each writes its own at once, and who leads what others did not, once they are gone", async () => {
  const { clock, archive, place, logs, view, publish, end } = archiving({ isShared: true });
  view.lives.add(B);
  await archive.start();
  const own = outcome(publish());
  logs.append(message(B, 1));
  logs.append(message(C, 1));
  await pass(clock, 20);
  assert.equal(own.said, "archived");
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
  await pass(clock, 2100);
  assert.deepEqual(place.ids(SLOT).toSorted(), [`${A}.1`, `${B}.1`, `${C}.1`]);
  assert.ok(place.copies.get(SLOT)?.outline);
  // Of who lives, not over a hole: it may write that itself.
  logs.append(message(B, 3));
  await pass(clock, 6100);
  assert.deepEqual(logs.peek(SLOT)?.lost(), [{ origin: B, from: 2, to: 2 }]);
  assert.equal(place.copies.get(SLOT)?.vector.get(B), 1);
  view.lives.delete(B);
  logs.append(message(A, 2));
  await pass(clock, 2100);
  assert.equal(place.copies.get(SLOT)?.vector.get(B), 3);
  await end();
});

Deno.test("who does not lead writes nothing of others, unless a publisher waits for it", async () => {
  const { clock, archive, place, logs, view, end } = archiving({ isShared: true });
  view.leads = false;
  view.lives.add(B);
  await archive.start();
  logs.append(message(B, 1));
  await pass(clock, 4100);
  assert.deepEqual(place.ids(SLOT), []);
  const sequenced = {
    publish: () =>
      Promise.resolve({ id: messageId(message(B, 1)), channel: "a", ack: "accepted" as const }),
  };
  const published = outcome(
    archive.publish({ channel: "a", data: "x", key: "k", ack: "archived" }, sequenced),
  );
  await pass(clock, 50);
  assert.equal(published.said, "archived");
  assert.deepEqual(place.ids(SLOT), [`${B}.1`]);
  await end();
});

Deno.test("a shared store that is back empty gets what is held, though nothing happens any more", async () => {
  const { clock, archive, place, logs, view, end } = archiving({ isShared: true });
  await archive.start();
  logs.append(message(A, 1));
  logs.append(message(B, 1));
  await pass(clock, 2200);
  place.trouble = "gone";
  await pass(clock, 3000);
  assert.equal(archive.trouble, "gone");
  place.copies.clear();
  place.trouble = undefined;
  await pass(clock, 4000);
  assert.deepEqual(place.ids(SLOT).toSorted(), [`${A}.1`, `${B}.1`]);
  view.leads = false;
  // Emptied without a word: what is written next does not fit.
  place.copies.clear();
  logs.append(message(A, 2));
  await pass(clock, 500);
  assert.deepEqual(place.ids(SLOT), [`${A}.1`, `${A}.2`]);
  await end();
});

Deno.test("two relays fill a shared store that was emptied, each message once", async () => {
  const clock = new VirtualClock(), place = new ArchivePlace();
  const a = archiving({ place, isShared: true, clock }),
    b = archiving({ self: B, place, isShared: true, clock });
  a.view.lives.add(B);
  b.view.lives.add(A);
  b.view.leads = false;
  await a.archive.start();
  await b.archive.start();
  for (let seq = 1; seq <= 20; seq++) {
    for (const { logs } of [a, b]) {
      for (const origin of [A, B, C]) logs.append(message(origin, seq));
    }
    await pass(clock, 500);
    if (seq === 10) {
      // Nobody is told: what is written next does not fit.
      place.copies.clear();
    }
  }
  await pass(clock, 4100);
  const ids = place.ids(SLOT);
  assert.equal(new Set(ids).size, 60);
  assert.equal(ids.length, 60);
  await a.end();
  await b.end();
});

Deno.test("after all ended, who comes back later takes what is kept for as old as who came first", async () => {
  const { clock, place, archive, logs, end } = archiving({ isShared: true });
  await archive.start();
  logs.append(message(A, 1));
  await pass(clock, 3000);
  await end();
  clock.advance(60 * 60_000);
  const ages: number[] = [];
  for (const self of [B, C]) {
    const next = archiving({ self, place, clock, isShared: true });
    await next.archive.start();
    const [kept] = next.logs.peek(SLOT)?.catchUp(FROM_NOWHERE, clock.nowMs()).messages ?? [];
    ages.push(kept?.ageMs ?? Infinity);
    await pass(clock, 3000);
    await next.end();
  }
  assert.ok(ages.every((ms) => ms < 10_000), String(ages));
});

Deno.test("a shared store that is there late has grown older since its relays began", async () => {
  const { clock, place, archive, logs, end } = archiving({ isShared: true });
  await archive.start();
  logs.append(message(A, 1));
  await pass(clock, 3000);
  await end();
  clock.advance(60 * 60_000);
  place.trouble = "it is gone";
  const next = archiving({ self: B, place, clock, isShared: true });
  await next.archive.start();
  await pass(clock, 60_000);
  place.trouble = undefined;
  await pass(clock, 1100);
  const [kept] = next.logs.peek(SLOT)?.catchUp(FROM_NOWHERE, clock.nowMs()).messages ?? [];
  assert.equal(Math.floor((kept?.ageMs ?? 0) / 60_000), 1);
  await next.end();
});

Deno.test("who reaches a shared store late does not put its clock forward, where others have written meanwhile", async () => {
  const { clock, place, archive, end } = archiving({ isShared: true });
  const late = archiving({ self: B, place, clock, isShared: true });
  await archive.start();
  clock.advance(60 * 60_000);
  await pass(clock, 3000);
  await late.archive.start();
  await pass(clock, 3000);
  assert.ok((place.keptMs ?? Infinity) <= clock.nowMs(), `${place.keptMs} at ${clock.nowMs()}`);
  await late.end();
  await end();
});
