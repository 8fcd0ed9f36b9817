/**
 * The log of a slot: messages of all its channels in delivery order, what they wait for, what was lost, and readers.
 *
 * The rules are those of DESIGN "Log, cursor, reader". They were settled by a model; change none without it.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";
import { covers, NOWHERE } from "../vector.ts";
import { aside, catchUp, messagesAbove, outline, type Told } from "./answer.ts";
import { type CatchUp, holesOf, longestIdleFirst, type Standing } from "./catch_up.ts";
import { History } from "./history.ts";
import { type Hold, Holds } from "./holds.ts";
import { LastHeard } from "./last_heard.ts";
import type { Appended, LogOptions, OpenOptions } from "./options.ts";
import { LogReader, type Reader } from "./reader.ts";
import { standingOf, stillStands } from "./standing.ts";
import { type OpenStart, startOf } from "./start.ts";
import type { Stored } from "./timeline.ts";

export type { Appended, LogOptions, OpenOptions } from "./options.ts";

/**
 * The log of one slot. All times are of one monotonic clock, in milliseconds. Only {@link SlotLog.tick} ends waits by
 * time and drops by age: call it when {@link SlotLog.nextWakeMs} says, but not before the slot is synced.
 */
export class SlotLog {
  readonly slot: number;
  readonly #options: LogOptions;
  readonly #history: History;
  readonly #holds = new Holds();
  readonly #lastHeard: LastHeard;

  constructor(slot: number, options: LogOptions) {
    this.slot = slot;
    this.#options = options;
    this.#history = new History(slot, options);
    this.#lastHeard = new LastHeard(options.forgetMs);
  }

  /** Highest contiguous seq by origin, marks counting as passed; the serving relay at 0 if it published nothing. A view. */
  get vector(): Vector {
    return this.#history.vector;
  }

