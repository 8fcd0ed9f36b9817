import assert from "node:assert/strict";
import { Groups } from "../../relay/groups.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function setUp(fail = { join: false }) {
  const clock = new VirtualClock();
  const calls: string[] = [];
  const groups = new Groups({
    clock,
    lingerMs: 1000,
    backbone: {
      join(group) {
        calls.push(`join ${group}`);
        return fail.join ? Promise.reject(new Error("no membership left")) : Promise.resolve();
      },
      leave: (group) => void calls.push(`leave ${group}`),
    },
    entered(group) {
      calls.push(`sync ${group}`);
      return Promise.resolve();
    },
    left: () => {},
  });
  return { clock, calls, groups };
}

Deno.test("a group is joined and synced once for all who are interested", async () => {
  const { calls, groups } = setUp();
  await Promise.all([groups.acquire(3), groups.acquire(3)]);
  assert.deepEqual(calls, ["join 3", "sync 3"]);
  assert.deepEqual(groups.heard, [3]);
});

Deno.test("a group is left when its last interest has been gone for the linger time", async () => {
  const { clock, calls, groups } = setUp();
  await groups.acquire(3);
  await groups.acquire(3);
  groups.release(3);
  clock.advance(5000);
  assert.deepEqual(groups.heard, [3]);
  groups.release(3);
  clock.advance(999);
  assert.deepEqual(groups.heard, [3]);
  clock.advance(1);
  assert.deepEqual(groups.heard, []);
  assert.deepEqual(calls, ["join 3", "sync 3", "leave 3"]);
});

Deno.test("interest that comes back while a group lingers needs no second join", async () => {
  const { clock, calls, groups } = setUp();
  await groups.acquire(3);
  groups.release(3);
  clock.advance(999);
  await groups.acquire(3);
  clock.advance(5000);
  assert.deepEqual(calls, ["join 3", "sync 3"]);
});

Deno.test("a join that fails is told to everybody who waits, and tried anew", async () => {
  const fail = { join: true };
  const { calls, groups } = setUp(fail);
  const waiting = [groups.acquire(3), groups.acquire(3)];
  for (const wait of waiting) await assert.rejects(wait, /no membership left/);
  fail.join = false;
  await groups.acquire(3);
  assert.deepEqual(calls, ["join 3", "leave 3", "join 3", "sync 3"]);
});

Deno.test("closing leaves every group, and an interest given up twice is one", async () => {
  const { clock, calls, groups } = setUp();
  await groups.acquire(1);
  await groups.acquire(2);
  groups.release(1);
  groups.release(1);
  groups.close();
  clock.advance(5000);
  assert.deepEqual(calls.filter((call) => call.startsWith("leave")), ["leave 1", "leave 2"]);
});
