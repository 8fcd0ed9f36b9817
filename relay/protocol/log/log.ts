/**
 * The log of a slot: messages of all its channels in delivery order, what they wait for, what was lost, and readers.
 *
 * The rules are those of DESIGN "Log, cursor, reader". They were settled by a model; change none without it.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import { covers } from "../vector.ts";
import { aside, catchUp, messagesAbove, outline, type Told } from "./answer.ts";
import { type CatchUp, holesOf, type Standing } from "./catch_up.ts";
import { Channels } from "./channels.ts";
import { type Hold, Holds, unmetBy } from "./holds.ts";
import { Marks } from "./marks.ts";
import { Origins } from "./origins.ts";
import { LogReader, type Reader } from "./reader.ts";
import { standingOf, stillStands } from "./standing.ts";
import { type OpenStart, startOf } from "./start.ts";
import type { Appended, LogOptions, OpenOptions } from "./options.ts";
import { Retention } from "./retention.ts";
import { Tail } from "./tail.ts";
import {
  type Entry,
  filledMark,
  lostEntry,
  messageEntry,
  skipEntry,
  type Stored,
  Timeline,
  unmetEntry,
} from "./timeline.ts";

export type { Appended, LogOptions, OpenOptions } from "./options.ts";

const NOWHERE: Vector = new Map();

/**
 * The log of one slot. All times are of one monotonic clock, in milliseconds. Only {@link SlotLog.tick} ends waits by
 * time and drops by age: call it when {@link SlotLog.nextWakeMs} says, but not before the slot is synced.
 */
export class SlotLog {
  readonly slot: number;
  readonly #options: LogOptions;
  readonly #timeline: Timeline;
  readonly #channels = new Channels();
  readonly #holds = new Holds();
  readonly #marks = new Marks();
  readonly #tail: Tail;
  readonly #vector: Map<Origin, Seq>;
  readonly #retention: Retention;
  readonly #origins: Origins;
  #version = 0;

