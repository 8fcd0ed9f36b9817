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
  /** When one is due because somebody needs it. */
  #hastenedMs = Infinity;
  /** The longest interval while data flows: short after one that somebody needed, for that may be lost. */
  #ambientMs: number = TIMING.ambientSpmMs;
  /** The interval after the next SPM. */
  #heartbeatMs: number = TIMING.heartbeatFirstMs;
  #lastMs = -Infinity;
  #sqn = 0;
  #greetings = GREETINGS;
  /** Goodbyes still to be said; undefined while the source stays. */
  #goodbyes: number | undefined;

  /** When the next SPM is due. */
  get dueMs(): number {
    return Math.min(this.#dueMs, this.#hastenedMs);
  }

  /** The first data is to be sent: a receiver cannot ask for repairs before it has heard an SPM (§6.2). */
  begin(nowMs: number): void {
    if (!this.#hasBegun) this.#dueMs = nowMs;
  }

  /** Somebody needs an SPM: soon, but not once per asker. */
  hasten(nowMs: number): void {
    if (!this.#hasBegun) return;
    const soonMs = Math.max(nowMs, this.#lastMs + TIMING.spmrHoldMs);
    this.#hastenedMs = Math.min(this.#hastenedMs, soonMs);
    this.#ambientMs = TIMING.heartbeatFirstMs;
  }

  /**
   * Data was sent. The next heartbeat follows shortly, and is not put off beyond the ambient interval by more of it.
   *
   * @param isRepeated whether it is said again soon: heartbeats can do with a longer interval (RFC 3208 §5.1.5 has them
   * find lost data early), and those of earlier data are not put off by it.
   */
  dataSent(nowMs: number, isRepeated: boolean): void {
    // Goodbyes keep their pace, and nothing but an answer follows them.
    if (this.#goodbyes !== undefined) return;
    if (isRepeated) return this.#beatWithin(nowMs, TIMING.heartbeatRepeatedMs);
    this.#heartbeatMs = longer(TIMING.heartbeatFirstMs);
    this.#dueMs = Math.min(nowMs + TIMING.heartbeatFirstMs, this.#lastMs + this.#ambientMs);
  }

  /** Says goodbye in as many SPMs as it takes, beginning now. */
  sayGoodbye(nowMs: number): void {
    if (!this.#hasBegun) return;
    this.#goodbyes = GOODBYES;
    this.#dueMs = nowMs;
  }

  /** The one that is due: its sequence number, and whether it is a goodbye. */
  next(nowMs: number): { readonly sqn: number; readonly fin: boolean } {
    const sqn = this.#sqn, fin = this.#goodbyes !== undefined;
    this.#sqn = plus(sqn, 1);
    this.#lastMs = nowMs;
    this.#hastenedMs = Infinity;
    this.#ambientMs = longer(this.#ambientMs);
    if (this.#goodbyes !== undefined) {
      this.#goodbyes = Math.max(0, this.#goodbyes - 1);
      this.#heartbeatMs = TIMING.spmrHoldMs;
    }
    if (this.#greetings > 0) this.#greetings--;
    this.#dueMs = this.#followingMs(nowMs);
    this.#heartbeatMs = longer(this.#heartbeatMs);
    return { sqn, fin };
  }

  #beatWithin(nowMs: number, firstMs: number): void {
    if (this.#dueMs <= nowMs + firstMs) return;
    this.#dueMs = nowMs + firstMs;
    this.#heartbeatMs = longer(firstMs);
  }

  get #hasBegun(): boolean {
    return this.#lastMs > -Infinity;
  }

  #followingMs(nowMs: number): number {
    if (this.#goodbyes === 0) return Infinity;
    return this.#greetings > 0 ? nowMs : nowMs + this.#heartbeatMs;
  }
}

function longer(intervalMs: number): number {
  return Math.min(TIMING.heartbeatGrowth * intervalMs, TIMING.ambientSpmMs);
}
