import assert from "node:assert/strict";
import { Custody, type CustodyOutput } from "../../../relay/machines/custody.ts";
import type { Keeper } from "../../../relay/machines/duty.ts";

const GROUPS = 8;

/** A relay's custody with what it has been told to do. */
function setUp(node = "a", covers: (origin: string, group: number) => boolean = () => true) {
  const custody = new Custody({ self: { origin: node, node }, groupCount: GROUPS, covers });
  const outputs = () => {
    const taken: CustodyOutput[] = [];
    for (let output; (output = custody.pollOutput());) taken.push(output);
    return taken;
  };
  return { custody, outputs };
}

function peer(node: string, more: Partial<Keeper> = {}): Keeper {
  return { origin: node, node, mutual: true, ready: [], kept: [], holds: [], ...more };
}

const all = Array.from({ length: GROUPS }, (_, i) => i + 1);

function groups(outputs: readonly CustodyOutput[], type: "acquire" | "release"): number[] {
  return outputs.flatMap((output) =>
    output.type !== "changed" && output.type === type ? [output.group] : []
  );
}

Deno.test("a relay alone keeps every group, and is ready when it hears it", () => {
  const { custody, outputs } = setUp();
  custody.handleView([], 0);
  assert.deepEqual(groups(outputs(), "acquire"), all);
  assert.deepEqual(custody.readyGroups, []);
  custody.handleHeard(3, 1);
  assert.deepEqual(outputs(), [{ type: "changed" }]);
  assert.deepEqual([custody.ready(3), custody.ready(4)], [["a"], []]);
  assert.deepEqual(custody.underReplicated, all);
});

Deno.test("three relays agree on two custodians for each group", () => {
  const views = ["a", "b", "c"].map((self) => {
    const { custody } = setUp(self);
    custody.handleView(
      ["a", "b", "c"].filter((node) => node !== self).map((node) => peer(node)),
      0,
    );
    return all.map((group) => custody.custodians(group));
  });
  assert.deepEqual(views[0], views[1]);
  assert.deepEqual(views[0], views[2]);
  assert.ok(views[0]?.every((custodians) => custodians.length === 2));
  assert.equal(new Set(views[0]?.flat()).size, 3);
});

Deno.test("a custodian is ready once it has synced with every peer that holds something", () => {
  const { custody } = setUp();
  const peers = [peer("b", { holds: [1] }), peer("c", { holds: [2] })];
  custody.handleView(peers.slice(0, 1), 0);
  for (const group of all) custody.handleHeard(group, 10);
  assert.deepEqual([custody.unreadyGroups, custody.unsynced], [[1], ["b"]]);
  custody.handleSynced("b", 9, 9);
  assert.deepEqual(
    custody.unsynced,
    ["b"],
    "what was begun before it heard the group does not count",
  );
  custody.handleSynced("b", 10, 10);
  assert.deepEqual([custody.readyGroups, custody.unsynced], [all, []]);
});

Deno.test("a peer that leaves need not be synced with any more", () => {
  const { custody } = setUp();
  custody.handleView([peer("b", { holds: all })], 0);
  for (const group of all) custody.handleHeard(group, 0);
  assert.deepEqual(custody.readyGroups, []);
  custody.handleView([], 5);
  assert.deepEqual(custody.readyGroups, all);
});

/** A relay that was alone and ready, and has two peers that keep some of its groups from `0` on. */
function retiring(covers: (origin: string, group: number) => boolean, ready: readonly number[]) {
  const { custody, outputs } = setUp("a", covers);
  custody.handleView([], -1000);
  for (const group of all) custody.handleHeard(group, -1000);
  const peers = ["b", "c", "d"].map((node) => peer(node, { ready, holds: ready }));
  custody.handleView(peers, 0);
  const given = all.filter((group) => !custody.custodians(group).includes("a"));
  assert.ok(given.length > 0 && given.length < GROUPS);
  assert.deepEqual(custody.readyGroups, all.filter((group) => !given.includes(group)));
  outputs();
  return { custody, outputs, given, peers };
}

Deno.test("a retiring custodian keeps a group for 10 s, then until two ready ones cover it", () => {
  let covered = (_origin: string) => true;
  const { custody, outputs, given } = retiring((origin) => covered(origin), all);
  custody.handleTimeout(9_999);
  assert.deepEqual(outputs(), []);
  const lacking = custody.custodians(given[0] ?? 0)[1];
  covered = (origin) => origin !== lacking;
  custody.handleTimeout(10_000);
  const kept = given.filter((group) => custody.custodians(group).includes(lacking ?? ""));
  assert.deepEqual(groups(outputs(), "release"), given.filter((group) => !kept.includes(group)));
  covered = () => true;
  custody.handleTimeout(10_999);
  assert.deepEqual(outputs(), [], "looked at once a second");
  custody.handleTimeout(11_000);
  assert.deepEqual(groups(outputs(), "release"), kept);
});

