/**
 * The send budget of one relay: token buckets in bytes, one for data and a reserve for repairs. Under a saturating
 * publisher repairs keep their share; under a flood of NAKs data keeps the rest. Bytes are those of a receiver's socket
 * buffer: where small packets exhaust the budget, payloads wait and share packets.
 *
 * @module
 */

export interface BudgetOptions {
  /** Bytes a second in all. */
  readonly rate: number;
  /** The share of the rate that is kept for repairs, 0 to 1. */
  readonly repairShare: number;
  /** How much may go out at once, in milliseconds of the rate. Timers wake us no finer than a millisecond. */
  readonly burstMs: number;
}

/** What a packet takes of a receiver's socket buffer beyond its bytes (Linux: 1283 for a small packet in all). */
const OVERHEAD = 1_024;

export class Budget {
  readonly #perMs: number;
  readonly #share: number;
  readonly #burst: number;
  readonly #reserve: number;
  #data: number;
  #repair: number;
  #atMs: number | undefined;

  constructor({ rate, repairShare, burstMs }: BudgetOptions) {
    this.#perMs = rate / 1000;
    this.#share = repairShare;
    this.#burst = this.#data = this.#perMs * burstMs;
    this.#reserve = this.#repair = this.#burst * repairShare;
  }

  /** Whether a data packet may go; then {@link charge} it. */
  allowsData(nowMs: number): boolean {
    this.#refill(nowMs);
    // A bucket may go below 0 by one packet: otherwise a packet larger than the bucket never leaves.
    return this.#data > 0;
  }

  /** Takes the cost of a repair: of the reserve, and of what data leaves unused. */
  takeRepair(bytes: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#repair > 0) this.#repair -= bytes + OVERHEAD;
    else if (this.#data > this.#burst / 2) this.#data -= bytes + OVERHEAD;
    else return false;
    return true;
  }

  /** Counts what was sent: data, and control packets, which go in any case. */
  charge(bytes: number): void {
    this.#data -= bytes + OVERHEAD;
  }

  /** When data that was refused can go, later than `nowMs`. */
  dataReadyMs(nowMs: number): number {
    return nowMs + wait(this.#data, this.#perMs * (1 - this.#share));
  }

  /** When a repair that was refused can go, later than `nowMs`. */
  repairReadyMs(nowMs: number): number {
    return nowMs + wait(this.#repair, this.#perMs * this.#share);
  }

  #refill(nowMs: number): void {
    const earned = Math.max(0, nowMs - (this.#atMs ?? nowMs)) * this.#perMs;
    this.#atMs = nowMs;
    const repair = this.#repair + earned * this.#share;
    this.#repair = Math.min(repair, this.#reserve);
    // What the reserve cannot hold is data's.
    const rest = earned * (1 - this.#share) + (repair - this.#repair);
    this.#data = Math.min(this.#data + rest, this.#burst);
  }
}

/** How long until a bucket at `level` is above 0. Not below what a timer can do. */
function wait(level: number, perMs: number): number {
  return Math.max(0.1, (1 - level) / perMs);
}
