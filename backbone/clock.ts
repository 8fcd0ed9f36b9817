/**
 * Time as the drivers get it: handed in, so that a simulator can hand in its own.
 *
 * @module
 */

/** A monotonic clock with timers. */
export interface Clock {
  /** Monotonic milliseconds; the zero is arbitrary. */
  nowMs(): number;
  /** Calls `fn` once after `ms` milliseconds; the answer cancels it and may be called any number of times. */
  after(ms: number, fn: () => void): () => void;
}

/** The machine's own clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, fn) {
    const id = setTimeout(fn, ms);
    return () => clearTimeout(id);
  },
};
