import assert from "node:assert/strict";
import { Rate } from "../../../relay/machines/rate.ts";

Deno.test("a rate is what came in the last whole window, per second", () => {
  const rate = new Rate(1000);
  assert.deepEqual([rate.of(50, 1500), rate.of(400, 2999)], [0, 0]);
  assert.equal(rate.of(500, 3000), 250);
  assert.equal(rate.of(10_000, 3500), 250);
  assert.equal(rate.of(10_001, 7000), 2375);
  assert.equal(rate.of(10_001, 9000), 0);
});
