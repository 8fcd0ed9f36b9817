/**
 * What a relay on the simulated LAN has sent to one group, and what it has heard there of another. Ordinals count from 1;
 * TPDU numbers are the same, from another beginning.
 *
 * @module
 */

/** PGM's transmit window, in milliseconds: what is older cannot be repaired. */
export const WINDOW_MS = 2000;

interface Sent {
  readonly payload: Uint8Array;
  readonly atMs: number;
}

export class SourceStream {
  /** The TPDU number before that of ordinal 1. */
  readonly first: number;
  lead = 0;
  tagged: ReadonlySet<string> = new Set();
  cancelHeartbeat = () => {};
  readonly #sent = new Map<number, Sent>();

  constructor(first: number) {
    this.first = first;
  }

  /** Sends a payload; answers its ordinal. */
  send(payload: Uint8Array, nowMs: number): number {
    this.#sent.set(++this.lead, { payload, atMs: nowMs });
    for (const [ordinal, { atMs }] of this.#sent) {
      if (atMs > nowMs - WINDOW_MS) break;
      this.#sent.delete(ordinal);
    }
    return this.lead;
  }

  /** What was sent by an ordinal; undefined once it has left the window and something was sent since. */
  sent(ordinal: number): Sent | undefined {
    return this.#sent.get(ordinal);
  }
}

export class HeardStream {
  /** The ordinal that it began with. */
  begun: number;
  /** The ordinal that is handed on next. */
  next: number;
  /** The highest that is known to have been sent. */
  lead: number;
  /** From here on nothing is missing. */
  wholeFrom: number;
  readonly arrived = new Map<number, Uint8Array>();
  readonly asking = new Set<number>();
  readonly lost = new Set<number>();
  ackDue = false;
  heardMs: number;

  constructor(next: number, heardMs: number) {
    this.begun = this.next = this.wholeFrom = next;
    this.lead = next - 1;
    this.heardMs = heardMs;
  }
}
