/**
 * The end of the log where live readers stand, and how a message gets from there to all of them.
 *
 * A reader that keeps up has no place of its own: it is in its channels' lists, and one loop over a list gives one
 * shared event to everybody. Entries are shown one after the other, also when a sink appends while it is called: the
 * entry appended then waits until the one before has reached everybody.
 *
 * @module
 */
import { encodeCursor } from "../cursor.ts";
import type { Message, Origin, Position, Seq, Vector } from "../message.ts";
import type { Channels } from "./channels.ts";
import { Place } from "./place.ts";
import type { LogReader } from "./reader.ts";
import { type Entry, pass, type Renumber, type Timeline } from "./timeline.ts";

export interface TailOptions {
  readonly slot: number;
  readonly self: Origin;
  readonly timeline: Timeline;
  readonly channels: Channels;
  asOfMs(): number;
}

export class Tail {
  readonly timeline: Timeline;
  readonly channels: Channels;
  /** All readers that are open, live or not. */
  readonly readers = new Set<LogReader>();
  readonly common: Place;
  readonly asOfMs: () => number;
  readonly #slot: number;
  readonly #shown: Map<Origin, Seq>;
  readonly #places = new Map<string, Place>();
  #index = 0;
  #version = 0;
  #losses = 0;
  #pumping = false;
  #announcing = false;
  /** While a message goes round: where its origin stood before it. */
  #before: Position | undefined;

  constructor({ slot, self, timeline, channels, asOfMs }: TailOptions) {
    this.#slot = slot;
    this.#shown = new Map([[self, 0]]);
    this.timeline = timeline;
    this.channels = channels;
    this.asOfMs = asOfMs;
    this.common = new Place(this);
  }

  /** Number of the next entry that live readers get. */
  get index(): number {
    return this.#index;
  }

  /** The vector before that entry. */
  get shown(): Vector {
    return this.#shown;
  }

  /** Rises whenever a floor does. */
  get losses(): number {
    return this.#losses;
  }

  /** Rises whenever `shown` changes. */
  get version(): number {
    return this.#version;
  }

  /**
   * Where a live reader stands that was last given the message of version `seen`: while a message goes round, those
   * whose turn is still to come are before it.
   */
  standing(seen: number): { readonly index: number; readonly vector: Map<Origin, Seq> } {
    const vector = new Map(this.#shown);
    if (this.#before === undefined || seen === this.#version) return { index: this.#index, vector };
    vector.set(this.#before.origin, this.#before.seq);
    return { index: this.#index - 1, vector };
  }

  /** Whether {@link standing} is the tail itself. */
  isPast(seen: number): boolean {
    return this.#before === undefined || seen === this.#version;
  }

  /** The text of a cursor in this slot. */
  encode(position: Vector, asOfMs: number, cut?: ReadonlySet<Origin>): string {
    return encodeCursor({ slots: new Map([[this.#slot, position]]), asOfMs, cut });
  }

  /** Where a reader stands that has read all and whose cursor covers `ahead` beyond it. */
  placeAhead(ahead: Vector): Place {
    if (ahead.size === 0) return this.common;
    const key = [...ahead].map(([origin, seq]) => origin + seq).sort().join();
    let place = this.#places.get(key);
    if (place === undefined || place.isPassed) {
      this.#places.set(key, place = new Place(this, key, ahead));
    }
    return place;
  }

  /** A reader left a place. */
  left(place: Place): void {
    if (place.readers === 0 && this.#places.get(place.key) === place) {
      this.#places.delete(place.key);
    }
  }

  /** Shows what was appended. Re-entrant calls leave it to the outermost. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let entry = this.#next(); entry || this.#announcing; entry = this.#next()) {
        if (this.#announcing) this.#announce();
        else if (entry) this.#step(entry);
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** Whether {@link pump} is at work: a sink may be calling. */
  get isShowing(): boolean {
    return this.#pumping;
  }

  /** A floor has risen, by something dropped here. Whoever is not live finds out when it reads on. */
  floorsRose(): void {
    this.#losses++;
    if (this.#next()) this.#announcing = true;
  }

  /** A floor has risen over what live readers have not seen: they are told before anything else. */
  announceFloors(): void {
    this.#losses++;
    this.#announcing = true;
    this.pump();
  }

  renumber(renumber: Renumber): void {
    this.#index = renumber(this.#index);
    for (const reader of this.readers) reader.renumber(renumber);
  }

  forget(origin: Origin): void {
    this.#shown.delete(origin);
    for (const place of [this.common, ...this.#places.values()]) place.invalidate();
    for (const reader of this.readers) reader.forget(origin);
  }

  /** What live readers have not been shown yet. */
  #next(): Entry | undefined {
    return this.timeline.at(this.#index);
  }

  #step(entry: Entry): void {
    if (entry.kind === "lost" || entry.kind === "unmet") return this.#stepGap(entry);
    const { origin, message } = entry;
    const readers = message ? this.channels.get(message.channel)?.live() ?? [] : [];
    const seq = this.#shown.get(origin) ?? 0;
    this.#show(entry);
    if (message === undefined || readers.length === 0) return;
    this.#before = { origin, seq };
    this.#deliver(message, readers);
    this.#before = undefined;
  }

  #deliver(message: Message, readers: readonly LogReader[]): void {
    const version = this.#version;
    for (const reader of readers) {
      if (reader.place) reader.take(reader.place.eventFor(message), version);
    }
  }

  /** A gap is rare: those whom it concerns read it as if they lagged. */
  #stepGap(entry: Entry): void {
    const { channel } = entry.gap ?? {};
    const concerned = channel === undefined
      ? this.#liveReaders()
      : this.channels.get(channel)?.live() ?? [];
    for (const reader of concerned) reader.lag();
    this.#show(entry);
    if (entry.kind === "lost") {
      for (let next = this.#next(); next?.kind === "lost"; next = this.#next()) this.#show(next);
    }
    for (const reader of concerned) reader.resume();
  }

  #announce(): void {
    this.#announcing = false;
    for (const reader of this.#liveReaders()) reader.announceFloors();
  }

  #liveReaders(): LogReader[] {
    return [...this.readers].filter((reader) => reader.place !== undefined);
  }

  #show(entry: Entry): void {
    pass(this.#shown, entry);
    this.#index++;
    this.#version++;
  }
}
