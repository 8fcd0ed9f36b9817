/**
 * Latencies by size, in bounded memory however many there are.
 *
 * @module
 */

/** Buckets per power of two: a value is known to 1.6 %. */
const STEPS_LOG = 5;
const STEPS = 1 << STEPS_LOG;

/** Values are counted in units of so many to the microsecond. */
const PER_US = 10;

/** 60 s; more is no latency. */
const LARGEST_US = 60e6;

/** Two clocks of one machine differ by less. */
const SMALLEST_US = -1_000;

export class Latencies {
  readonly #counts = new Float64Array(bucketOf(LARGEST_US * PER_US) + 1);
  #total = 0;

  /** Counts one, in microseconds. What cannot be a latency is left out: clocks differ, and not every sender stamps. */
  add(us: number): void {
    if (!(us >= SMALLEST_US && us <= LARGEST_US)) return;
    const bucket = bucketOf(Math.round(Math.max(0, us) * PER_US));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  /** What a share of 0 to 1 of all was not above, in microseconds; null without any. */
  quantile(share: number): number | null {
    let left = share * this.#total;
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return middleOf(bucket) / PER_US;
    }
    return null;
  }
}

/** Equal steps up to 2 × STEPS, then STEPS to each doubling. */
function bucketOf(value: number): number {
  const doubling = Math.max(0, 31 - Math.clz32(value) - STEPS_LOG);
  return doubling * STEPS + (value >>> doubling);
}

function middleOf(bucket: number): number {
  const doubling = Math.max(0, Math.floor(bucket / STEPS) - 1);
  const width = 2 ** doubling;
  return (bucket - doubling * STEPS) * width + (width - 1) / 2;
}
