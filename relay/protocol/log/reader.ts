/**
 * A reader of some channels of a slot: live at the tail, or on its way there with a place of its own.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import type { GapReason, StreamEvent } from "../upstream.ts";
import { mergeVectors, NOBODY, NOWHERE, raise } from "../vector.ts";
import type { Channel } from "./channels.ts";
import { MessageAt, type Place } from "./place.ts";
import { addUncovered } from "./range_set.ts";
import type { Start } from "./start.ts";
import type { Tail } from "./tail.ts";
import { type Entry, firstOf, pass, type Renumber } from "./timeline.ts";
import { newWalk, type PendingGap, type Walk } from "./walk.ts";

/**
 * Takes one event, at once. False: it was taken, but no more until {@link Reader.resume} is called after this answer.
 * It may call anything of the log and of its readers. One that throws has its reader closed.
 */
export type LogSink = (event: StreamEvent) => boolean;

/** What the relay sees of a reader. It is born paused. */
export interface Reader {
  /** What it reads. */
  readonly channels: Iterable<string>;
  /** False exactly when the first events will be gaps because of its cursor. */
  readonly recovered: boolean;
  /** Whether it is not (yet) at the tail, or takes nothing: the log costs it something only then. */
  readonly lagging: boolean;
  /** Where it stands, with the serving relay named. A view: read it at once. In the sink: after the event. */
  position(): Vector;
  /** Whom its cursor cannot place: it has not been told yet that they were passed over. */
  readonly cut: ReadonlySet<Origin>;
  /** The text of a cursor of this slot alone, for {@link position}; shared by readers at one place. */
  cursor(): string;
  /** The sink has room (again): what waits is delivered before this returns. Idempotent. */
  resume(): void;
  /** The sink has no room: nothing more until {@link resume}. Idempotent. */
  pause(): void;
  /** Ends it; nothing is delivered afterwards. Idempotent. */
  close(): void;
}

export class LogReader implements Reader {
  readonly recovered: boolean;
  readonly #tail: Tail;
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #sink: LogSink;
  /** By channel and origin, up to where a floor was announced. */
  #announced: Map<Channel, Map<Origin, Seq>> | undefined;
  #place: Place | undefined;
  /** The tail's version when it was last given something there. */
  #seen = -1;
  #walk: Walk | undefined;
  #closed = false;

