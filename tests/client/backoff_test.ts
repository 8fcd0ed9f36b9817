import assert from "node:assert/strict";
import { backoffMs } from "../../src/client/backoff.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("waits lie between 0.5 s and a ceiling that doubles up to 20 s", () => {
  const ceilings = [1000, 2000, 4000, 8000, 16_000, 20_000, 20_000];
  for (const [attempt, ceiling] of ceilings.entries()) {
    assert.equal(backoffMs(attempt, () => 0), 500);
    assert.equal(backoffMs(attempt, () => 0.5), (500 + ceiling) / 2);
    assert.ok(backoffMs(attempt, () => 1 - 1e-9) < ceiling);
  }
  assert.ok(backoffMs(10_000, () => 0.999) < 20_000);
});

Deno.test("waits are spread over the whole range, so that a herd does not come back at once", () => {
  const random = seededRandom(7), waits = Array.from({ length: 1000 }, () => backoffMs(9, random));
  for (let tenth = 0; tenth < 10; tenth++) {
    const from = 500 + 1950 * tenth;
    const share = waits.filter((wait) => wait >= from && wait < from + 1950).length;
    assert.ok(share > 50 && share < 150, `${share} of 1000 in the tenth from ${from} ms on`);
  }
});
