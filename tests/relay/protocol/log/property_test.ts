import assert from "node:assert/strict";
import { World, type WorldOptions } from "../../../support/log_world.ts";
import { seededRandom } from "../../../support/random.ts";

const ROOMY = { maxCount: 1000, maxAgeMs: 300_000 };

/** Runs worlds of many seeds; a failing one names itself. */
function runWorlds(
  options: WorldOptions,
  { seeds, steps = 120, judge }: {
    readonly seeds: number;
    readonly steps?: number;
    readonly judge?: (world: World) => void;
  },
): void {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const world = new World(seededRandom(seed), options);
      for (let step = 0; step < steps; step++) world.step();
      world.finish();
      judge?.(world);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
}

Deno.test("any order, any repetition, any resume point: the log agrees with the naive one", () => {
  runWorlds({ ...ROOMY, loss: 0.1, rough: false }, { seeds: 150 });
});

Deno.test("small retention by count: what is dropped is announced, and nothing else", () => {
  runWorlds({ maxCount: 4, maxAgeMs: 300_000, loss: 0.1, rough: false }, { seeds: 150 });
});

Deno.test("short retention by age, and drops for the bound of the process", () => {
  runWorlds({ maxCount: 6, maxAgeMs: 9000, loss: 0.2, rough: true }, { seeds: 150 });
});

Deno.test("long runs, in which dropped entries are joined", () => {
  runWorlds({ maxCount: 4, maxAgeMs: 300_000, loss: 0.1, rough: true }, { seeds: 15, steps: 900 });
});

Deno.test("cursors that have lost origins: nothing comes twice, and what may be missing is announced", () => {
  runWorlds({ ...ROOMY, loss: 0.1, rough: false, cut: 0.4 }, { seeds: 150 });
  const small = { maxCount: 6, maxAgeMs: 9000, loss: 0.2, rough: true, cut: 0.4 };
  runWorlds(small, { seeds: 150 });
});

Deno.test("two logs that pulled from each other stand at the same place", () => {
  const place = ({ log }: World["twins"][0]) => [...log.vector].filter(([, seq]) => seq > 0).sort();
  runWorlds({ ...ROOMY, loss: 0.3, rough: true }, {
    seeds: 100,
    judge: ({ twins: [one, other] }) => assert.deepEqual(place(one), place(other)),
  });
});
