/**
 * What a rising count makes in a second.
 *
 * @module
 */

/** Measured over this at least: a burst is no load. */
const WINDOW_MS = 2000;

export class Rate {
  #perSecond = 0;
  #count = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Counts per second in the last window that is over, rounded. To be asked at least that often. */
  of(count: number, nowMs: number): number {
    const ms = nowMs - this.#sinceMs;
    if (ms >= WINDOW_MS) {
      this.#perSecond = Math.round((count - this.#count) * 1000 / ms);
      this.#count = count;
      this.#sinceMs = nowMs;
    }
    return this.#perSecond;
  }
}
