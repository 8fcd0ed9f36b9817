import assert from "node:assert/strict";
import { FROM_NOWHERE, type Standing } from "../../relay/protocol/log/catch_up.ts";
import { Exchanges } from "../../relay/exchanges.ts";
import { Logs } from "../../relay/logs.ts";
import type { Peer } from "../../relay/machines/membership.ts";
import type { Digest } from "../../relay/protocol/frames.ts";
import type { Origin } from "../../relay/protocol/message.ts";
import { announcement } from "../support/announcement.ts";
import { A, appendAll, B, LOG_OPTIONS, newLog, SLOT } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const GROUP = 1;
const table = { groupOf: () => GROUP };

function peer(origin: Origin, more: Partial<Peer> = {}): Peer {
  return { ...announcement(origin), mutual: true, ...more };
}

/** A relay that hears one group, beside peers that answer digests as told. */
function setUp(answers: Readonly<Record<Origin, (digest: Digest) => Promise<Digest>>>) {
  const clock = new VirtualClock(), asked: Origin[] = [], synced: string[] = [];
  const pulls: {
    readonly slots: ReadonlyMap<number, Standing>;
    readonly groups: readonly number[];
  }[] = [];
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes: 1e9 });
  const peers = Object.keys(answers).map((origin) => peer(origin));
  let pulled: (() => Promise<boolean>) | undefined;
  const exchanges = new Exchanges({
    clock,
    wallMs: () => 1000 + clock.nowMs(),
    random: () => 0.5,
    logs,
    table,
    custody: { custodians: () => peers.map(({ origin }) => origin) },
    hears: () => [GROUP],
    peers: () => peers,
    settled: Promise.resolve(),
    digest: (to, digest) => {
      asked.push(to.origin);
      return answers[to.origin]!(digest);
    },
    pull: (_from, slots, groups) => {
      pulls.push({ slots, groups });
      return pulled?.() ?? Promise.resolve(true);
    },
    synced: (origin, begunMs) => synced.push(`${origin} ${begunMs}`),
  });
  const pullBy = (by: () => Promise<boolean>) => pulled = by;
  return { clock, asked, pulls, synced, logs, peers, exchanges, pullBy };
}

/** Has what a log holds. */
function telling(to: number) {
  const log = newLog(B);
  appendAll(log, A, 1, to);
  const entries = [{ slot: SLOT, vector: log.vector, lost: [] }];
  const digest = () => Promise.resolve({ groups: [GROUP], entries, equal: [] });
  return { log, digest };
}

const nothing = () => Promise.resolve({ groups: [GROUP], entries: [], equal: [] });
const broken = () => Promise.reject(new Error("not reached"));

async function turn(): Promise<void> {
  for (let n = 0; n < 30; n++) await Promise.resolve();
}

Deno.test("a round goes to the custodians every 2 s, and says since when the relay is in sync", async () => {
  const { clock, asked, exchanges } = setUp({ one: nothing, other: nothing });
  assert.equal(exchanges.asOfMs, 1000);
  exchanges.prod();
  exchanges.prod();
  clock.advance(50);
  await turn();
  assert.deepEqual(asked.splice(0), ["one", "other"]);
  assert.equal(exchanges.asOfMs, 1050);
  clock.advance(1999);
  assert.deepEqual(asked, []);
  clock.advance(1);
  await turn();
  assert.equal(asked.length, 2);
  assert.equal(exchanges.asOfMs, 3050);
  exchanges.close();
  clock.advance(10_000);
  assert.equal(asked.length, 2);
});

Deno.test("a round that one custodian did not answer is no sync", async () => {
  const { clock, exchanges } = setUp({ one: nothing, other: broken });
  clock.advance(100);
  assert.equal(await exchanges.round(), true, "somebody answered");
  assert.equal(exchanges.asOfMs, 1000);
  assert.deepEqual(exchanges.counters, { begun: 2, failed: 1, told: 0 });
  assert.equal(await setUp({ one: broken }).exchanges.round(), false);
});

