/**
 * The order of one stream at its receiver (RFC 3208 §6.2): packets from `next`, the next to hand on, to `lead`, the last
 * known to exist. Each is held, missing, or given up.
 *
 * @module
 */
import type { Tpdu } from "./reassembly.ts";
import { ahead, before, plus, type SqnRange } from "./serial.ts";

/** Where packets go, in order. */
export interface InOrder {
  deliver(tpdu: Tpdu): void;
  /** These packets will not come. */
  lost(range: SqnRange): void;
}

/** The most packets between `next` and `lead`; what a longer gap leaves behind is given up. */
export const LARGEST_SPAN = 1 << 16;

/** So long a run of packets can be told by its first and last number. */
const LARGEST_RUN = 1 << 30;

/** What a packet takes beside its payload, held or missing: objects, and their places in tables. */
const PACKET_BYTES = 256;

const NONE: readonly number[] = [];

export class ReceiveWindow {
  readonly #to: InOrder;
  readonly #capacity: number;
  /** What came out of order; undefined marks what was given up. */
  readonly #held = new Map<number, Tpdu | undefined>();
  #bytes = 0;
  #first: number;
  #next: number;
  #lead: number;
  #trail: number;
  /** The first of those before `next` that were given up and not announced yet. */
  #lostFrom: number | undefined;
  /** How many packets before `next` were delivered without one given up in between. */
  #run = 0;

  /** @param capacity the most payload bytes held. */
  constructor(first: number, capacity: number, to: InOrder) {
    this.#first = this.#next = this.#trail = first;
    this.#lead = plus(first, -1);
    this.#capacity = capacity;
    this.#to = to;
  }

  /** Where it began, or was to begin. */
  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  /** Everything from here to `next` was delivered; `next` if what comes before it was not. */
  get from(): number {
    return plus(this.#next, -Math.min(this.#run, LARGEST_RUN));
  }

  get lead(): number {
    return this.#lead;
  }

  /** The memory of the packets held and missing. */
  get bytes(): number {
    return this.#bytes + PACKET_BYTES * (ahead(this.#lead, this.#next) + 1);
  }

  /** Packets up to `lead` exist. Answers those that were not known, all missing now. */
  expose(lead: number): readonly number[] {
    if (!before(this.#lead, lead)) return NONE;
    const missing: number[] = [];
    this.advance(plus(lead, 1 - LARGEST_SPAN));
    for (let sqn = plus(this.#lead, 1); !before(lead, sqn); sqn = plus(sqn, 1)) missing.push(sqn);
    this.#lead = lead;
    return missing;
  }

  /**
   * Begins at an earlier packet, as long as the first is not handed on or given up. Answers those that are missing now;
   * undefined: it is too late, or too far.
   */
  beginAt(first: number): readonly number[] | undefined {
    const count = ahead(this.#first, first);
    const isInTime = this.#next === this.#first && ahead(this.#lead, first) < LARGEST_SPAN;
    this.#first = first;
    if (!isInTime) return undefined;
    this.#next = this.#trail = first;
    return Array.from({ length: count }, (_, at) => plus(first, at));
  }

  /** Whether `sqn` is still to come. */
  lacks(sqn: number): boolean {
    return !before(sqn, this.#next) && !this.#held.has(sqn);
  }

  /** Takes a packet that it lacks, `lead` + 1 at most. False: there is no room, it must come again. */
  take(sqn: number, tpdu: Tpdu): boolean {
    if (before(this.#lead, sqn)) this.#lead = sqn;
    if (sqn === this.#next) {
      this.#deliver(tpdu);
      this.#drain();
      this.#reportLost();
      return true;
    }
    if (this.#bytes + tpdu.payload.length > this.#capacity) return false;
    this.#bytes += tpdu.payload.length;
    // The payload is a view of a buffer that will be used again.
    this.#held.set(sqn, { ...tpdu, payload: tpdu.payload.slice() });
    return true;
  }

  /** Gives up a packet that it lacks. */
  giveUp(sqn: number): void {
    this.#held.set(sqn, undefined);
    this.#drain();
    this.#reportLost();
  }

  /** Gives up the packets from `next` to the first that is held. */
  giveUpGap(): void {
    for (let sqn = this.#next; !before(this.#lead, sqn) && !this.#held.get(sqn);) {
      this.#held.delete(sqn);
      this.#skipTo(sqn = plus(sqn, 1));
    }
    this.#drain();
    this.#reportLost();
  }

  /** The source can no longer repair what comes before `trail`: gives it up. */
  advance(trail: number): void {
    if (!before(this.#trail, trail)) return;
    const from = before(this.#trail, this.#next) ? this.#next : this.#trail;
    this.#trail = trail;
    for (let sqn = from; before(sqn, trail) && !before(this.#lead, sqn); sqn = plus(sqn, 1)) {
      if (!this.#held.has(sqn)) this.#held.set(sqn, undefined);
    }
    this.#drain();
    if (before(plus(this.#lead, 1), trail)) {
      this.#skipTo(trail);
      this.#lead = plus(trail, -1);
    }
    this.#reportLost();
  }

  #drain(): void {
    while (this.#held.has(this.#next)) {
      const tpdu = this.#held.get(this.#next);
      this.#held.delete(this.#next);
      if (tpdu === undefined) this.#skipTo(plus(this.#next, 1));
      else {
        this.#bytes -= tpdu.payload.length;
        this.#deliver(tpdu);
      }
    }
  }

  #deliver(tpdu: Tpdu): void {
    this.#reportLost();
    this.#next = plus(this.#next, 1);
    this.#run++;
    this.#to.deliver(tpdu);
  }

  #skipTo(sqn: number): void {
    this.#lostFrom ??= this.#next;
    this.#next = sqn;
    this.#run = 0;
  }

  #reportLost(): void {
    if (this.#lostFrom === undefined) return;
    const range = { from: this.#lostFrom, to: plus(this.#next, -1) };
    this.#lostFrom = undefined;
    this.#to.lost(range);
  }
}
