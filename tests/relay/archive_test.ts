import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import { archiving, message, outcome, pass, SLOT } from "../support/archiving.ts";
import { ArchivePlace } from "../support/memory_archive.ts";
import { A, B, C } from "../support/slot_log.ts";

Deno.test("archived is answered when the message is kept, and only then", async () => {
  const { clock, archive, place, publish, upstream, end } = archiving();
  await archive.start();
  const first = outcome(publish());
  await Promise.resolve();
  assert.equal(first.said, "waits");
  await pass(clock, 10);
  assert.equal(first.said, "archived");
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
  assert.deepEqual(upstream.accepts, ["accepted"]);
  await archive.publish({ channel: "a", data: "x" }, upstream);
  assert.deepEqual(upstream.accepts, ["accepted", undefined]);
  await end();
});

Deno.test("of several drafts those wait for the store that ask for it, in one order with the others", async () => {
  const { clock, archive, place, upstream, end } = archiving();
  await archive.start();
  const draft = { channel: "a", data: "x" }, archived = { ...draft, ack: "archived" as const };
  const published = archive.publishAll([draft, archived, draft], upstream);
  await pass(clock, 10);
  const acks = (await published).map((outcome) => "ack" in outcome ? outcome.ack : outcome.code);
  assert.deepEqual(acks, ["accepted", "archived", "accepted"]);
  assert.deepEqual(upstream.accepts, [undefined, "accepted", undefined]);
  place.trouble = "the disk is full";
  await pass(clock, 500);
  await archive.publishAll([draft, draft], upstream);
  await pass(clock, 500);
  const [refused] = await archive.publishAll([archived], upstream);
  assert.ok(refused instanceof GroundwaveError && refused.code === "not_archived");
  await end();
});

Deno.test("a store that fails costs archived publishes alone, and is filled when it is back", async () => {
  const { clock, archive, place, publish, logs, told, end } = archiving();
  await archive.start();
  place.trouble = "the disk is full";
  for (let seq = 1; seq <= 5; seq++) logs.append(message(B, seq));
  const first = outcome(publish());
  await pass(clock, 500);
  assert.equal(archive.trouble, "the disk is full");
  await assert.rejects(publish(), { code: "not_archived", message: /disk is full.*nothing was/ });
  assert.equal(logs.vectorOf(SLOT).get(A), 1);
  place.trouble = undefined;
  await pass(clock, 1100);
  assert.equal(first.said, "archived");
  assert.equal(archive.trouble, undefined);
  assert.deepEqual(place.ids(SLOT).toSorted(), [
    `${A}.1`,
    ...[1, 2, 3, 4, 5].map((n) => `${B}.${n}`),
  ]);
  assert.deepEqual(told, [
    "error: the archive cannot be used",
    "info: the archive is written again",
  ]);
  await end();
});

Deno.test("who waits in vain is told after 3 s", async () => {
  const { clock, archive, place, publish, end } = archiving();
  await archive.start();
  const published = outcome(publish());
  place.trouble = "gone";
  await pass(clock, 2900);
  assert.equal(published.said, "waits");
  await pass(clock, 200);
  assert.equal(published.said, "not_archived");
  await end();
});

Deno.test("a store of its own that cannot be used keeps a relay from starting, a shared one does not", async () => {
  const place = new ArchivePlace();
  place.trouble = "no archive";
  const own = archiving({ place });
  await assert.rejects(own.archive.start(), /no archive/);
  await own.end();
  const { clock, archive, publish, logs, end } = archiving({ place, isShared: true });
  await archive.start();
  await assert.rejects(publish(), { code: "not_archived" });
  logs.append(message(A, 1));
  place.trouble = undefined;
  await pass(clock, 1100);
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
  await end();
});

