/**
 * Messages that cannot be delivered yet, because an earlier one of their origin or a position in their `after` is
 * missing, and what is known about the missing parts.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import { RangeSet, RangeSets } from "./range_set.ts";
import { bytesOf, type Stored } from "./timeline.ts";

/** A message that waits. */
export interface Hold extends Stored {
  /** When it began to wait here. */
  readonly sinceMs: number;
  /** Its `after` binds no longer. */
  released: boolean;
}

/** What comes next of an origin: a message, or a hole that nobody will fill. */
export type Next =
  | { readonly kind: "message"; readonly hold: Hold }
  | { readonly kind: "lost" | "skip"; readonly to: Seq };

/** Origins whose given-up `after` positions are remembered; with more, the oldest wait again. */
const MAX_UNMET = 64;

/** Bounds of what waits in one slot; beyond, the oldest wait ends as if its time were over. */
const MAX_HOLDS = 10_000;
const MAX_HOLD_BYTES = 16 * 1024 * 1024;
/** Positions in their `after`: each is looked for while they wait. */
const MAX_HOLD_POSITIONS = 50_000;

export class Holds {
  /** Per origin, by seq. */
  readonly #held = new Map<Origin, Hold[]>();
  /** Oldest wait first. */
  readonly #byTime = new Set<Hold>();
  /** Above the vector: what no relay has any more, because it dropped it or because it never got it. */
  readonly #expired = new RangeSets();
  readonly #lost = new RangeSets();
  /** Positions in an `after` that no relay has: not waited for again, but not lost either. */
  readonly #unmet = new Map<Origin, RangeSet>();
  #bytes = 0;
  #positions = 0;

