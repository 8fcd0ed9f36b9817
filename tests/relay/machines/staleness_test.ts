import assert from "node:assert/strict";
import { type Sight, Staleness } from "../../../relay/machines/staleness.ts";

const calm: Sight = { inView: 2, unreachable: [], hasCustodian: () => true };

function missing(heardMs: number, more: Partial<Sight> = {}): Sight {
  return { ...calm, unreachable: [{ origin: "x", node: "x", heardMs }], ...more };
}

/** A machine that hears group 1, synced, from 0 on. */
function hearing() {
  const staleness = new Staleness();
  staleness.handleEntered(1, true, 0);
  const told = () => {
    const outputs: string[] = [];
    for (let output; (output = staleness.pollOutput());) {
      outputs.push(`${output.type} ${output.group}`);
    }
    return outputs;
  };
  return { staleness, told };
}

Deno.test("readers are told 3 s after a peer that cannot be reached was last heard", () => {
  const { staleness, told } = hearing();
  staleness.handleSight(missing(1000), 3999);
  assert.deepEqual(told(), []);
  staleness.handleSight(missing(1000), 4000);
  staleness.handleSight(missing(1000), 4500);
  assert.deepEqual(told(), ["stale 1"]);
});

Deno.test("readers are told after 3 s without a ready custodian, group by group", () => {
  const { staleness, told } = hearing();
  staleness.handleEntered(2, true, 0);
  const sight = { ...calm, hasCustodian: (group: number) => group === 2 };
  staleness.handleSight(sight, 100);
  staleness.handleSight(sight, 3100);
  assert.deepEqual(told(), ["stale 1"]);
  assert.deepEqual([staleness.isStale(1), staleness.isStale(2)], [true, false]);
});

Deno.test("a short absence is not told", () => {
  const { staleness, told } = hearing();
  for (let ms = 0; ms < 10_000; ms += 500) {
    staleness.handleSight(ms % 3000 === 0 ? calm : missing(ms - 500), ms);
  }
  assert.deepEqual(told(), []);
});

Deno.test("they are told `fresh` once the group is covered again and synced since", () => {
  const { staleness, told } = hearing();
  staleness.handleSight(missing(0), 3000);
  told();
  staleness.handleSynced(1, 3500);
  assert.deepEqual([told(), staleness.unsynced], [[], []], "it is not covered yet");
  staleness.handleSight(calm, 4000);
  assert.deepEqual([told(), staleness.unsynced], [[], [1]]);
  staleness.handleSynced(1, 3999);
  assert.deepEqual(told(), [], "begun too early");
  staleness.handleSynced(1, 4000);
  assert.deepEqual([told(), staleness.unsynced], [["fresh 1"], []]);
});

Deno.test("a group whose join could not ask everybody begins stale", () => {
  const { staleness, told } = hearing();
  staleness.handleEntered(2, false, 0);
  assert.deepEqual(told(), ["stale 2"]);
  staleness.handleSynced(2, 0);
  assert.deepEqual(told(), ["fresh 2"]);
});

Deno.test("a majority gives a peer up after 60 s, a minority or a half never does", () => {
  for (const [inView, after] of [[2, [1]], [1, [1]], [0, []]] as const) {
    const { staleness, told } = hearing();
    staleness.handleSight(missing(0, { inView }), 59_999);
    assert.deepEqual([told(), staleness.unsynced], [["stale 1"], []]);
    staleness.handleSight(missing(0, { inView }), 60_000);
    assert.deepEqual(staleness.unsynced, after, `${inView} others in view`);
  }
});

Deno.test("a group that is not heard has nobody to tell", () => {
  const { staleness, told } = hearing();
  staleness.handleLeft(1);
  staleness.handleSight(missing(0), 5000);
  assert.deepEqual(told(), []);
});

Deno.test("a group is joining until what it missed has come, for 30 s at most", () => {
  const staleness = new Staleness();
  assert.equal(staleness.isJoining(1, 0), true, "what is heard and was not entered yet");
  staleness.handleEntered(1, true, 0);
  staleness.handleEntered(2, false, 0);
  staleness.handleEntered(3, false, 0);
  assert.deepEqual([1, 2, 3].map((group) => staleness.isJoining(group, 10)), [false, true, true]);
  staleness.handleFetched(2);
  assert.deepEqual(staleness.staleGroups, [2, 3]);
  assert.deepEqual([2, 3].map((group) => staleness.isJoining(group, 20)), [false, true]);
  assert.equal(staleness.isJoining(3, 30_000), false);
});
