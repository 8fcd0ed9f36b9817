import assert from "node:assert/strict";
import { LOOK_MS, Standstill } from "../../../relay/machines/standstill.ts";

/** Looks every 100 ms but where the process stops; says when it is taken for standing still. */
function run(stops: readonly (readonly [fromMs: number, toMs: number])[], untilMs: number) {
  const standstill = new Standstill(0), stood: number[] = [];
  let lookAtMs = LOOK_MS;
  for (let ms = 0; ms <= untilMs; ms += 5) {
    if (stops.some(([fromMs, toMs]) => ms >= fromMs && ms < toMs)) continue;
    if (standstill.isRecent(ms)) stood.push(ms);
    if (ms < lookAtMs) continue;
    standstill.look(ms);
    lookAtMs = ms + LOOK_MS;
  }
  return stood;
}

Deno.test("who is a little late does not stand still", () => {
  assert.deepEqual(run([[1000, 1200], [1600, 1800], [3000, 3500]], 5000), []);
});

Deno.test("who stood still knows from the first moment, and for 1.5 s", () => {
  const stood = run([[1000, 1700]], 5000);
  assert.equal(stood[0], 1700);
  assert.equal(stood.at(-1), 1700 + 1495);
});

Deno.test("who stands still in bits knows it too", () => {
  const bits = Array.from({ length: 8 }, (_, n) => [1000 + n * 605, 1600 + n * 605] as const);
  assert.ok(run(bits, 7000)[0]! <= 1600 + 605);
});
