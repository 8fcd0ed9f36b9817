/**
 * Doing things one after the other, where the next is cheaper once the one before is done.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { within } from "../backbone/within.ts";

/** How long who has yet to begin waits for the work before. */
export interface Patience {
  /** While that stands still. */
  readonly stalledMs: number;
  /** In all: it may come on by very little. */
  readonly longestMs: number;
}

/** A queue for work. Who waits goes ahead when its patience with the work before is over. */
export class Turns {
  readonly #clock: Clock;
  readonly #patience: Patience;
  #last: Promise<unknown> = Promise.resolve();
  #cameOnMs = -Infinity;

  constructor(clock: Clock, patience: Patience) {
    this.#clock = clock;
    this.#patience = patience;
  }

  /** The work under way comes on. */
  comesOn(): void {
    this.#cameOnMs = this.#clock.nowMs();
  }

  /** Does `work`, which does not throw, in its turn. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#isDone(this.#last).then(work);
    this.#last = mine;
    return await mine;
  }

  async #isDone(before: Promise<unknown>): Promise<void> {
    const { stalledMs, longestMs } = this.#patience, clock = this.#clock;
    const done = before.then(() => true), untilMs = clock.nowMs() + longestMs;
    while (!await within(clock, stalledMs, done)) {
      const nowMs = clock.nowMs();
      if (nowMs - this.#cameOnMs >= stalledMs || nowMs >= untilMs) return;
    }
  }
}
