import { deepEqual, equal, ok } from "node:assert/strict";
import { planMoves } from "../../../backbone/registry/balance.ts";
import { SlotGroups } from "../../../backbone/registry/slot_groups.ts";
import { seededRandom } from "../../support/random.ts";
import { seeds } from "../../support/soak.ts";

const COUNT = 4;
const initial = SlotGroups.initial(COUNT);

function sums(groups: SlotGroups, load: ReadonlyMap<number, number>): number[] {
  const sums = Array.from({ length: COUNT }, () => 0);
  for (const [slot, messages] of load) {
    const at = groups.groupOf(slot) - 1;
    sums[at] = (sums[at] ?? 0) + messages;
  }
  return sums;
}

/** Moves until nothing is left to move; answers how often. */
function settle(load: ReadonlyMap<number, number>): { groups: SlotGroups; rounds: number } {
  let groups = initial, rounds = 0;
  for (; rounds < 1000; rounds++) {
    const moves = planMoves(groups, COUNT, load);
    if (moves.size === 0) break;
    ok(moves.size <= 64);
    groups = groups.moved(moves);
  }
  return { groups, rounds };
}

Deno.test("what is idle, even or cannot be divided is left where it is", () => {
  const cases: [string, [number, number][]][] = [
    ["nothing", []],
    ["little", [[0, 100], [4, 90]]],
    ["even", [[0, 1000], [1, 1000], [2, 1000], [3, 900]]],
    ["one slot is all there is", [[0, 100_000]]],
    ["one slot is nearly all there is", [[0, 100_000], [4, 50]]],
  ];
  for (const [name, load] of cases) equal(planMoves(initial, COUNT, new Map(load)).size, 0, name);
});

Deno.test("two busy slots in one group part, and only one of them moves", () => {
  const moves = planMoves(initial, COUNT, new Map([[0, 1000], [4, 900], [8, 10]]));
  equal(moves.size, 1);
  ok(moves.has(0) || moves.has(4));
});

Deno.test("a slot that fills a group gets it for itself, and a group of small ones is divided", () => {
  const hot = settle(new Map([[0, 100_000], [4, 1000], [8, 1000]]));
  ok([4, 8].every((slot) => hot.groups.groupOf(slot) !== hot.groups.groupOf(0)));
  const small = new Map(Array.from({ length: 512 }, (_, i) => [4 * i, 10]));
  ok(Math.max(...sums(settle(small).groups, small)) <= 1.25 * 512 * 10 / COUNT);
});

Deno.test("random loads settle: as even as their largest slot allows, at once for good", () => {
  for (const seed of seeds(50, 2000)) {
    const random = seededRandom(seed), load = new Map<number, number>();
    for (let i = 0; i < 200; i++) {
      load.set(Math.floor(random() ** 3 * 16_384), Math.floor(2000 * random() ** 8));
    }
    const { groups, rounds } = settle(load);
    ok(rounds < 10, `seed ${seed}: ${rounds} rounds`);
    const after = sums(groups, load), mean = after.reduce((a, b) => a + b, 0) / COUNT;
    const limit = Math.max(1.25 * mean, 200, 1.2 * Math.max(...load.values()));
    ok(Math.max(...after) <= limit, `seed ${seed}: ${after} of ${limit}`);
    deepEqual(planMoves(groups, COUNT, load).size, 0, `seed ${seed}`);
  }
});