  constructor(tail: Tail, channels: readonly string[], sink: LogSink, start: Start) {
    this.#tail = tail;
    this.#sink = sink;
    this.#channels = new Map(channels.map((name) => [name, tail.channels.of(name)]));
    for (const channel of this.#channels.values()) channel.readers++;
    tail.readers.add(this);
    const walk = this.#walk = newWalk(start.index, start.vector, start.filter);
    walk.gaps.push(...start.gaps ?? []);
    const floors = this.#floorGaps(walk, "expired");
    // Who did not come with a cursor misses nothing.
    if (start.filter) walk.gaps.push(...floors);
    walk.losses = tail.losses;
    this.recovered = walk.gaps.length === 0;
    if (!this.recovered) walk.cut = start.cut ?? NOBODY;
  }

  /** Where it stands with others; undefined when it is not live. */
  get place(): Place | undefined {
    return this.#place;
  }

  get channels(): Iterable<string> {
    return this.#channels.keys();
  }

  get lagging(): boolean {
    return this.#place === undefined;
  }

  get cut(): ReadonlySet<Origin> {
    return this.#walk?.cut ?? NOBODY;
  }

  position(): Vector {
    const { place } = this;
    if (place && this.#tail.isPast(this.#seen)) return place.position();
    const { vector, filter } = this.#walk ??
      { vector: this.#tail.standing(this.#seen).vector, filter: place?.ahead };
    if (!filter) return vector;
    const position = mergeVectors(vector, filter);
    for (const origin of this.cut) position.delete(origin);
    return position;
  }

  cursor(): string {
    if (this.#place && this.#tail.isPast(this.#seen)) return this.#place.cursor();
    return this.#tail.encode(this.position(), this.#tail.asOfMs(), this.cut);
  }

  resume(): void {
    const walk = this.#walk;
    if (walk === undefined || this.#closed) return;
    walk.accepting = true;
    if (walk.running) return;
    walk.running = true;
    while (walk.accepting && !this.#closed && this.#walk === walk) this.#step(walk);
    walk.running = false;
  }

  pause(): void {
    this.lag();
    if (this.#walk) this.#walk.accepting = false;
  }

  close(): void {
    if (this.#closed) return;
    this.lag();
    this.#closed = true;
    this.#tail.readers.delete(this);
    for (const channel of this.#channels.values()) {
      channel.readers--;
      this.#tail.channels.settle(channel);
    }
  }

  /** Gives a live reader the event of its place for the tail's `version`, if there is one. */
  take(event: StreamEvent | undefined, version: number): void {
    this.#seen = version;
    if (event && !this.#offer(event)) this.lag();
  }

  /** Takes a live reader from the tail: from here on it goes at its own pace. */
  lag(): void {
    const place = this.#place;
    if (!place) return;
    const { index, vector } = this.#tail.standing(this.#seen);
    this.#leave();
    this.#walk = newWalk(index, vector, place.ahead);
  }

  /** Tells a live reader which floors have risen over what it has not seen. */
  announceFloors(): void {
    this.lag();
    const walk = this.#walk;
    if (!walk) return;
    walk.gaps.push(...this.#floorGaps(walk, "expired"));
    this.resume();
  }

  renumber(renumber: Renumber): void {
    if (this.#walk) this.#walk.index = renumber(this.#walk.index);
  }

  /** The log has forgotten an origin: a cursor must not name it as if it were known. */
  forget(origin: Origin): void {
    this.#walk?.vector.delete(origin);
    for (const announced of this.#announced?.values() ?? []) announced.delete(origin);
  }

  #step(walk: Walk): void {
    const { timeline, index, losses } = this.#tail;
    const gap = walk.gaps.shift();
    if (gap) {
      if (walk.gaps.length === 0) walk.cut = NOBODY;
      walk.accepting = this.#offer({ type: "gap", ...gap, cursor: this.cursor() });
    } else if (walk.losses !== losses) {
      walk.losses = losses;
      walk.gaps.push(...this.#floorGaps(walk, "lagged"));
    } else if (walk.index < timeline.start) {
      walk.index = timeline.start;
      raise(walk.vector, timeline.base);
    } else if (walk.index >= index) {
      this.#join(walk);
    } else {
      this.#read(walk, timeline.at(walk.index++));
    }
  }

  #read(walk: Walk, entry: Entry | undefined): void {
    if (!entry) return;
    pass(walk.vector, entry);
    if (entry.kind === "message" && entry.message) this.#readMessage(walk, entry.message);
    else if (entry.kind === "lost") this.#readLost(walk, entry);
    else if (entry.kind === "unmet") this.#readUnmet(walk, entry);
  }

  #readMessage(walk: Walk, message: Message): void {
    if (!this.#channels.has(message.channel)) return;
    if ((walk.filter?.get(message.origin) ?? 0) >= message.seq) return;
    walk.accepting = this.#offer(new MessageAt(message, this));
  }

  /** Marks that follow each other make one gap. */
  #readLost(walk: Walk, first: Entry): void {
    const { timeline, index } = this.#tail;
    const missing: Range[] = [];
    for (let entry: Entry | undefined = first; entry?.kind === "lost";) {
      pass(walk.vector, entry);
      addUncovered(
        missing,
        { origin: entry.origin, from: firstOf(entry), to: entry.seq },
        walk.filter,
      );
      entry = walk.index < index ? timeline.at(walk.index) : undefined;
      if (entry?.kind === "lost") walk.index++;
    }
    if (missing.length > 0) this.#queueAll(walk, "lost", missing);
  }

  #readUnmet(walk: Walk, { origin, gap }: Entry): void {
    const { from = 0, channel, missing = [] } = gap ?? {};
    if (channel === undefined || !this.#channels.has(channel)) return;
    if ((walk.filter?.get(origin) ?? 0) >= from) return;
    const lacking: Range[] = [];
    const position = this.position();
    for (const range of missing) addUncovered(lacking, range, position);
    if (lacking.length > 0) this.#queueAll(walk, "lost", lacking);
  }

  /** A place is missing whose channel nobody knows. */
  #queueAll(walk: Walk, reason: GapReason, missing: readonly Range[]): void {
    for (const channel of this.#channels.keys()) walk.gaps.push({ channel, reason, missing });
  }

  /** What its channels have dropped beyond its position and was not announced yet. */
  #floorGaps(walk: Walk, reason: GapReason): PendingGap[] {
    const gaps: PendingGap[] = [];
    for (const channel of this.#channels.values()) {
      const missing: Range[] = [];
      for (const [origin, to] of channel.floors) {
        const seen = Math.max(walk.vector.get(origin) ?? 0, walk.filter?.get(origin) ?? 0);
        if (to <= seen) continue;
        const from = Math.max(seen, this.#announced?.get(channel)?.get(origin) ?? 0) + 1;
        if (to >= from) missing.push({ origin, from, to });
      }
      if (missing.length === 0) continue;
      gaps.push({ channel: channel.name, reason, missing });
      this.#announced ??= new Map();
      const announced = this.#announced.get(channel) ?? new Map<Origin, Seq>();
      for (const { origin, to } of missing) announced.set(origin, to);
      this.#announced.set(channel, announced);
    }
    return gaps;
  }

  /** It has read all: from here on it is one of the live ones. */
  #join({ vector, filter }: Walk): void {
    const ahead = new Map<Origin, Seq>();
    for (const [origin, seq] of filter ?? NOWHERE) {
      if (seq > (vector.get(origin) ?? 0)) ahead.set(origin, seq);
    }
    this.#walk = undefined;
    this.#seen = this.#tail.version;
    this.#place = this.#tail.placeAhead(ahead);
    this.#place.readers++;
    for (const channel of this.#channels.values()) channel.join(this);
  }

  #leave(): void {
    const place = this.#place;
    if (!place) return;
    this.#place = undefined;
    place.readers--;
    this.#tail.left(place);
    for (const channel of this.#channels.values()) channel.leave(this);
  }

  /** Whether the sink took it and wants more. */
  #offer(event: StreamEvent): boolean {
    try {
      return this.#sink(event);
    } catch {
      this.close();
      return false;
    }
  }
}
