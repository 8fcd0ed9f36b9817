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
    // The system counts whole milliseconds and rounds down: whoever is woken early has to be woken twice.
    const id = setTimeout(fn, Math.ceil(ms));
    return () => clearTimeout(id);
  },
};
