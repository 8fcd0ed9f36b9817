import { seededRandom } from "../../support/random.ts";
import { World, type WorldOptions } from "../../support/log_world.ts";
import assert from "node:assert/strict";

const ROOMY = { maxCount: 1000, maxAgeMs: 300_000 };

/** Runs worlds of many seeds; a failing one names itself. */
function runWorlds(
  options: WorldOptions,
  seeds: number,
  judge: (world: World) => void = () => {},
): void {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const world = new World(seededRandom(seed), options);
      for (let step = 0; step < 120; step++) world.step();
      world.finish();
      judge(world);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
}

Deno.test("any order, any repetition, any resume point: the log agrees with the naive one", () => {
  runWorlds({ ...ROOMY, loss: 0.1, rough: false }, 150);
});

Deno.test("small retention by count: what is dropped is announced, and nothing else", () => {
  runWorlds({ maxCount: 4, maxAgeMs: 300_000, loss: 0.1, rough: false }, 150);
});

Deno.test("short retention by age, and drops for the bound of the process", () => {
  runWorlds({ maxCount: 6, maxAgeMs: 9000, loss: 0.2, rough: true }, 150);
});

Deno.test("two logs that pulled from each other hold the same", () => {
  runWorlds({ ...ROOMY, loss: 0.3, rough: true }, 100, ({ twins: [a, b] }) => {
    assert.deepEqual(
      [...a.log.vector].filter(([, seq]) => seq > 0).sort(),
      [...b.log.vector].filter(([, seq]) => seq > 0).sort(),
    );
  });
});