Deno.test("a relay starts with what is kept where nothing can be written", async () => {
  const place = new ArchivePlace(), before = archiving({ place });
  await before.archive.start();
  before.logs.append(message(A, 1));
  await before.end();
  place.full = "no room";
  const { clock, archive, logs, told, publish, end } = archiving({ place, self: B });
  await archive.start();
  assert.equal(logs.vectorOf(SLOT).get(A), 1);
  assert.ok(told.includes("error: the archive cannot be used"));
  await assert.rejects(publish(), { code: "not_archived" });
  place.full = undefined;
  await pass(clock, 1100);
  const archived = outcome(publish());
  await pass(clock, 10);
  assert.equal(archived.said, "archived");
  await end();
});

Deno.test("a store that may lose what it keeps is used, and the operator is told", async () => {
  const place = new ArchivePlace();
  place.risk = "it drops keys";
  const { clock, archive, told, publish, end } = archiving({ place });
  await archive.start();
  assert.deepEqual(told, ["warn: the archive may lose messages"]);
  const archived = outcome(publish());
  await pass(clock, 10);
  assert.equal(archived.said, "archived");
  await end();
});

Deno.test("a relay hears all groups for a store of its own, and none for a shared one", async () => {
  const own = archiving(), shared = archiving({ isShared: true });
  await own.archive.start();
  await shared.archive.start();
  assert.deepEqual([own.followed.length, shared.followed.length], [16384, 0]);
  await own.end();
  await shared.end();
});

Deno.test("logs and known origins are there after a restart, as old as they were when it was written last", async () => {
  const { clock, archive, place, logs, end } = archiving();
  await archive.start();
  logs.append(message(B, 1));
  await pass(clock, 60_000);
  logs.append(message(B, 2));
  await pass(clock, 10);
  await end();
  clock.advance(3_600_000);
  const next = archiving({ self: C, place, clock });
  await next.archive.start();
  assert.deepEqual(next.logs.vectorOf(SLOT).get(B), 2);
  const ages = next.logs.peek(SLOT)?.catchUp(FROM_NOWHERE, clock.nowMs()).messages.map((
    { ageMs },
  ) => Math.round(ageMs / 1000));
  assert.deepEqual(ages, [60, 0]);
  assert.deepEqual([...place.heardMs.keys()], [A, C]);
  await next.end();
});

/** How old the only message is, in whole minutes. */
function minutes({ logs, clock }: ReturnType<typeof archiving>): number {
  const [kept] = logs.peek(SLOT)?.catchUp(FROM_NOWHERE, clock.nowMs()).messages ?? [];
  assert.ok(kept);
  return Math.floor(kept.ageMs / 60_000);
}

for (const [heard, age] of [[B, 3], [C, 0]] as const) {
  Deno.test(`after three minutes a message is ${age} old where ${heard} is heard and ${B} was known`, async () => {
    const { clock, archive, origins, place, logs, end } = archiving();
    origins.hear(B, clock.nowMs());
    await archive.start();
    logs.append(message(A, 1));
    await pass(clock, 200);
    await end();
    clock.advance(3 * 60_000);
    const next = archiving({ self: "DDDDDDDD", place, clock });
    const starting = next.archive.start();
    next.origins.hear(heard, clock.nowMs());
    await pass(clock, 1200);
    await starting;
    assert.equal(minutes(next), age);
    await next.end();
  });
}

for (const isShared of [false, true]) {
  Deno.test(`what is kept stays as old as it was when nobody ran, however often all end (${isShared ? "shared" : "own"})`, async () => {
    const { clock, archive, place, logs, end } = archiving({ isShared });
    await archive.start();
    logs.append(message(A, 1));
    await pass(clock, 2500);
    await end();
    for (const self of [B, C]) {
      clock.advance(60 * 60_000);
      const next = archiving({ self, place, clock, isShared });
      const starting = next.archive.start();
      await pass(clock, 5000);
      await starting;
      assert.equal(minutes(next), 0);
      await next.end();
    }
  });
}

Deno.test("what is left is written before the end", async () => {
  const { archive, place, logs, end } = archiving();
  await archive.start();
  logs.append(message(A, 1));
  await end();
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
});
