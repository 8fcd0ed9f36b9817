import assert from "node:assert/strict";
import { Freshness } from "../../relay/freshness.ts";
import type { Sight } from "../../relay/machines/staleness.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const CALM: Sight = { inView: 1, unreachable: [], hasCustodian: () => true };
const CUT: Sight = { ...CALM, unreachable: [{ origin: "x", node: "x", heardMs: 0 }] };

function setUp() {
  const clock = new VirtualClock(), told: string[] = [], said: string[] = [];
  const asked: PromiseWithResolvers<boolean>[] = [];
  /** By group, since when something waits. */
  const waiting = new Map<number, number>();
  const freshness = new Freshness({
    clock,
    sync() {
      const answer = Promise.withResolvers<boolean>();
      asked.push(answer);
      return answer.promise;
    },
    waits: (group, ms) => (waiting.get(group) ?? Infinity) <= ms,
    tell: (group, stale) => told.push(`${stale ? "stale" : "fresh"} ${group}`),
    log: (level, _text, fields) => said.push(`${level} ${fields?.groups}`),
  });
  for (const group of [1, 2]) freshness.entered(group, true);
  // Some may follow a slot that was moved there.
  assert.deepEqual(told.splice(0), ["fresh 1", "fresh 2"]);
  return { clock, told, said, asked, waiting, freshness };
}

Deno.test("readers are told `stale`, and `fresh` when one sync with everybody in view has succeeded", async () => {
  const { clock, told, said, asked, freshness } = setUp();
  clock.advance(3000);
  freshness.follow(CUT);
  assert.deepEqual(told.splice(0), ["stale 1", "stale 2"]);
  assert.equal(freshness.isStale(1), true);
  freshness.follow(CALM);
  freshness.follow(CALM);
  assert.equal(asked.length, 1);
  asked[0]?.resolve(false);
  await asked[0]?.promise;
  await Promise.resolve();
  freshness.follow(CALM);
  assert.deepEqual([told, asked.length], [[], 2]);
  asked[1]?.resolve(true);
  await asked[1]?.promise;
  await Promise.resolve();
  assert.deepEqual(told, ["fresh 1", "fresh 2"]);
  assert.deepEqual(said, ["warn 2", "info 2"]);
  assert.deepEqual(freshness.staleGroups, []);
});

Deno.test("readers are not told `fresh` while what a sync brought waits for what it must follow", async () => {
  const { clock, told, asked, waiting, freshness } = setUp();
  clock.advance(3000);
  freshness.follow(CUT);
  freshness.follow(CALM);
  told.splice(0);
  waiting.set(2, clock.nowMs());
  asked[0]?.resolve(true);
  await asked[0]?.promise;
  await Promise.resolve();
  assert.deepEqual(told.splice(0), ["fresh 1"]);
  clock.advance(100);
  freshness.follow(CALM);
  assert.deepEqual(told, []);
  // Another that came since is none of its business.
  waiting.set(2, clock.nowMs());
  freshness.follow(CALM);
  assert.deepEqual([told, asked.length], [["fresh 2"], 1]);
});

Deno.test("a sync that began before the group was covered again does not make it fresh", async () => {
  const { clock, told, asked, freshness } = setUp();
  freshness.entered(3, false);
  freshness.follow(CALM);
  assert.deepEqual(told.splice(0), ["stale 3"]);
  clock.advance(3000);
  freshness.follow(CUT);
  told.splice(0);
  asked[0]?.resolve(true);
  await asked[0]?.promise;
  await Promise.resolve();
  assert.deepEqual(told, []);
});

Deno.test("nobody can tell of a group before it is entered, nor of one that is not heard any more", () => {
  const { freshness, told } = setUp();
  assert.equal(freshness.isStale(3), undefined);
  freshness.entered(3, false);
  assert.deepEqual([freshness.isStale(3), told], [true, ["stale 3"]]);
  freshness.left(3);
  assert.equal(freshness.isStale(3), undefined);
});

Deno.test("a group that is not heard any more is not told of", () => {
  const { clock, told, freshness } = setUp();
  freshness.left(1);
  clock.advance(3000);
  freshness.follow(CUT);
  assert.deepEqual(told, ["stale 2"]);
});

Deno.test("a group entered while an earlier sync waits has one of its own: what waits there may wait until then", async () => {
  const { clock, told, asked, waiting, freshness } = setUp();
  clock.advance(3000);
  freshness.follow(CUT);
  freshness.follow(CALM);
  waiting.set(2, clock.nowMs()).set(3, clock.nowMs());
  asked[0]?.resolve(true);
  await asked[0]?.promise;
  await Promise.resolve();
  freshness.entered(3, false);
  assert.equal(freshness.isJoining(3), true);
  told.splice(0);
  freshness.follow(CALM);
  assert.equal(asked.length, 2);
  asked[1]?.resolve(true);
  await asked[1]?.promise;
  await Promise.resolve();
  assert.equal(freshness.isJoining(3), false);
  waiting.clear();
  freshness.follow(CALM);
  assert.deepEqual([told, asked.length], [["fresh 2", "fresh 3"], 2]);
});
