/**
 * Waits finer than the runtime's.
 *
 * @module
 */
import { ok } from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { ffiAllowed } from "../../backbone/libc.ts";
import { FineTimer } from "../../src/cli/pgm/fine_timer.ts";

/** The median of how long something takes. */
async function typicalMs(wait: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let round = 0; round < 99; round++) {
    const startMs = performance.now();
    await wait();
    took.push(performance.now() - startMs);
  }
  return took.sort((a, b) => a - b)[took.length >> 1] ?? NaN;
}

Deno.test({
  name: "a tenth of a millisecond is less than the runtime's least, and the longest wait is not",
  ignore: Deno.build.os !== "linux" || !ffiAllowed(),
  fn: async () => {
    using timer = new FineTimer();
    const runtimeMs = await typicalMs(() => setTimeout(1));
    ok(await typicalMs(() => timer.wait(0.1)) < runtimeMs);
    ok(await typicalMs(() => timer.wait(Infinity)) < 2 * runtimeMs);
  },
});
