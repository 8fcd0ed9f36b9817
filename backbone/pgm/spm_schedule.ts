/**
 * When a source sends SPMs (RFC 3208 §5.1.4–5): before its first data, ambient ones, heartbeats after data, answers to whoever
 * asks, and goodbyes.
 *
 * @module
 */
import { plus } from "./serial.ts";
import { TIMING } from "./timing.ts";

/**
 * SPMs before the first data, for one may be lost like any packet: what an OpenPGM receiver misses before it has heard an
 * SPM it gives up without a NAK.
 */
const GREETINGS = 3;
/** A goodbye may be lost, too (as OpenPGM does it). */
const GOODBYES = 3;

export class SpmSchedule {
  /** When the next SPM is due; never before {@link begin}. */
  #dueMs = Infinity;
  /** The interval after the next SPM. */
  #heartbeatMs: number = TIMING.heartbeatFirstMs;
  #lastMs = -Infinity;
  #sqn = 0;
  #greetings = GREETINGS;
  #goodbyes = 0;

  /** When the next SPM is due. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The first data is to be sent: a receiver cannot ask for repairs before it has heard an SPM (§6.2). */
  begin(nowMs: number): void {
    if (!this.#hasBegun) this.#dueMs = nowMs;
  }

  /** Somebody needs an SPM: soon, but not once per asker. */
  hasten(nowMs: number): void {
    if (!this.#hasBegun) return;
    this.#dueMs = Math.min(this.#dueMs, Math.max(nowMs, this.#lastMs + TIMING.spmrHoldMs));
  }

  /** Data was sent. The next heartbeat follows shortly, and is not put off beyond the ambient interval by more of it. */
  dataSent(nowMs: number): void {
    // A goodbye in progress keeps its pace.
    if (this.#goodbyes > 0) return;
    this.#heartbeatMs = TIMING.heartbeatGrowth * TIMING.heartbeatFirstMs;
    this.#dueMs = Math.min(nowMs + TIMING.heartbeatFirstMs, this.#lastMs + TIMING.ambientSpmMs);
  }

  /** Says goodbye in as many SPMs as it takes, beginning now. */
  sayGoodbye(nowMs: number): void {
    if (!this.#hasBegun) return;
    this.#goodbyes = GOODBYES;
    this.#dueMs = nowMs;
  }

  /** The one that is due: its sequence number, and whether it is a goodbye. */
  next(nowMs: number): { readonly sqn: number; readonly fin: boolean } {
    const sqn = this.#sqn, fin = this.#goodbyes > 0;
    this.#sqn = plus(sqn, 1);
    this.#lastMs = nowMs;
    if (fin) {
      this.#goodbyes--;
      this.#heartbeatMs = TIMING.spmrHoldMs;
    }
    if (this.#greetings > 0) this.#greetings--;
    this.#dueMs = this.#followingMs(nowMs, fin);
    const longerMs = TIMING.heartbeatGrowth * this.#heartbeatMs;
    this.#heartbeatMs = Math.min(longerMs, TIMING.ambientSpmMs);
    return { sqn, fin };
  }

  get #hasBegun(): boolean {
    return this.#lastMs > -Infinity;
  }

  #followingMs(nowMs: number, fin: boolean): number {
    if (fin && this.#goodbyes === 0) return Infinity;
    return this.#greetings > 0 ? nowMs : nowMs + this.#heartbeatMs;
  }
}
