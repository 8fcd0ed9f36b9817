/**
 * A set of sequence numbers, kept as ranges: a hole of 2^52 numbers costs as much as a hole of one.
 *
 * @module
 */
import type { Range, Seq, Vector } from "../message.ts";

/** Both ends included. */
export interface Span {
  readonly from: Seq;
  readonly to: Seq;
}

/** Iterates in rising order over spans that neither overlap nor touch. */
export class RangeSet implements Iterable<Span> {
  #spans: Span[] = [];

  get isEmpty(): boolean {
    return this.#spans.length === 0;
  }

  /** How many spans it takes. */
  get spans(): number {
    return this.#spans.length;
  }

  /** Adds `from` to `to`; nothing if `from` is above `to`. */
  add(from: Seq, to: Seq): void {
    if (from > to) return;
    const start = this.#firstReaching(from - 1);
    let end = start;
    for (let span = this.#spans[end]; span && span.from <= to + 1; span = this.#spans[++end]) {
      from = Math.min(from, span.from);
      to = Math.max(to, span.to);
    }
    this.#spans.splice(start, end - start, { from, to });
  }

  /** Removes `from` to `to`. */
  delete(from: Seq, to: Seq): void {
    if (from > to) return;
    const start = this.#firstReaching(from);
    const rest: Span[] = [];
    let end = start;
    for (let span = this.#spans[end]; span && span.from <= to; span = this.#spans[++end]) {
      if (span.from < from) rest.push({ from: span.from, to: from - 1 });
      if (span.to > to) rest.push({ from: to + 1, to: span.to });
    }
    this.#spans.splice(start, end - start, ...rest);
  }

  has(seq: Seq): boolean {
    return this.spanAt(seq) !== undefined;
  }

  /** The span that `seq` lies in. */
  spanAt(seq: Seq): Span | undefined {
    const span = this.#spans[this.#firstReaching(seq)];
    return span !== undefined && span.from <= seq ? span : undefined;
  }

  /** Whether all of `from` to `to` is in it. */
  covers(from: Seq, to: Seq): boolean {
    return from > to || (this.spanAt(from)?.to ?? 0) >= to;
  }

  /** What of `from` to `to` is in it. */
  *within(from: Seq, to: Seq): Generator<Span> {
    for (let at = this.#firstReaching(from); at < this.#spans.length; at++) {
      const span = this.#spans[at];
      if (span === undefined || span.from > to) return;
      yield { from: Math.max(from, span.from), to: Math.min(to, span.to) };
    }
  }

  [Symbol.iterator](): Iterator<Span> {
    return this.#spans[Symbol.iterator]();
  }

  /** Index of the first span that ends at `seq` or above. */
  #firstReaching(seq: Seq): number {
    let low = 0, high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const span = this.#spans[middle];
      if (span !== undefined && span.to < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Range sets by origin; an origin without one has an empty one. Most logs never have any. */
export class RangeSets {
  #sets: Map<string, RangeSet> | undefined;

  get isEmpty(): boolean {
    return this.#sets === undefined;
  }

  /** The origins that have something. */
  origins(): Iterable<string> {
    return this.#sets?.keys() ?? [];
  }

  of(origin: string): RangeSet | undefined {
    return this.#sets?.get(origin);
  }

  add(origin: string, from: Seq, to: Seq): void {
    if (from > to) return;
    this.#sets ??= new Map();
    let set = this.#sets.get(origin);
    if (!set) this.#sets.set(origin, set = new RangeSet());
    set.add(from, to);
  }

  delete(origin: string, from: Seq, to: Seq): void {
    const set = this.of(origin);
    if (!set) return;
    set.delete(from, to);
    if (set.isEmpty) this.forget(origin);
  }

  forget(origin: string): void {
    this.#sets?.delete(origin);
    if (this.#sets?.size === 0) this.#sets = undefined;
  }

  /** Everything, as ranges. */
  *ranges(): Generator<{ origin: string; from: Seq; to: Seq }> {
    for (const [origin, set] of this.#sets ?? []) {
      for (const { from, to } of set) yield { origin, from, to };
    }
  }
}

/** Adds what of `range` is beyond `position`, joined to the last where they touch. */
export function addUncovered(ranges: Range[], range: Range, position: Vector | undefined): void {
  const { origin, to } = range;
  const from = Math.max(range.from, (position?.get(origin) ?? 0) + 1);
  if (from > to) return;
  const last = ranges.at(-1);
  if (last?.origin === origin && last.to + 1 === from) ranges[ranges.length - 1] = { ...last, to };
  else ranges.push({ origin, from, to });
}