Deno.test("what a digest shows to be lacking is pulled, and then the relay is synced with its sender", async () => {
  const { log, digest } = telling(3);
  const { clock, pulls, synced, logs, exchanges, peers, pullBy } = setUp({ one: digest });
  const done = Promise.withResolvers<boolean>();
  pullBy(() => done.promise);
  clock.advance(7);
  const exchanged = exchanges.with(peers[0]!);
  await turn();
  assert.deepEqual(pulls.map(({ slots }) => [...slots.keys()]), [[SLOT]]);
  assert.deepEqual(synced, []);
  logs.of(SLOT).merge(log.catchUp(FROM_NOWHERE, 0), 0);
  done.resolve(true);
  assert.equal(await exchanged, true);
  assert.deepEqual(synced, ["one 7"]);
  await exchanges.with(peers[0]!);
  assert.equal(pulls.length, 1);
});

Deno.test("a pull that fails is no sync", async () => {
  const { synced, exchanges, peers, pullBy } = setUp({ one: telling(1).digest });
  pullBy(() => Promise.resolve(false));
  assert.equal(await exchanges.with(peers[0]!), false);
  assert.deepEqual(synced, []);
});

Deno.test("of two peers that have the same, one is pulled from", async () => {
  const { log, digest } = telling(3);
  const { pulls, logs, exchanges, pullBy } = setUp({ one: digest, other: digest });
  pullBy(async () => {
    await Promise.resolve();
    return logs.of(SLOT).merge(log.catchUp(FROM_NOWHERE, 0), 0);
  });
  assert.equal(await exchanges.withAll(), true);
  assert.equal(pulls.length, 1);
});

Deno.test("exchanges with one peer follow each other; who asks in between gets the next, begun after that", async () => {
  const answers: (() => void)[] = [];
  const digest = () =>
    new Promise<Digest>((resolve) => answers.push(() => void nothing().then(resolve)));
  const { asked, synced, clock, exchanges, peers } = setUp({ one: digest });
  const first = exchanges.with(peers[0]!);
  clock.advance(5);
  const second = exchanges.with(peers[0]!), third = exchanges.with(peers[0]!);
  assert.equal(asked.length, 1);
  answers[0]!();
  await first;
  await turn();
  assert.equal(asked.length, 2);
  answers[1]!();
  await Promise.all([second, third]);
  assert.deepEqual(synced, ["one 0", "one 5"]);
});

Deno.test("all of a group that is heard only now is pulled from who holds something of it, once", async () => {
  const { pulls, exchanges, peers } = setUp({ one: nothing, other: nothing });
  peers.splice(0, 2, peer("one", { holds: [GROUP] }), peer("other"));
  await exchanges.withAll();
  await exchanges.withAll();
  assert.deepEqual(pulls, [{ slots: new Map(), groups: [GROUP] }]);
  exchanges.forget("one");
  await exchanges.withAll();
  assert.equal(pulls.length, 2, "and again when it was away");
});

Deno.test("a join waits for peers in view, and not for one that has left meanwhile", async () => {
  const silent = () => new Promise<Digest>(() => {});
  const { clock, exchanges, peers } = setUp({ one: nothing, other: silent });
  let joined: boolean | undefined;
  void exchanges.entered().then((all) => joined = all);
  await turn();
  clock.advance(4999);
  await turn();
  assert.equal(joined, undefined);
  clock.advance(1);
  await turn();
  assert.equal(joined, false);
  const left = setUp({ one: nothing, other: broken });
  const joining = left.exchanges.entered();
  left.peers.pop();
  assert.equal(await joining, true);
  assert.equal(peers.length, 2);
});

Deno.test("a peer's digest is answered at once, and what it has beyond is pulled if it is in view", async () => {
  const { digest } = telling(2);
  const { pulls, logs, exchanges } = setUp({ one: nothing });
  const request = await digest();
  assert.deepEqual(exchanges.answer("stranger", request).equal, []);
  assert.deepEqual(exchanges.answer("one", request).equal, []);
  await turn();
  assert.equal(pulls.length, 1);
  appendAll(logs.of(SLOT), A, 1, 2);
  assert.deepEqual(exchanges.answer("one", request).equal, [SLOT]);
  assert.deepEqual(exchanges.heldGroups, [GROUP]);
  assert.ok(exchanges.covers("one", GROUP), "it stands where this relay does");
  assert.ok(!exchanges.covers("other", GROUP));
});
