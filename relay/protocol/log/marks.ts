/**
 * Lost marks: this relay's own notes that it delivered on without some messages, and the messages that came too late to
 * take their place (DESIGN "A message beats a mark").
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import { RangeSets } from "./range_set.ts";
import { bytesOf, type Stored } from "./timeline.ts";

/** Messages kept beside a log at most; beyond, the first kept goes. */
const MAX_BESIDE = 1000;

export class Marks {
  /** Marked and not come since. */
  readonly #lost = new RangeSets();
  /** Of those, what a peer that passed them had dropped: asked for no more. */
  readonly #given = new RangeSets();
  /** Late messages that readers of this log do not get, and peers do. */
  readonly #beside = new Map<string, Stored>();
  #bytes = 0;

  /** What the messages beside the log retain. */
  get bytes(): number {
    return this.#bytes;
  }

  get beside(): Iterable<Stored> {
    return this.#beside.values();
  }

  /** When the message that is longest beside the log arrived. */
  get oldestMs(): number | undefined {
    for (const { atMs } of this.#beside.values()) return atMs;
    return undefined;
  }

  isLost(origin: Origin, seq: Seq): boolean {
    return this.#lost.of(origin)?.has(seq) ?? false;
  }

  /** Whether any of a range is marked. */
  overlaps({ origin, from, to }: Range): boolean {
    for (const _ of this.#lost.of(origin)?.within(from, to) ?? []) return true;
    return false;
  }

  /** Everything marked. */
  ranges(): Range[] {
    return [...this.#lost.ranges()];
  }

  /** What is marked above `vector`. */
  above(vector: Vector): Range[] {
    const ranges: Range[] = [];
    for (const { origin, from, to } of this.#lost.ranges()) {
      const first = Math.max(from, (vector.get(origin) ?? 0) + 1);
      if (first <= to) ranges.push({ origin, from: first, to });
    }
    return ranges;
  }

  mark({ origin, from, to }: Range): void {
    this.#lost.add(origin, from, to);
  }

  /** The message came after all, or its mark is too old to matter. */
  unmark({ origin, from, to }: Range): void {
    this.#lost.delete(origin, from, to);
    this.#given.delete(origin, from, to);
  }

  /** The lowest marked seq per origin that a peer of this vector and these marks may have. */
  heldBy(vector: Vector, lost: readonly Range[]): Map<Origin, Seq> {
    const lowest = new Map<Origin, Seq>();
    // Digests ask this of every slot, and hardly any has marks.
    if (this.#lost.isEmpty) return lowest;
    const may = this.#open(vector);
    for (const { origin, from, to } of lost) may.delete(origin, from, to);
    for (const { origin, from } of may.ranges()) {
      if (!lowest.has(origin)) lowest.set(origin, from);
    }
    return lowest;
  }

  /** A peer answered from `start` to `end`: what it neither sent nor marked itself, it has dropped. */
  giveUp(start: Vector, end: Vector, lost: readonly Range[]): void {
    const dropped = this.#open(end);
    for (const { origin, from, to } of lost) dropped.delete(origin, from, to);
    for (const { origin, from, to } of dropped.ranges()) {
      this.#given.add(origin, Math.max(from, (start.get(origin) ?? 0) + 1), to);
    }
  }

  /** Keeps a late message for peers. */
  keep(message: Message, atMs: number): void {
    this.#beside.set(`${message.origin}.${message.seq}`, { message, atMs });
    this.#bytes += bytesOf(message);
    while (this.#beside.size > MAX_BESIDE) this.dropOldest();
  }

  /** Drops what arrived at `ms` or before. */
  expire(ms: number): void {
    while ((this.oldestMs ?? Infinity) <= ms) this.dropOldest();
  }

  /** Drops the message longest beside the log; answers the bytes freed. */
  dropOldest(): number {
    for (const [key, { message }] of this.#beside) {
      this.#beside.delete(key);
      this.#bytes -= bytesOf(message);
      return bytesOf(message);
    }
    return 0;
  }

  forget(origin: Origin): void {
    this.#lost.forget(origin);
    this.#given.forget(origin);
  }

  /** What is marked up to `vector` and not given up. */
  #open(vector: Vector): RangeSets {
    const open = new RangeSets();
    for (const { origin, from, to } of this.#lost.ranges()) {
      open.add(origin, from, Math.min(to, vector.get(origin) ?? 0));
    }
    for (const { origin, from, to } of this.#given.ranges()) open.delete(origin, from, to);
    return open;
  }
}
