import assert from "node:assert/strict";
import { OrdinalQueue } from "../../../relay/machines/ordinal_queue.ts";
import { seededRandom } from "../../support/random.ts";

Deno.test("an ordinal queue takes out what a sorted list would", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed), below = (n: number) => Math.floor(random() * n);
    const queue = new OrdinalQueue<{ ordinal: number }>();
    let naive: { ordinal: number }[] = [], last = 0;
    for (let step = 0; step < 500; step++) {
      if (random() < 0.7) {
        last += 1 + below(3);
        const item = { ordinal: last };
        queue.push(item);
        naive.push(item);
      } else if (random() < 0.2) {
        assert.equal(queue.shift(), naive.shift());
      } else {
        const from = below(last + 3), through = from + below(last);
        const inside = ({ ordinal }: { ordinal: number }) => ordinal >= from && ordinal <= through;
        assert.deepEqual(queue.take(from, through), naive.filter(inside));
        naive = naive.filter((item) => !inside(item));
      }
      assert.equal(queue.length, naive.length);
      assert.equal(queue.first, naive[0]);
    }
  }
});
