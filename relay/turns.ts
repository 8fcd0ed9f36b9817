/**
 * Doing things one after the other, where the next is cheaper once the one before is done.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { within } from "./within.ts";

/** A queue for work. Who waits goes ahead when the work under way has not come on for a while. */
export class Turns {
  readonly #clock: Clock;
  readonly #stalledMs: number;
  #last: Promise<unknown> = Promise.resolve();
  #cameOnMs = -Infinity;

  /** @param stalledMs how long work may stand still before the next begins. */
  constructor(clock: Clock, stalledMs: number) {
    this.#clock = clock;
    this.#stalledMs = stalledMs;
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
    const done = before.then(() => true);
    while (!await within(this.#clock, this.#stalledMs, done)) {
      if (this.#clock.nowMs() - this.#cameOnMs >= this.#stalledMs) return;
    }
  }
}
