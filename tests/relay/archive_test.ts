import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import { Archive } from "../../relay/archive.ts";
import { Logs } from "../../relay/logs.ts";
import { Origins } from "../../relay/origins.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Message, messageId, type Origin, type Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Draft, Published } from "../../relay/protocol/upstream.ts";
import { ArchivePlace, MemoryArchive } from "../support/memory_archive.ts";
import { A, B, C, LOG_OPTIONS } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SLOT = slotOf("a");

interface Setting {
  readonly self?: Origin;
  readonly place?: ArchivePlace;
  readonly isShared?: boolean;
  readonly clock?: VirtualClock;
}

function message(origin: Origin, seq: Seq): Message {
  return { slot: SLOT, origin, seq, channel: "a", data: "x", timeMs: 0, region: "r" };
}

/** One relay's archive, beside a publisher that gives places and does nothing else. */
function setUp(
  { self = A, place = new ArchivePlace(), isShared = false, clock = new VirtualClock() }: Setting =
    {},
) {
  const told: string[] = [], view = { leads: true, lives: new Set<Origin>() };
  const logs: Logs = new Logs({
    clock,
    log: { ...LOG_OPTIONS, self },
    maxBytes: 1e9,
    changed: (slot) => archive.changed(slot),
  });
  const followed: number[] = [];
  const archive = new Archive({
    clock,
    wallMs: () => clock.nowMs(),
    self,
    store: new MemoryArchive(place, isShared),
    logs,
    origins: new Origins(),
    leads: () => view.leads,
    lives: (origin) => view.lives.has(origin),
    follow: (slots) => Promise.resolve(followed.push(...slots)),
    log: (level, message) => told.push(`${level}: ${message}`),
  });
  const upstream = {
    accepts: [] as (string | undefined)[],
    publish({ channel, ack }: Draft): Promise<Published> {
      upstream.accepts.push(ack);
      const next = message(self, (logs.vectorOf(SLOT).get(self) ?? 0) + 1);
      logs.append(next);
      return Promise.resolve({ id: messageId(next), channel, ack: ack ?? "accepted" });
    },
    publishAll: (drafts: readonly Draft[]) => Promise.all(drafts.map(upstream.publish)),
  };
  const publish = () => archive.publish({ channel: "a", data: "x", ack: "archived" }, upstream);
  const end = async () => {
    await archive.close();
    logs.close();
  };
  return { clock, logs, archive, place, told, view, followed, upstream, publish, end };
}

/** Lets time pass, and what waits for nothing else go on. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 5) {
    clock.advance(5);
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  }
}

/** What became of a publish. */
function outcome(published: Promise<Published>): { said: string } {
  const is = { said: "waits" };
  published.then(
    ({ ack }) => is.said = ack,
    ({ code }: GroundwaveError) => is.said = code,
  );
  return is;
}

Deno.test("archived is answered when the message is kept, and only then", async () => {
  const { clock, archive, place, publish, upstream, end } = setUp();
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
  const { clock, archive, place, upstream, end } = setUp();
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
  const { clock, archive, place, publish, logs, told, end } = setUp();
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
  const { clock, archive, place, publish, end } = setUp();
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
  const own = setUp({ place });
  await assert.rejects(own.archive.start(), /no archive/);
  await own.end();
  const { clock, archive, publish, logs, end } = setUp({ place, isShared: true });
  await archive.start();
  await assert.rejects(publish(), { code: "not_archived" });
  logs.append(message(A, 1));
  place.trouble = undefined;
  await pass(clock, 1100);
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
  await end();
});

Deno.test("a relay starts with what is kept where nothing can be written", async () => {
  const place = new ArchivePlace(), before = setUp({ place });
  await before.archive.start();
  before.logs.append(message(A, 1));
  await before.end();
  place.full = "no room";
  const { clock, archive, logs, told, publish, end } = setUp({ place, self: B });
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
  const { clock, archive, told, publish, end } = setUp({ place });
  await archive.start();
  assert.deepEqual(told, ["warn: the archive may lose messages"]);
  const archived = outcome(publish());
  await pass(clock, 10);
  assert.equal(archived.said, "archived");
  await end();
});

Deno.test("a relay hears all groups for a store of its own, and none for a shared one", async () => {
  const own = setUp(), shared = setUp({ isShared: true });
  await own.archive.start();
  await shared.archive.start();
  assert.deepEqual([own.followed.length, shared.followed.length], [16384, 0]);
  await own.end();
  await shared.end();
});

Deno.test("logs and known origins are there after a restart, as old as they were when it was written last", async () => {
  const { clock, archive, place, logs, end } = setUp();
  await archive.start();
  logs.append(message(B, 1));
  await pass(clock, 60_000);
  logs.append(message(B, 2));
  await pass(clock, 10);
  await end();
  clock.advance(3_600_000);
  const next = setUp({ self: C, place, clock });
  await next.archive.start();
  assert.deepEqual(next.logs.vectorOf(SLOT).get(B), 2);
  const ages = next.logs.peek(SLOT)?.catchUp(FROM_NOWHERE, clock.nowMs()).messages.map((
    { ageMs },
  ) => Math.round(ageMs / 1000));
  assert.deepEqual(ages, [60, 0]);
  assert.deepEqual([...place.heardMs.keys()], [A, C]);
  await next.end();
});

Deno.test("what is left is written before the end", async () => {
  const { archive, place, logs, end } = setUp();
  await archive.start();
  logs.append(message(A, 1));
  await end();
  assert.deepEqual(place.ids(SLOT), [`${A}.1`]);
});

Deno.test("to a shared store each writes its own at once, and who leads what others did not, once they are gone", async () => {
  const { clock, archive, place, logs, view, publish, end } = setUp({ isShared: true });
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
  const { clock, archive, place, logs, view, end } = setUp({ isShared: true });
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
  const { clock, archive, place, logs, view, end } = setUp({ isShared: true });
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
  const a = setUp({ place, isShared: true, clock }),
    b = setUp({ self: B, place, isShared: true, clock });
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
