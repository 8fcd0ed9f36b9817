/**
 * What a log has passed: messages delivered, marks and holes, in log order, as far as it is retained; and the readers that
 * it is shown to.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import { Channels } from "./channels.ts";
import { unmetBy } from "./holds.ts";
import { Marks } from "./marks.ts";
import type { LogOptions } from "./options.ts";
import { Retention } from "./retention.ts";
import { Tail } from "./tail.ts";
import {
  type Entry,
  filledMark,
  lostEntry,
  messageEntry,
  skipEntry,
  Timeline,
  unmetEntry,
} from "./timeline.ts";

export class History {
  readonly timeline: Timeline;
  readonly channels: Channels = new Channels();
  readonly marks: Marks = new Marks();
  readonly tail: Tail;
  readonly #options: LogOptions;
  readonly #vector: Map<Origin, Seq>;
  readonly #retention: Retention;
  #version = 0;

  constructor(slot: number, options: LogOptions) {
    const { self, asOfMs } = options, { channels, marks } = this;
    this.#options = options;
    this.#vector = new Map([[self, 0]]);
    const timeline = this.timeline = new Timeline(this.#vector);
    const tail = this.tail = new Tail({ slot, self, timeline, channels, asOfMs });
    this.#retention = new Retention({ timeline, channels, marks, tail });
  }

  /** Highest contiguous seq by origin, marks counting as passed; the serving relay at 0 if it published nothing. A view. */
  get vector(): Vector {
    return this.#vector;
  }

  /** Rises with whatever a peer that had all before could pull. */
  get version(): number {
    return this.#version;
  }

  /** What it retains, roughly. */
  get bytes(): number {
    return this.#retention.bytes + this.marks.bytes;
  }

  /** Arrival of the oldest entry retained, in monotonic milliseconds; undefined without any. */
  get oldestMs(): number | undefined {
    return this.#retention.oldestMs ?? this.marks.oldestMs;
  }

  /** When the oldest of what is retained is too old; Infinity without any. */
  get dueMs(): number {
    const oldestMs = Math.min(this.oldestMs ?? Infinity, this.marks.oldestMs ?? Infinity);
    return oldestMs + this.#options.maxAgeMs;
  }

  /** Nothing retained, no reader, no origin to remember. */
  get idle(): boolean {
    return this.#retention.count === 0 && this.bytes === 0 && this.tail.readers.size === 0 &&
      [...this.#vector.values()].every((seq) => seq === 0);
  }

  seqOf(origin: Origin): Seq {
    return this.#vector.get(origin) ?? 0;
  }

  /** Puts a message at the end, whatever it must follow, and shows it. */
  deliver(message: Message, atMs: number): void {
    const unmet = message.after ? unmetBy(message, this.#vector) : [];
    if (unmet.length > 0) this.#push(unmetEntry(message, unmet, atMs));
    this.#push(messageEntry(message, atMs));
    this.#advance(message.origin, message.seq);
    this.tail.pump();
    this.#limit(message);
  }

  /** Goes on without what is lost: it becomes a mark. */
  mark(range: Range, nowMs: number): void {
    this.marks.mark(range);
    this.#push(lostEntry(range, nowMs));
    this.#advance(range.origin, range.to);
  }

  /** Goes on behind what every peer has dropped. */
  skip(origin: Origin, to: Seq): void {
    this.timeline.push(skipEntry(origin, to));
    this.#advance(origin, to);
  }

  /** A message that was given up has come: it takes the place of its mark if it could have stood there. */
  fill(message: Message, atMs: number): void {
    const { origin, seq } = message, { timeline, marks } = this;
    const index = timeline.findMark(origin, seq);
    marks.unmark({ origin, from: seq, to: seq });
    this.#version++;
    const mark = index === undefined ? undefined : timeline.at(index);
    const fits = index !== undefined && mark !== undefined &&
      (!message.after || unmetBy(message, timeline.vectorAt(index)).length === 0);
    if (!fits) return marks.keep(message, atMs);
    const filled = filledMark(mark, messageEntry(message, atMs));
    this.#retention.remove(mark);
    this.tail.renumber(timeline.replace(index, filled));
    for (const entry of filled) this.#retention.add(entry);
    this.#limit(message);
  }

  /** Drops what is too old. */
  expire(nowMs: number): void {
    const ms = nowMs - this.#options.maxAgeMs;
    this.#retention.expire(ms);
    this.marks.expire(ms);
  }

  /** Drops the oldest entry; answers the bytes freed, 0 when there is none. */
  dropOldest(): number {
    return this.#retention.count > 0 ? this.#retention.dropOldest() : this.marks.dropOldest();
  }

  forget(origin: Origin): void {
    this.#vector.delete(origin);
    this.timeline.forget(origin);
    this.channels.forget(origin);
    this.marks.forget(origin);
    this.tail.forget(origin);
  }

  #push(entry: Entry): void {
    this.timeline.push(entry);
    this.#retention.add(entry);
  }

  #advance(origin: Origin, seq: Seq): void {
    this.#vector.set(origin, seq);
    this.#version++;
  }

  #limit(message: Message): void {
    const channel = this.channels.get(message.channel);
    if (channel) this.#retention.limit(channel, this.#options.maxCount);
  }
}
