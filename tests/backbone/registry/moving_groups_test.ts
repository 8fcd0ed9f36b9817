import { deepEqual, equal, notEqual, ok, throws } from "node:assert/strict";
import { MovingGroups, QUIET_MS } from "../../../backbone/registry/moving_groups.ts";
import { ENTRIES_BYTES, SlotGroups } from "../../../backbone/registry/slot_groups.ts";
import { testGroupTable } from "./group_table_contract.ts";

testGroupTable("table that moves", (count) => {
  return Promise.resolve({ table: new MovingGroups(count), close: () => Promise.resolve() });
});

const initial = SlotGroups.initial(4);

/** A table at epoch 1 where slot 0 went from group 1 to group 3. */
function setUp() {
  const table = new MovingGroups(4), changes: (readonly number[])[] = [];
  table.onChange((slots) => changes.push(slots));
  const next = initial.moved(new Map([[0, 3]]));
  equal(table.adopt(next), 1);
  return { table, changes, next };
}

Deno.test("a slot is sent to its new group at once, and heard in both until every relay has known for 10 s", () => {
  const { table, changes, next } = setUp();
  deepEqual([table.groupOf(0), table.groupsOf(0), changes], [3, [3, 1], [[0]]]);
  deepEqual([table.epoch, table.hash, table.moves, table.moving], [1, next.hash, 1, 1]);
  equal(table.follow([initial], 0), false);
  equal(table.follow([next, initial], QUIET_MS), false);
  equal(table.follow([next], QUIET_MS + 1), true);
  table.follow([next], 2 * QUIET_MS);
  equal(table.moving, 1);
  // One that comes back with the old table makes the wait begin anew.
  table.follow([initial], 2 * QUIET_MS + 1);
  table.follow([next], 2 * QUIET_MS + 2);
  table.follow([next], 3 * QUIET_MS + 1);
  deepEqual(table.groupsOf(0), [3, 1]);
  table.follow([next], 3 * QUIET_MS + 2);
  deepEqual([table.groupsOf(0), table.moving, changes], [[3], 0, [[0], [0]]]);
});

Deno.test("moves in a row leave every group heard that is not quiet yet, the present one first and once", () => {
  const { table, next } = setUp();
  table.follow([], 0);
  const second = next.moved(new Map([[0, 2]]));
  table.adopt(second);
  deepEqual(table.groupsOf(0), [2, 3, 1]);
  table.follow([], QUIET_MS);
  deepEqual(table.groupsOf(0), [2, 3, 1], "the wait began anew");
  table.adopt(second.moved(new Map([[0, 1]])));
  deepEqual(table.groupsOf(0), [1, 2, 3]);
  equal(table.moves, 3);
});

Deno.test("an older version is never taken, of two with one epoch the same one everywhere", () => {
  const { next } = setUp(), rival = initial.moved(new Map([[0, 2]]));
  const winner = next.hash > rival.hash ? next : rival;
  for (const order of [[next, rival], [rival, next]]) {
    const table = new MovingGroups(4);
    for (const groups of order) table.adopt(groups);
    equal(table.hash, winner.hash);
    equal(table.adopt(initial), undefined);
    equal(table.adopt(winner), undefined);
    equal(table.hash, winner.hash);
  }
});

Deno.test("the same mapping under a new epoch moves nothing and tells nobody", () => {
  const { table, changes, next } = setUp();
  equal(table.adopt(next.at(9)), 0);
  deepEqual([table.epoch, changes.length], [9, 1]);
  // Who has the same mapping is not behind, whatever its epoch.
  equal(table.follow([next], 0), true);
});

Deno.test("what is no table is refused", () => {
  const bytes = () => initial.entries.slice();
  const outside = bytes(), control = bytes();
  new DataView(outside.buffer).setUint16(100, 5);
  new DataView(control.buffer).setUint16(100, 0);
  const cases: [string, number, Uint8Array][] = [
    ["no epoch", Number.NaN, bytes()],
    ["an epoch before the first", 0, bytes()],
    ["an epoch and a half", 1.5, bytes()],
    ["an epoch that nobody reaches", 2 ** 50, bytes()],
    ["nothing", 1, new Uint8Array()],
    ["too short", 1, bytes().subarray(1)],
    ["too long", 1, new Uint8Array(ENTRIES_BYTES + 2).fill(1)],
    ["a group outside the pool", 1, outside],
    ["the control group", 1, control],
  ];
  for (const [name, epoch, text] of cases) {
    throws(() => SlotGroups.parse(epoch, text, 4), RangeError, name);
  }
  throws(() => initial.at(2 ** 48).moved(new Map()), RangeError, "the last epoch");
  const parsed = SlotGroups.parse(7, bytes(), 4);
  deepEqual([parsed.epoch, parsed.hash], [7, initial.hash]);
  notEqual(parsed.moved(new Map([[0, 2]])).hash, initial.hash);
  ok(parsed.entries.every((byte, i) => byte === initial.entries[i]));
});
