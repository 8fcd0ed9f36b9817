/**
 * What a log keeps and for how long: by count per channel, by age, and by the bytes of the process. Count and bytes drop
 * the oldest by age, not by place: a snapshot may bring older messages after newer ones.
 *
 * @module
 */
import { AgeQueue } from "./age_queue.ts";
import type { Channel, Channels } from "./channels.ts";
import type { Marks } from "./marks.ts";
import type { Tail } from "./tail.ts";
import { type Entry, firstOf, type Timeline } from "./timeline.ts";

/** The parts of the log that dropping an entry concerns. */
export interface RetentionParts {
  readonly timeline: Timeline;
  readonly channels: Channels;
  readonly marks: Marks;
  readonly tail: Tail;
}

/** What the state of a channel takes, roughly, while it retains something: with tiny messages, more than they do. */
const CHANNEL_BYTES = 200;

export class Retention {
  readonly #parts: RetentionParts;
  readonly #byAge = new AgeQueue();
  #count = 0;
  #bytes = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Entries retained: messages, marks, gaps before messages. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest entry's arrival. */
  get oldestMs(): number | undefined {
    return this.#byAge.peek()?.atMs;
  }

  /** Counts an entry that was put into the timeline. */
  add(entry: Entry): void {
    this.#bytes += entry.bytes;
    this.#byAge.push(entry, ++this.#count);
    if (!entry.message) return;
    const channel = this.#parts.channels.of(entry.message.channel);
    if (channel.count === 0) this.#bytes += CHANNEL_BYTES;
    channel.retain(entry);
  }

  /** Brings a channel back within `maxCount` messages. */
  limit(channel: Channel, maxCount: number): void {
    if (channel.count <= maxCount) return;
    while (channel.count > maxCount && channel.oldest) this.#drop(channel.oldest, channel);
    this.#tidy();
  }

  /** Drops what arrived at `ms` or before. */
  expire(ms: number): void {
    for (let oldest = this.#byAge.peek(); oldest && oldest.atMs <= ms;) {
      this.#drop(oldest);
      oldest = this.#byAge.peek();
    }
    this.#tidy();
  }

  /** Drops the oldest; answers the bytes freed. */
  dropOldest(): number {
    const oldest = this.#byAge.peek(), before = this.#bytes;
    if (!oldest) return 0;
    this.#drop(oldest);
    this.#tidy();
    return before - this.#bytes;
  }

  /** No longer counts a mark that was taken out of the timeline. */
  remove(mark: Entry): void {
    mark.kind = "skip";
    this.#uncount(mark);
  }

  /** A floor says to whoever has not read the entry that it is gone. `channel`: of its message. */
  #drop(entry: Entry, channel = this.#channelOf(entry)): void {
    const { timeline, channels, marks, tail } = this.#parts;
    const { kind, origin, seq } = entry;
    this.#uncount(entry);
    if (channel) this.#release(channel, entry);
    timeline.drop(entry);
    if (kind === "unmet") return;
    if (kind === "lost") {
      marks.unmark({ origin, from: firstOf(entry), to: seq });
      channels.raiseAll(origin, seq);
    }
    tail.floorsRose();
  }

  #channelOf({ message }: Entry): Channel | undefined {
    return message && this.#parts.channels.get(message.channel);
  }

  #release(channel: Channel, entry: Entry): void {
    if (channel.count === 1) this.#bytes -= CHANNEL_BYTES;
    this.#parts.channels.release(channel, entry);
  }

  #uncount(entry: Entry): void {
    this.#count--;
    this.#bytes -= entry.bytes;
  }

  #tidy(): void {
    const { timeline, tail } = this.#parts;
    // While entries are being shown their numbers stand still.
    if (tail.isShowing) return;
    timeline.trim();
    const renumber = timeline.compact();
    if (renumber) tail.renumber(renumber);
  }
}