Deno.test("a group is not let go while only one of its custodians is ready", () => {
  const { custody, outputs, given, peers } = retiring(() => true, []);
  custody.handleTimeout(60_000);
  assert.deepEqual(outputs(), []);
  const [first] = custody.custodians(given[0] ?? 0);
  const ready = (node: string) => node === first ? all : [];
  custody.handleView(peers.map((keeper) => ({ ...keeper, ready: ready(keeper.node) })), 61_000);
  assert.deepEqual(outputs(), []);
  custody.handleView(peers.map((keeper) => ({ ...keeper, ready: all })), 62_000);
  assert.deepEqual(groups(outputs(), "release"), given);
});

Deno.test("a retiring custodian that is one again syncs anew before it is ready", () => {
  const { custody, outputs, peers } = retiring(() => true, all);
  custody.handleView(peers.slice(0, 1), 5000);
  assert.deepEqual(custody.unsynced, ["b"]);
  assert.deepEqual(groups(outputs(), "acquire"), [], "it has kept hearing them");
  custody.handleSynced("b", 5000, 5000);
  assert.deepEqual(custody.readyGroups, all);
});

Deno.test("a group that could not be heard yet is not ready after a change of mind", () => {
  const { custody, outputs } = setUp();
  custody.handleView([], 0);
  outputs();
  const peers = ["b", "c", "d"].map((node) => peer(node));
  custody.handleView(peers, 1);
  custody.handleView([], 2);
  assert.deepEqual([custody.readyGroups, outputs()], [[], []]);
  custody.handleHeard(1, 3);
  assert.deepEqual(custody.readyGroups, [1]);
});

Deno.test("a group that gets slots of others is ready again when every peer has shown what it holds of them", () => {
  const { custody, outputs } = setUp();
  custody.handleView([peer("b")], 0);
  for (const group of all) custody.handleHeard(group, 0);
  outputs();
  custody.handleGained([2], 100);
  assert.deepEqual([custody.unreadyGroups, custody.unsynced], [[2], ["b"]]);
  assert.deepEqual(outputs(), [{ type: "changed" }]);
  custody.handleSynced("b", 99, 99);
  assert.deepEqual(custody.unsynced, ["b"]);
  custody.handleSynced("b", 100, 100);
  assert.deepEqual([custody.readyGroups, outputs()], [all, [{ type: "changed" }]]);
});

Deno.test("a peer that never answers holds up a move for 10 s, or as long as it says that it has something of it", () => {
  for (const holds of [[], [2]]) {
    const { custody } = setUp(), view = [peer("b", { holds })];
    custody.handleView(view, 0);
    for (const group of all) custody.handleHeard(group, 0);
    custody.handleSynced("b", 0, 0);
    custody.handleGained([2], 100);
    custody.handleView(view, 10_099);
    assert.deepEqual(custody.unreadyGroups, [2]);
    custody.handleView(view, 10_100);
    assert.deepEqual(custody.unreadyGroups, holds);
  }
});

Deno.test("who was ready gives places until a custodian is, which then looks for a while for what others gave one", () => {
  const { custody, given, peers } = retiring(() => true, []);
  const group = given[0] ?? 0, [first = ""] = custody.custodians(group);
  assert.deepEqual([custody.ready(group), custody.sequencers(group)], [[], ["a"]]);
  assert.deepEqual(custody.keptGroups, given);
  const ready = (node: string) => node === first ? [group] : [];
  custody.handleView(peers.map((keeper) => ({ ...keeper, ready: ready(keeper.node) })), 1);
  assert.deepEqual(custody.sequencers(group), [first]);

  const { custody: other } = setUp(first);
  const nodes = ["a", "b", "c", "d"].filter((node) => node !== first);
  other.handleView(nodes.map((node) => peer(node, { kept: node === "a" ? [group] : [] })), 0);
  assert.deepEqual(other.sequencers(group), ["a"]);
  other.handleHeard(group, 10);
  assert.deepEqual([other.sequencers(group), other.isNew(group, 1509)], [[first], true]);
  assert.equal(other.isNew(group, 1510), false);
});

Deno.test("where nobody gave places before, there is nothing to look for", () => {
  const { custody } = setUp();
  custody.handleView([peer("b")], 0);
  custody.handleHeard(1, 10);
  assert.deepEqual([custody.sequencers(1), custody.isNew(1, 10)], [["a"], false]);
});

Deno.test("a peer that does not hear us is no custodian, but gives places where nobody else does", () => {
  const { custody } = setUp();
  const view = [peer("b", { mutual: false, ready: [1, 2] })];
  custody.handleView(view, 0);
  custody.handleHeard(2, 0);
  assert.deepEqual([custody.custodians(1), custody.sequencers(1)], [["a"], ["b"]]);
  assert.deepEqual(custody.sequencers(2), ["a"]);
  custody.handleView([...view, peer("c", { kept: [1] })], 1);
  assert.deepEqual(custody.sequencers(1), ["c"]);
});

Deno.test("a custodian that has to look for slots that were moved to it gives places meanwhile", () => {
  const { custody } = setUp();
  custody.handleView([peer("b")], 0);
  custody.handleHeard(2, 0);
  custody.handleGained([2], 100);
  assert.deepEqual([custody.ready(2), custody.sequencers(2)], [[], ["a"]]);
  custody.handleSynced("b", 100, 100);
  assert.deepEqual([custody.ready(2), custody.isNew(2, 100)], [["a"], false]);
});