  constructor(slot: number, options: LogOptions) {
    this.slot = slot;
    this.#options = options;
    this.#vector = new Map([[options.self, 0]]);
    this.#timeline = new Timeline(this.#vector);
    this.#tail = new Tail({
      slot,
      self: options.self,
      timeline: this.#timeline,
      channels: this.#channels,
      asOfMs: options.asOfMs,
    });
    this.#retention = new Retention({
      timeline: this.#timeline,
      channels: this.#channels,
      marks: this.#marks,
      tail: this.#tail,
    });
    this.#origins = new Origins(options.forgetMs);
  }

  /** Highest contiguous seq by origin, marks counting as passed; the serving relay at 0 if it published nothing. A view. */
  get vector(): Vector {
    return this.#vector;
  }

  /** The highest seq of an origin that has come, delivered or held: so far its messages are known to exist. */
  highest(origin: Origin): Seq {
    return Math.max(this.#seqOf(origin), this.#holds.highest(origin));
  }

  /** Rises with whatever a peer that had all before could pull. */
  get version(): number {
    return this.#version;
  }

  /** What it retains, roughly. */
  get bytes(): number {
    return this.#retention.bytes + this.#holds.bytes + this.#marks.bytes;
  }

  /** Arrival of the oldest entry retained, in monotonic milliseconds; undefined without any. */
  get oldestMs(): number | undefined {
    return this.#retention.oldestMs ?? this.#marks.oldestMs;
  }

  /** Nothing retained, nothing waiting, no reader, no origin to remember: it may be let go. */
  get idle(): boolean {
    return this.#retention.count === 0 && this.bytes === 0 && this.#tail.readers.size === 0 &&
      [...this.#vector.values()].every((seq) => seq === 0);
  }

  /** Takes a message that arrived in the LAN `ageMs` ago, and shows readers whatever can be delivered now. */
  append(message: Message, nowMs: number, ageMs = 0): Appended {
    const { origin, seq } = message;
    const atMs = nowMs - ageMs;
    if (seq <= this.#seqOf(origin)) {
      return this.#marks.isLost(origin, seq) ? this.#appendLate(message, atMs) : "duplicate";
    }
    if (this.#holds.has(origin, seq)) return "duplicate";
    this.#origins.heard(origin, atMs);
    if (seq === this.#seqOf(origin) + 1 && this.#holds.isMet(message, this.#vector)) {
      this.#deliver(message, atMs);
      this.#settle(nowMs);
      return "delivered";
    }
    this.#holds.add(message, atMs, nowMs);
    while (this.#holds.isOverfull) this.#endHold(this.#holds.oldest, nowMs);
    this.#settle(nowMs);
    return this.#holds.has(origin, seq) ? "held" : "delivered";
  }

  /** The message of a channel that was published with an idempotency key, while it is retained or waits. */
  keyed(channel: string, key: string): Stored | undefined {
    return this.#channels.get(channel)?.keyed(key) ??
      aside(this.#told).find(({ message }) => message.channel === channel && message.key === key);
  }

  /** When the message that waits longest began to, in monotonic milliseconds; undefined if none waits. */
  get waitingSinceMs(): number | undefined {
    return this.#holds.oldest?.sinceMs;
  }

  /** What waits are for: ask every relay in view for it. */
  missing(): Range[] {
    return this.#holds.missing(this.#vector);
  }

  /** Every relay in view has answered that it lacks these: who waits for them waits no longer. */
  lacked(ranges: readonly Range[], nowMs: number): void {
    if (this.#holds.size === 0) return;
    for (const range of ranges) this.#holds.lacked(range, this.#vector);
    this.#settle(nowMs);
  }

  /** When {@link tick} is due next; undefined: not until something happens. */
  nextWakeMs(): number | undefined {
    const { holdMs, maxAgeMs } = this.#options;
    const dueMs = Math.min(
      (this.#holds.oldest?.sinceMs ?? Infinity) + holdMs,
      (this.oldestMs ?? Infinity) + maxAgeMs,
      (this.#marks.oldestMs ?? Infinity) + maxAgeMs,
      this.#origins.dueMs,
    );
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Ends waits that are over, drops what is too old, forgets origins. */
  tick(nowMs: number): void {
    const { holdMs } = this.#options;
    for (let hold = this.#holds.oldest; hold; hold = this.#holds.oldest) {
      if (hold.sinceMs + holdMs > nowMs) break;
      this.#endHold(hold, nowMs);
    }
    this.#expire(nowMs);
    if (nowMs >= this.#origins.dueMs) this.#forget(nowMs);
  }

  /** Drops the oldest entry, for the bound of the process; answers the bytes freed, 0 when there is none. */
  dropOldest(): number {
    return this.#retention.count > 0 ? this.#retention.dropOldest() : this.#marks.dropOldest();
  }

  /** Everything marked as lost, for digests. */
  lost(): Range[] {
    return this.#marks.ranges();
  }

  /** Where it stands, to ask a peer of which nothing is known. */
  get standing(): Standing {
    return standingOf(this.#told, NOWHERE);
  }

  /**
   * Where a pull from a peer of this vector and these marks must start: below the log's vector where the peer may have
   * what is marked here. Undefined: it has nothing for this log.
   */
  pullFrom(vector: Vector, lost: readonly Range[]): Standing | undefined {
    const marked = this.#marks.heldBy(vector, lost);
    if (marked.size === 0 && covers(this.#vector, vector)) return undefined;
    return standingOf(this.#told, marked);
  }

  /** What a copy that stands at `start` lacks, in log order and as views, those kept beside the log at the end. */
  messagesAbove(start: Vector): Generator<Stored, void> {
    return messagesAbove(this.#told, start);
  }

  /** All of it but the messages, as a catch-up from nothing. */
  outline(nowMs: number): CatchUp {
    return outline(this.#told, NOWHERE, nowMs);
  }

  /** The answer to a pull of a peer that stands there. */
  catchUp(standing: Standing, nowMs: number): CatchUp {
    return catchUp(this.#told, standing, nowMs);
  }

  /** Takes a peer's answer. False: thrown away, because the log no longer stands where it asked from; ask again. */
  merge(answer: CatchUp, nowMs: number): boolean {
    if (!stillStands(this.#told, answer)) return false;
    for (const [origin, idleMs] of answer.idleMs) {
      if (answer.end.has(origin)) this.#origins.heard(origin, nowMs - idleMs);
    }
    if (this.#channels.take(answer.floors, this.#vector)) this.#tail.announceFloors();
    for (const range of holesOf(answer, this.#vector)) this.#holds.setExpired(range);
    for (const { origin, from, to } of answer.lost) {
      this.#holds.setLost({ origin, from: Math.max(from, this.#seqOf(origin) + 1), to });
    }
    this.#settle(nowMs);
    for (const { message, ageMs } of answer.messages) this.append(message, nowMs, ageMs);
    for (const { message, ageMs } of answer.held) this.append(message, nowMs, ageMs);
    this.#marks.giveUp(answer.start, answer.end, answer.lost);
    this.#channels.settleAll();
    return true;
  }

  /**
   * Opens a reader of 1 or more channels of the slot. `start`: what comes from now on, all that is retained, or after
   * the reader's cursor in this slot. What it missed before a cursor is announced by its first events.
   */
  open(
    channels: readonly string[],
    start: OpenStart,
    nowMs: number,
    { sink, asOfMs }: OpenOptions,
  ): Reader {
    this.#expire(nowMs);
    const from = startOf(this.#tail, channels, start, asOfMs, this.#vector, this.#options);
    return new LogReader(this.#tail, channels, sink, from);
  }

  get #told(): Told {
    return {
      slot: this.slot,
      vector: this.#vector,
      timeline: this.#timeline,
      channels: this.#channels,
      holds: this.#holds,
      marks: this.#marks,
      origins: this.#origins,
    };
  }

  #seqOf(origin: Origin): Seq {
    return this.#vector.get(origin) ?? 0;
  }

  /** Puts a message at the end of the log, whatever it must follow, and shows it. */
  #deliver(message: Message, atMs: number): void {
    const unmet = message.after ? unmetBy(message, this.#vector) : [];
    if (unmet.length > 0) this.#push(unmetEntry(message, unmet, atMs));
    this.#push(messageEntry(message, atMs));
    this.#advance(message.origin, message.seq);
    this.#tail.pump();
    this.#limit(message);
  }

  #push(entry: Entry): void {
    this.#timeline.push(entry);
    this.#retention.add(entry);
  }

  #limit(message: Message): void {
    const channel = this.#channels.get(message.channel);
    if (channel) this.#retention.limit(channel, this.#options.maxCount);
  }

  #advance(origin: Origin, seq: Seq): void {
    this.#vector.set(origin, seq);
    this.#version++;
    this.#holds.passed(origin, seq);
  }

  /** Delivers and passes what has become possible. */
  #settle(nowMs: number): void {
    for (let moved = !this.#holds.isEmpty; moved;) {
      moved = false;
      for (const origin of this.#holds.origins()) {
        while (this.#settleNext(origin, nowMs)) moved = true;
      }
    }
    this.#tail.pump();
  }

  #settleNext(origin: Origin, nowMs: number): boolean {
    const next = this.#holds.next(origin, this.#vector);
    if (!next) return false;
    if (next.kind === "message") {
      this.#deliver(next.hold.message, next.hold.atMs);
      return true;
    }
    const range = { origin, from: this.#seqOf(origin) + 1, to: next.to };
    if (next.kind === "lost") {
      this.#marks.mark(range);
      this.#push(lostEntry(range, nowMs));
    } else {
      this.#timeline.push(skipEntry(origin, next.to));
    }
    this.#advance(origin, next.to);
    return true;
  }

  #endHold(hold: Hold | undefined, nowMs: number): void {
    if (!hold) return;
    this.#holds.end(hold, this.#vector);
    this.#settle(nowMs);
  }

  /** A message that was given up has come: it takes the place of its mark if it could have stood there. */
  #appendLate(message: Message, atMs: number): Appended {
    const { origin, seq } = message;
    const index = this.#timeline.findMark(origin, seq);
    this.#marks.unmark({ origin, from: seq, to: seq });
    this.#version++;
    const mark = index === undefined ? undefined : this.#timeline.at(index);
    const fits = index !== undefined && mark !== undefined &&
      (!message.after || unmetBy(message, this.#timeline.vectorAt(index)).length === 0);
    if (!fits) {
      this.#marks.keep(message, atMs);
      return "delivered";
    }
    const filled = filledMark(mark, messageEntry(message, atMs));
    this.#retention.remove(mark);
    this.#tail.renumber(this.#timeline.replace(index, filled));
    for (const entry of filled) this.#retention.add(entry);
    this.#limit(message);
    return "delivered";
  }

  #expire(nowMs: number): void {
    const ms = nowMs - this.#options.maxAgeMs;
    this.#retention.expire(ms);
    this.#marks.expire(ms);
  }

  #forget(nowMs: number): void {
    for (const origin of this.#origins.forget(nowMs)) {
      if (origin === this.#options.self) continue;
      this.#vector.delete(origin);
      this.#timeline.forget(origin);
      this.#channels.forget(origin);
      this.#marks.forget(origin);
      this.#holds.forget(origin);
      this.#tail.forget(origin);
    }
  }
}
