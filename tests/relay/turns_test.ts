import assert from "node:assert/strict";
import { Turns } from "../../relay/turns.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const STALLED_MS = 100, LONGEST_MS = 1000;

function setUp() {
  const clock = new VirtualClock(), begun: number[] = [];
  const turns = new Turns(clock, { stalledMs: STALLED_MS, longestMs: LONGEST_MS });
  const ends = [1, 2, 3].map((n) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    void turns.take(() => {
      begun.push(n);
      return promise;
    });
    return resolve;
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    for (let n = 0; n < 20; n++) await Promise.resolve();
  };
  return { turns, begun, ends, pass };
}

Deno.test("work is done one after the other", async () => {
  const { begun, ends, pass } = setUp();
  await pass(0);
  assert.deepEqual(begun, [1]);
  ends[0]?.();
  await pass(0);
  assert.deepEqual(begun, [1, 2]);
  ends[1]?.();
  await pass(0);
  assert.deepEqual(begun, [1, 2, 3]);
});

Deno.test("who comes on is waited for, who does not is not", async () => {
  const { turns, begun, pass } = setUp();
  for (let n = 0; n < 5; n++) {
    turns.comesOn();
    await pass(0.9 * STALLED_MS);
  }
  assert.deepEqual(begun, [1]);
  await pass(STALLED_MS);
  await pass(STALLED_MS);
  assert.deepEqual(begun, [1, 2, 3]);
});

Deno.test("who comes on for ever is not waited for as long", async () => {
  const { turns, begun, pass } = setUp();
  const step = 0.9 * STALLED_MS;
  for (let ms = 0; ms < LONGEST_MS - STALLED_MS; ms += step) {
    turns.comesOn();
    await pass(step);
  }
  assert.deepEqual(begun, [1]);
  for (let n = 0; n < 3; n++) {
    turns.comesOn();
    await pass(step);
  }
  assert.deepEqual(begun, [1, 2, 3]);
});
