/**
 * Who gives up when the memory for what streams hold is used up.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { type Holder, ReceiveMemory } from "../../../backbone/pgm/receive_memory.ts";
import { seededRandom } from "../../support/random.ts";

/** Holds gaps of some bytes each, and counts how often it gave one up. */
class Gaps implements Holder {
  readonly gaps: number[] = [];
  givenUp = 0;

  constructor(readonly address: string | undefined) {}

  get bytesHeld(): number {
    return this.gaps.reduce((sum, bytes) => sum + bytes, 0);
  }

  giveUpOldest(): void {
    this.gaps.shift();
    this.givenUp++;
  }
}

function memory(capacity: number) {
  let told = 0;
  const shared = new ReceiveMemory(capacity, () => told++);
  const hold = (holder: Gaps, ...gaps: number[]) => {
    holder.gaps.push(...gaps);
    shared.update(holder);
  };
  return { shared, hold, told: () => told };
}

Deno.test("the greediest gives up its oldest gap, and no more than it must", () => {
  const { shared, hold, told } = memory(100);
  const small = new Gaps("a"), large = new Gaps("b");
  hold(large, 40, 30, 20);
  hold(small, 10);
  deepEqual([shared.bytes, told()], [100, 0]);
  hold(small, 1);
  deepEqual([shared.bytes, told()], [61, 1]);
  deepEqual([large.gaps, small.gaps], [[30, 20], [10, 1]]);
});

Deno.test("many small streams of one address are as greedy as a large one", () => {
  const { hold } = memory(100);
  const one = new Gaps("honest"), many = Array.from({ length: 30 }, () => new Gaps("flood"));
  hold(one, 45);
  for (const flood of many) hold(flood, 5);
  equal(one.givenUp, 0);
  ok(many.every(({ givenUp }) => givenUp <= 1));
});

Deno.test("who is gone takes nothing", () => {
  const { shared, hold } = memory(100);
  const gone = new Gaps("a"), other = new Gaps("b");
  hold(gone, 90);
  shared.forget(gone);
  hold(other, 90);
  deepEqual([shared.bytes, gone.givenUp, other.givenUp], [90, 0, 0]);
});

Deno.test("whatever others hold, an address within its share loses nothing, and the capacity holds", () => {
  const CAPACITY = 1_000, ADDRESSES = ["a", "b", "c", "honest"], random = seededRandom(1);
  const { shared, hold } = memory(CAPACITY);
  const honest = new Gaps("honest");
  const holders = Array.from({ length: 40 }, (_, i) => new Gaps(ADDRESSES[i % 3]));
  for (let step = 0; step < 5_000; step++) {
    const greedy = holders[Math.floor(random() * holders.length)];
    if (greedy) hold(greedy, 1 + Math.floor(random() * 200));
    if (honest.bytesHeld < CAPACITY / ADDRESSES.length - 10) hold(honest, 10);
    ok(shared.bytes <= CAPACITY);
  }
  equal(honest.givenUp, 0);
});
