/**
 * What one receiver may ask of a source: so many repairs, so that a flood from one leaves the reserve for repairs to the
 * others. Bounded, as everything that strangers can make us remember.
 *
 * @module
 */

/** Who asks: a GSI where packets are authenticated, else an address. */
export type Requester = number | string;

/**
 * Sequence numbers that one may ask for: 20,000 a second, a fifth of what a source sends when it is saturated with small
 * packets, and at once those of 65 full NAKs.
 */
const REQUESTS = { perMs: 20, burst: 4_096 } as const;

/** The most requesters remembered. */
const MOST = 1_024;

interface Allowance {
  left: number;
  atMs: number;
}

export class Requesters {
  readonly #allowances = new Map<Requester, Allowance>();

  /** How many of `count` requests `who` may make now. */
  grant(who: Requester, count: number, nowMs: number): number {
    const allowance = this.#of(who, nowMs);
    const earned = (nowMs - allowance.atMs) * REQUESTS.perMs;
    allowance.left = Math.min(allowance.left + earned, REQUESTS.burst);
    allowance.atMs = nowMs;
    const granted = Math.min(count, Math.floor(allowance.left));
    allowance.left -= granted;
    return granted;
  }

  #of(who: Requester, nowMs: number): Allowance {
    let allowance = this.#allowances.get(who);
    if (allowance !== undefined) return allowance;
    if (this.#allowances.size >= MOST) {
      const [oldest] = this.#allowances.keys();
      if (oldest !== undefined) this.#allowances.delete(oldest);
    }
    allowance = { left: REQUESTS.burst, atMs: nowMs };
    this.#allowances.set(who, allowance);
    return allowance;
  }
}
