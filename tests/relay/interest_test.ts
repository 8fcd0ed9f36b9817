import assert from "node:assert/strict";
import { MovingGroups, QUIET_MS } from "../../backbone/registry/moving_groups.ts";
import { Interest } from "../../relay/interest.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** Slots 0 to 3 are in groups 1 to 4. */
function setUp() {
  const clock = new VirtualClock(), table = new MovingGroups(4), held = new Map<number, number>();
  const broken = new Set<number>();
  const add = (group: number, more: number) => {
    const count = (held.get(group) ?? 0) + more;
    assert(count >= 0, `group ${group} is released more often than acquired`);
    if (count === 0) held.delete(group);
    else held.set(group, count);
  };
  const groups = {
    acquire(group: number) {
      if (broken.has(group)) return Promise.reject(new Error("no membership left"));
      add(group, 1);
      return Promise.resolve();
    },
    release: (group: number) => add(group, -1),
  };
  const interest = new Interest({ clock, groups, table });
  const move = (slot: number, group: number) => {
    table.adopt(table.current.moved(new Map([[slot, group]])));
  };
  const settle = () => {
    for (const nowMs of [0, QUIET_MS]) table.follow([], nowMs);
  };
  return { clock, interest, held, broken, move, settle };
}

const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

Deno.test("each follower holds the groups of its slots, each once, until it leaves", async () => {
  const { interest, held } = setUp();
  const a = await interest.follow([0, 1, 4]), b = await interest.follow([0]);
  assert.deepEqual([...held], [[1, 2], [2, 1]]);
  a();
  assert.deepEqual([...held], [[1, 1]]);
  b();
  assert.equal(held.size, 0);
  interest.close();
});

Deno.test("a slot that moves is heard in both groups, and in the new one alone once the old is quiet", async () => {
  const { interest, held, move, settle } = setUp();
  const one = await interest.follow([0]), both = await interest.follow([0, 4]);
  move(0, 3);
  assert.deepEqual([...held].sort(), [[1, 2], [3, 2]]);
  // Slot 4 stays in group 1.
  settle();
  assert.deepEqual([...held].sort(), [[1, 1], [3, 2]]);
  move(1, 4);
  assert.deepEqual([...held].sort(), [[1, 1], [3, 2]], "nobody follows slot 1");
  const late = await interest.follow([1]);
  assert.deepEqual([...held].sort(), [[1, 1], [2, 1], [3, 2], [4, 1]]);
  for (const leave of [one, both, late]) leave();
  move(0, 2);
  assert.equal(held.size, 0);
  interest.close();
});

Deno.test("who cannot be served holds nothing; who is moved where nobody can join tries again", async () => {
  const { clock, interest, held, broken, move } = setUp();
  broken.add(2);
  await assert.rejects(interest.follow([0, 1]), /no membership/);
  assert.equal(held.size, 0);

  const leave = await interest.follow([0]);
  move(0, 2);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual([...held], [[1, 1]]);
  clock.advance(1000);
  for (let i = 0; i < 5; i++) await turn();
  broken.delete(2);
  clock.advance(1000);
  assert.deepEqual([...held].sort(), [[1, 1], [2, 1]]);
  leave();
  assert.equal(held.size, 0);
  interest.close();
});

Deno.test("nothing is held for a table that changed after the end", async () => {
  const { interest, held, move } = setUp();
  await interest.follow([0]);
  interest.close();
  move(0, 2);
  assert.deepEqual([...held], [[1, 1]]);
});
