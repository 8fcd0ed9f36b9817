/**
 * Whether this relay has company: what a publish promises by default depends on it (DESIGN "Publish levels").
 *
 * @module
 */

/** Without any other relay in view for so long, this one counts as alone: its partner is not only restarting. */
const ALONE_AFTER_MS = 60_000;

export class Company {
  #lastMs = -Infinity;

  /** So many other relays are in view. */
  inView(peers: number, nowMs: number): void {
    if (peers > 0) this.#lastMs = nowMs;
  }

  /** No other relay was in view since the start, or for 60 s. */
  isAlone(nowMs: number): boolean {
    return nowMs - this.#lastMs >= ALONE_AFTER_MS;
  }
}
