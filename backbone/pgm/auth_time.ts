/**
 * The time that relays with one key go by: the latest that any of them knows. A relay begins with its own clock and
 * follows whoever is ahead, by authentic packets alone. So clocks that differ keep nobody out for longer than it takes
 * to hear one packet of another, and what was recorded earlier cannot turn the time back.
 *
 * @module
 */

export class GroupTime {
  /** The time when the monotonic clock was 0. */
  #zeroMs: number;

  /**
   * @param wallMs milliseconds since the epoch.
   * @param nowMs the monotonic clock at that time.
   */
  constructor(wallMs: number, nowMs: number) {
    this.#zeroMs = wallMs - nowMs;
  }

  /** Milliseconds since the epoch. */
  at(nowMs: number): number {
    return this.#zeroMs + nowMs;
  }

  /** An authentic packet was sent at `timeMs`. */
  hear(timeMs: number, nowMs: number): void {
    this.#zeroMs = Math.max(this.#zeroMs, timeMs - nowMs);
  }
}
