import assert from "node:assert/strict";
import { Custodian } from "../../relay/custodian.ts";
import type { Peer } from "../../relay/machines/membership.ts";
import { announcement } from "../support/announcement.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const GROUPS = 4;
const all = [1, 2, 3, 4];

function peer(node: string, more: Partial<Peer> = {}): Peer {
  return { ...announcement(node), node, mutual: true, ...more };
}

async function turn(): Promise<void> {
  for (let n = 0; n < 10; n++) await Promise.resolve();
}

function setUp() {
  const clock = new VirtualClock(), calls: string[] = [], said: string[] = [];
  const fail = { join: false, exchange: false };
  const custodian: Custodian = new Custodian({
    clock,
    self: { origin: "a", node: "a" },
    groupCount: GROUPS,
    groups: {
      acquire(group) {
        calls.push(`acquire ${group}`);
        return fail.join ? Promise.reject(new Error("no membership left")) : Promise.resolve();
      },
      release: (group) => void calls.push(`release ${group}`),
    },
    covers: () => true,
    exchange: async ({ origin }) => {
      calls.push(`exchange ${origin}`);
      await Promise.resolve();
      if (!fail.exchange) custodian.synced(origin, clock.nowMs());
      return !fail.exchange;
    },
    changed: () => void calls.push("changed"),
    log: (level, text, fields) => said.push(`${level} ${text} ${fields?.groups ?? ""}`.trim()),
  });
  /** The view for some time, looked at twice a second. */
  const pass = async (ms: number, peers: readonly Peer[]) => {
    for (let step = 0; step < ms; step += 500) {
      custodian.follow(peers);
      await turn();
      clock.advance(500);
    }
  };
  return { clock, calls, said, fail, custodian, pass };
}

Deno.test("a custodian hears its groups, syncs with one exchange for each holder, and says that it is ready", async () => {
  const { calls, custodian } = setUp();
  custodian.follow([peer("b", { holds: all })]);
  await turn();
  assert.deepEqual(calls.filter((call) => call.startsWith("acquire")).length, GROUPS);
  assert.deepEqual(calls.filter((call) => call === "exchange b").length, 1);
  assert.deepEqual(custodian.readyGroups, all);
  assert.equal(calls.at(-1), "changed");
});

Deno.test("whom it cannot sync with is asked again every second, until it has left", async () => {
  const { calls, custodian, fail, pass } = setUp();
  fail.exchange = true;
  await pass(4000, [peer("b", { holds: [2] })]);
  const asked = calls.filter((call) => call === "exchange b").length;
  assert.ok(asked >= 3 && asked <= 4, `${asked} times`);
  assert.deepEqual([custodian.readyGroups, custodian.unreadyGroups], [[1, 3, 4], [2]]);
  await pass(500, []);
  assert.deepEqual(custodian.readyGroups, all);
});

Deno.test("a group that cannot be joined is tried again", async () => {
  const { custodian, said, fail, pass } = setUp();
  fail.join = true;
  await pass(500, []);
  assert.equal(said.length, GROUPS);
  fail.join = false;
  await pass(500, []);
  assert.deepEqual(custodian.readyGroups, []);
  await pass(1000, []);
  assert.deepEqual(custodian.readyGroups, all);
});

Deno.test("a peer that does not hear this relay does not count", async () => {
  const { custodian, pass } = setUp();
  await pass(500, ["b", "c", "d"].map((node) => peer(node, { mutual: false, holds: all })));
  assert.deepEqual(custodian.readyGroups, all);
  assert.deepEqual(custodian.custodians(1), ["a"]);
});

Deno.test("too few custodians are warned of once, if there ever were enough relays", async () => {
  const { said, pass } = setUp();
  await pass(10_000, []);
  assert.deepEqual(said, [], "a relay alone is no trouble");
  await pass(1000, [peer("b", { ready: all })]);
  await pass(2500, []);
  assert.deepEqual(said, []);
  await pass(5000, []);
  assert.deepEqual(said, ["warn groups with fewer than two ready custodians 4"]);
  await pass(1000, [peer("b", { ready: all })]);
  assert.deepEqual(said.slice(1), ["info every group has two ready custodians again"]);
});
