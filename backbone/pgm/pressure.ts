/**
 * When receivers ask for much of what is sent, more data would only drown them: the source then yields for a moment, and
 * they drain their buffers. It does so for a share of the time at most, so that a flood of NAKs slows it, but stops it not.
 *
 * @module
 */
import { TIMING } from "./timing.ts";

/** So much of what was sent, asked for again, is more than bad luck: repairs have no larger share of the rate. */
const TOO_MUCH = 0.25;
/** Fewer requests tell nothing. */
const TELLING = 128;

export class RepairPressure {
  #sent = 0;
  #asked = 0;
  #sinceMs = -Infinity;
  #yieldedMs = -Infinity;

  /** A data packet was sent. */
  sent(): void {
    this.#sent++;
  }

  /** So many packets are to be repaired. */
  asked(count: number, nowMs: number): void {
    if (nowMs >= this.#sinceMs + TIMING.pressureMs) this.#restart(nowMs);
    this.#asked += count;
    if (this.#asked < TELLING || this.#asked < TOO_MUCH * this.#sent) return;
    this.#restart(nowMs);
    if (nowMs >= this.#yieldedMs + TIMING.yieldMs.least) this.#yieldedMs = nowMs;
  }

  /** Until when no data is to be sent; past if it may. */
  get untilMs(): number {
    return this.#yieldedMs + TIMING.yieldMs.pause;
  }

  #restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#sent = this.#asked = 0;
  }
}