  /** The highest seq of an origin that has come, delivered or held: so far its messages are known to exist. */
  highest(origin: Origin): Seq {
    return Math.max(this.#history.seqOf(origin), this.#holds.highest(origin));
  }

  /** Rises with whatever a peer that had all before could pull. */
  get version(): number {
    return this.#history.version;
  }

  /** What it retains, roughly. */
  get bytes(): number {
    return this.#history.bytes + this.#holds.bytes;
  }

  /** Arrival of the oldest entry retained, in monotonic milliseconds; undefined without any. */
  get oldestMs(): number | undefined {
    return this.#history.oldestMs;
  }

  /** Nothing retained, nothing waiting, no reader, no origin to remember: it may be let go. */
  get idle(): boolean {
    return this.#holds.size === 0 && this.#history.idle;
  }

  /**
   * Takes a message that arrived in the LAN `ageMs` ago, and shows readers whatever can be delivered now.
   * @param unmet whether it need not wait for what it has to follow: a peer has waited for that in vain.
   */
  append(message: Message, nowMs: number, ageMs = 0, unmet = false): Appended {
    const { origin, seq } = message, history = this.#history;
    const atMs = nowMs - ageMs, passed = history.seqOf(origin);
    if (seq <= passed) {
      if (!history.marks.isLost(origin, seq)) return "duplicate";
      history.fill(message, atMs);
      return "delivered";
    }
    if (this.#holds.has(origin, seq)) {
      if (unmet) this.#release(origin, seq, nowMs);
      return "duplicate";
    }
    this.#lastHeard.heard(origin, atMs);
    if (seq === passed + 1 && (unmet || this.#holds.isMet(message, history.vector))) {
      this.#deliver(message, atMs);
      this.#settle(nowMs);
      return "delivered";
    }
    this.#holds.add(message, atMs, nowMs, unmet);
    while (this.#holds.isOverfull) this.#endHold(this.#holds.oldest, nowMs);
    this.#settle(nowMs);
    return this.#holds.has(origin, seq) ? "held" : "delivered";
  }

  /** The message of a channel that was published with an idempotency key, while it is retained or waits. */
  keyed(channel: string, key: string): Stored | undefined {
    return this.#history.channels.get(channel)?.keyed(key) ??
      aside(this.#told).find(({ message }) => message.channel === channel && message.key === key);
  }

  /** When the message that waits longest began to, in monotonic milliseconds; undefined if none waits. */
  get waitingSinceMs(): number | undefined {
    return this.#holds.oldest?.sinceMs;
  }

  /** What waits are for: ask every relay in view for it. */
  missing(): Range[] {
    return this.#holds.missing(this.vector);
  }

  /** Every relay in view has answered that it lacks these: who waits for them waits no longer. */
  lacked(ranges: readonly Range[], nowMs: number): void {
    if (this.#holds.size === 0) return;
    for (const range of ranges) this.#holds.lacked(range, this.vector);
    this.#settle(nowMs);
  }

  /** When {@link tick} is due next; undefined: not until something happens. */
  nextWakeMs(): number | undefined {
    const heldMs = (this.#holds.oldest?.sinceMs ?? Infinity) + this.#options.holdMs;
    const dueMs = Math.min(heldMs, this.#history.dueMs, this.#lastHeard.dueMs);
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Ends waits that are over, drops what is too old, forgets origins. */
  tick(nowMs: number): void {
    const { holdMs } = this.#options;
    for (let hold = this.#holds.oldest; hold; hold = this.#holds.oldest) {
      if (hold.sinceMs + holdMs > nowMs) break;
      this.#endHold(hold, nowMs);
    }
    this.#history.expire(nowMs);
    if (nowMs >= this.#lastHeard.dueMs) this.#forget(nowMs);
  }

  /** Drops the oldest entry, for the bound of the process; answers the bytes freed, 0 when there is none. */
  dropOldest(): number {
    return this.#history.dropOldest();
  }

  /** Everything marked as lost, for digests. */
  lost(): Range[] {
    return this.#history.marks.ranges();
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
    const marked = this.#history.marks.heldBy(vector, lost);
    if (marked.size === 0 && covers(this.vector, vector)) return undefined;
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
    const { channels, tail, marks } = this.#history;
    for (const [origin, idleMs] of answer.idleMs) {
      if (answer.end.has(origin)) this.#lastHeard.heard(origin, nowMs - idleMs);
    }
    if (channels.take(answer.floors, this.vector)) tail.announceFloors();
    for (const range of holesOf(answer, this.vector)) this.#holds.setExpired(range);
    for (const { origin, from, to } of answer.lost) {
      this.#holds.setLost({ origin, from: Math.max(from, this.#history.seqOf(origin) + 1), to });
    }
    this.#skipExpired(longestIdleFirst(answer));
    this.#settle(nowMs);
    for (const { message, ageMs, unmet } of answer.messages) {
      this.append(message, nowMs, ageMs, unmet);
    }
    for (const { message, ageMs } of answer.held) this.append(message, nowMs, ageMs);
    marks.giveUp(answer.start, answer.end, answer.lost);
    channels.settleAll();
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
    options: OpenOptions,
  ): Reader {
    const { tail } = this.#history;
    this.#history.expire(nowMs);
    const from = startOf(tail, channels, start, options, this, this.#options);
    return new LogReader(tail, channels, options.sink, from);
  }

  get #told(): Told {
    const { vector, timeline, channels, marks } = this.#history;
    return {
      slot: this.slot,
      vector,
      timeline,
      channels,
      marks,
      holds: this.#holds,
      lastHeard: this.#lastHeard,
    };
  }

  #deliver(message: Message, atMs: number): void {
    this.#history.deliver(message, atMs);
    this.#holds.passed(message.origin, message.seq);
  }

  /** Passes what every peer has dropped. */
  #skipExpired(origins: readonly Origin[]): void {
    const history = this.#history;
    for (const origin of origins) {
      for (let to; (to = this.#holds.expiredTo(origin, history.vector)) !== undefined;) {
        history.skip(origin, to);
        this.#holds.passed(origin, to);
      }
    }
  }

  /** Delivers and passes what has become possible. */
  #settle(nowMs: number): void {
    for (let moved = !this.#holds.isEmpty; moved;) {
      moved = false;
      for (const origin of this.#holds.origins()) {
        while (this.#settleNext(origin, nowMs)) moved = true;
      }
    }
    this.#history.tail.pump();
  }

  #settleNext(origin: Origin, nowMs: number): boolean {
    const history = this.#history, next = this.#holds.next(origin, history.vector);
    if (!next) return false;
    if (next.kind === "message") {
      this.#deliver(next.hold.message, next.hold.atMs);
      return true;
    }
    const { to } = next;
    if (next.kind === "lost") history.mark({ origin, from: history.seqOf(origin) + 1, to }, nowMs);
    else history.skip(origin, to);
    this.#holds.passed(origin, to);
    return true;
  }

  #release(origin: Origin, seq: Seq, nowMs: number): void {
    this.#holds.release(origin, seq);
    this.#settle(nowMs);
  }

  #endHold(hold: Hold | undefined, nowMs: number): void {
    if (!hold) return;
    this.#holds.end(hold, this.vector);
    this.#settle(nowMs);
  }

  #forget(nowMs: number): void {
    for (const origin of this.#lastHeard.forget(nowMs)) {
      if (origin === this.#options.self) continue;
      this.#history.forget(origin);
      this.#holds.forget(origin);
    }
  }
}