  get size(): number {
    return this.#byTime.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing waits, and nothing is known above the vector. */
  get isEmpty(): boolean {
    return this.#byTime.size === 0 && this.#expired.isEmpty && this.#lost.isEmpty;
  }

  /** More waits than may: the oldest waits are to end. */
  get isOverfull(): boolean {
    return this.size > MAX_HOLDS || this.bytes > MAX_HOLD_BYTES ||
      this.#positions > MAX_HOLD_POSITIONS;
  }

  /** The one that has waited longest. */
  get oldest(): Hold | undefined {
    for (const hold of this.#byTime) return hold;
    return undefined;
  }

  [Symbol.iterator](): Iterator<Hold> {
    return this.#byTime[Symbol.iterator]();
  }

  has(origin: Origin, seq: Seq): boolean {
    const held = this.#held.get(origin);
    return held !== undefined && held[lowerBound(held, seq)]?.message.seq === seq;
  }

  /** The highest seq of an origin that waits; 0 without any. */
  highest(origin: Origin): Seq {
    return this.#held.get(origin)?.at(-1)?.message.seq ?? 0;
  }

  /** @param released whether its `after` binds no longer. */
  add(message: Message, atMs: number, sinceMs: number, released: boolean): void {
    const hold = { message, atMs, sinceMs, released };
    let held = this.#held.get(message.origin);
    if (!held) this.#held.set(message.origin, held = []);
    held.splice(lowerBound(held, message.seq), 0, hold);
    this.#byTime.add(hold);
    this.#bytes += bytesOf(message);
    this.#positions += message.after?.size ?? 0;
  }

  /** The `after` of one that waits binds no longer. */
  release(origin: Origin, seq: Seq): void {
    const held = this.#held.get(origin), hold = held?.[lowerBound(held, seq)];
    if (hold?.message.seq === seq) hold.released = true;
  }

  /** The origins that may have something next, in one order whatever came first. */
  origins(): Origin[] {
    const origins = [this.#held.keys(), this.#expired.origins(), this.#lost.origins()];
    return [...new Set(origins.flatMap((some) => [...some]))].sort();
  }

  /** What comes after `vector` of an origin, if that is settled. A message is taken out, a hole's end is not. */
  next(origin: Origin, vector: Vector): Next | undefined {
    const seq = (vector.get(origin) ?? 0) + 1;
    const held = this.#held.get(origin);
    const first = held?.[0];
    if (held && first?.message.seq === seq) {
      if (!first.released && !this.isMet(first.message, vector)) return undefined;
      this.#take(held, first);
      return { kind: "message", hold: first };
    }
    const limit = first ? first.message.seq - 1 : Infinity;
    const expired = this.#expired.of(origin)?.spanAt(seq);
    if (expired) return { kind: "skip", to: Math.min(expired.to, limit) };
    const lost = this.#lost.of(origin)?.spanAt(seq);
    return lost && { kind: "lost", to: Math.min(lost.to, limit) };
  }

  /** How far an origin's next places are gone at every peer; undefined if its next is not. */
  expiredTo(origin: Origin, vector: Vector): Seq | undefined {
    const seq = (vector.get(origin) ?? 0) + 1, first = this.#held.get(origin)?.[0]?.message.seq;
    const span = first === seq ? undefined : this.#expired.of(origin)?.spanAt(seq);
    return span && Math.min(span.to, (first ?? Infinity) - 1);
  }

  /** The vector has reached `seq`: what was known up to there is history. */
  passed(origin: Origin, seq: Seq): void {
    this.#expired.delete(origin, 0, seq);
    this.#lost.delete(origin, 0, seq);
    const unmet = this.#unmet.get(origin);
    unmet?.delete(0, seq);
    if (unmet?.isEmpty) this.#unmet.delete(origin);
  }

  /** Whether everything that a message must follow is there or given up. Its own origin's order is not meant. */
  isMet({ origin, after }: Message, vector: Vector): boolean {
    if (after === undefined) return true;
    for (const [other, seq] of after) {
      const next = (vector.get(other) ?? 0) + 1;
      if (other === origin || seq < next) continue;
      if (!this.#unmet.get(other)?.covers(next, seq)) return false;
    }
    return true;
  }

  /** No peer has these any more: the vector may pass them. */
  setExpired({ origin, from, to }: Range): void {
    this.#expired.add(origin, from, to);
  }

  /** No peer has got these: they become marks. */
  setLost({ origin, from, to }: Range): void {
    this.#lost.add(origin, from, to);
  }

  /** Nobody in view has these: a hole before a held message becomes a mark, an `after` waits no longer. */
  lacked({ origin, from, to }: Range, vector: Vector): void {
    const first = Math.max(from, (vector.get(origin) ?? 0) + 1);
    const last = this.#held.get(origin)?.at(-1)?.message.seq ?? 0;
    this.#lost.add(origin, first, Math.min(to, last - 1));
    const beyond = Math.max(first, last + 1);
    if (beyond > to) return;
    const unmet = this.#unmet.get(origin) ?? new RangeSet();
    unmet.add(beyond, to);
    this.#unmet.set(origin, unmet);
    for (const oldest of this.#unmet.keys()) {
      if (this.#unmet.size <= MAX_UNMET && unmet.spans <= MAX_UNMET) return;
      this.#unmet.delete(oldest);
    }
  }

  /** A wait is over: the holes before it become marks, and no earlier `after` of its origin delays it. */
  end({ message: { origin, seq } }: Hold, vector: Vector): void {
    this.#lost.add(origin, (vector.get(origin) ?? 0) + 1, seq - 1);
    for (const hold of this.#held.get(origin) ?? []) {
      if (hold.message.seq > seq) return;
      hold.released = true;
    }
  }

  forget(origin: Origin): void {
    this.#expired.forget(origin);
    this.#lost.forget(origin);
    this.#unmet.delete(origin);
  }

  /** What the held messages wait for, in rising order per origin. */
  missing(vector: Vector): Range[] {
    const wanted = new RangeSets();
    for (const [origin, held] of this.#held) {
      wanted.add(origin, (vector.get(origin) ?? 0) + 1, (held.at(-1)?.message.seq ?? 0) - 1);
      for (const { message, released } of held) {
        for (const [other, seq] of released ? [] : message.after ?? []) {
          if (other !== origin) wanted.add(other, (vector.get(other) ?? 0) + 1, seq);
        }
      }
    }
    for (const { origin, from, to } of [...wanted.ranges()]) {
      for (
        const known of [this.#expired.of(origin), this.#lost.of(origin), this.#unmet.get(origin)]
      ) {
        for (const span of [...known?.within(from, to) ?? []]) {
          wanted.delete(origin, span.from, span.to);
        }
      }
    }
    for (const { message: { origin, seq } } of this.#byTime) wanted.delete(origin, seq, seq);
    return [...wanted.ranges()];
  }

  #take(held: Hold[], hold: Hold): void {
    held.shift();
    if (held.length === 0) this.#held.delete(hold.message.origin);
    this.#byTime.delete(hold);
    this.#bytes -= bytesOf(hold.message);
    this.#positions -= hold.message.after?.size ?? 0;
  }
}

/** The positions of a message's `after` that `vector` does not reach. */
export function unmetBy({ origin, after }: Message, vector: Vector): Range[] {
  const ranges: Range[] = [];
  for (const [other, seq] of after ?? []) {
    const next = (vector.get(other) ?? 0) + 1;
    if (other !== origin && seq >= next) ranges.push({ origin: other, from: next, to: seq });
  }
  return ranges;
}

/** Index of the first hold of `seq` or above. */
function lowerBound(held: readonly Hold[], seq: Seq): number {
  let low = 0, high = held.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const hold = held[middle];
    if (hold && hold.message.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
