import assert from "node:assert/strict";
import { RangeSet } from "../../../../relay/protocol/log/range_set.ts";
import { seededRandom } from "../../../support/random.ts";

Deno.test("a range set is a set, in spans that neither overlap nor touch", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const ranges = new RangeSet();
    const naive = new Set<number>();
    for (let step = 0; step < 40; step++) {
      const from = 1 + below(40), to = from + below(8) - 1;
      const add = random() < 0.6;
      if (add) ranges.add(from, to);
      else ranges.delete(from, to);
      for (let n = from; n <= to; n++) add ? naive.add(n) : naive.delete(n);
      const spans = [...ranges];
      const members = spans.flatMap((span) => numbers(span.from, span.to));
      assert.deepEqual(members, [...naive].sort((a, b) => a - b), `seed ${seed}`);
      assert.ok(spans.every((span, at) => at === 0 || (spans[at - 1]?.to ?? 0) + 1 < span.from));
      const expected = numbers(from, to).filter((n) => naive.has(n));
      const within = [...ranges.within(from, to)].flatMap((span) => numbers(span.from, span.to));
      assert.deepEqual(within, expected, `seed ${seed}`);
      assert.equal(ranges.covers(from, to), expected.length === Math.max(0, to - from + 1));
    }
  }
});

function numbers(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n);
}
