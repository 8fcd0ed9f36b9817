/**
 * Judges what one subscriber saw.
 *
 * @module
 */
import { MAX_CURSOR_CHARS } from "../../relay/protocol/cursor.ts";
import type { Origin, Range, Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Excuses } from "./cluster_excuses.ts";
import type { Ledger, Seen, Subscriber } from "./cluster_ledger.ts";
import { Follows, type Known } from "./cluster_messages.ts";
import type { Rule, Violation } from "./cluster_violation.ts";

/** DESIGN: nobody is silently behind for more than this. */
const BEHIND_MS = 5000;
/** Events of one moment may be noted in the order of noting. */
const SLACK_MS = 250;
/** What was published so long before a fresh subscriber came is history to it. */
const HISTORY_MS = 12_000;

type Gap = Extract<Seen, { type: "gap" }>;

interface Session {
  readonly node: string;
  readonly fromMs: number;
  toMs: number;
}

/** One subscriber's side. */
export class SubscriberJudge {
  readonly #ledger: Ledger;
  readonly #subscriber: Subscriber;
  readonly #known: ReadonlyMap<string, Known>;
  readonly #excuses: Excuses;
  /** Everything on its channels. */
  readonly #concerns: readonly Known[];
  readonly #violations: Violation[] = [];
  readonly #gotMs = new Map<string, number>();
  readonly #gaps: Gap[] = [];
  readonly #sessions: Session[] = [];
  /** Per channel, when it was stale. */
  readonly #stale = new Map<string, Session[]>();
  /** By slot and origin, the highest that it got. */
  readonly #lastOf = new Map<string, Seq>();
  #firstMs = Infinity;

  constructor(
    ledger: Ledger,
    subscriber: Subscriber,
    known: ReadonlyMap<string, Known>,
    byChannel: ReadonlyMap<string, readonly Known[]>,
    excuses: Excuses,
  ) {
    this.#ledger = ledger;
    this.#subscriber = subscriber;
    this.#known = known;
    this.#excuses = excuses;
    this.#concerns = subscriber.channels.flatMap((channel) => byChannel.get(channel) ?? []);
  }

  /** Every promise to it that was broken. */
  violations(): Violation[] {
    const follows = new Follows(this.#concerns);
    for (const event of this.#subscriber.seen) {
      if (event.type === "message") this.#message(event, follows);
      else if (event.type === "gap") this.#gap(event);
      else this.#state(event);
    }
    for (const session of this.#sessions) {
      if (session.toMs === Infinity) session.toMs = this.#ledger.endMs;
    }
    if (this.#sessions.at(-1)?.toMs !== this.#ledger.endMs) {
      this.#complain("stuck", this.#ledger.endMs, "it was not connected at the end");
    }
    for (const message of this.#concerns) this.#fate(message);
    return this.#violations;
  }

  #complain(rule: Rule, atMs: number, what: string): void {
    this.#violations.push({ rule, subscriber: this.#subscriber.name, atMs, what });
  }

  #message(
    event: Extract<Seen, { type: "message" }>,
    follows: Follows,
  ): void {
    const { id, atMs, cursorChars } = event;
    const message = this.#known.get(id);
    if (!message) return;
    const stream = streamOf(message), lastOf = this.#lastOf;
    if (this.#gotMs.has(id)) this.#complain("duplicate", atMs, id);
    else if ((lastOf.get(stream) ?? 0) > message.seq) this.#complain("order", atMs, id);
    else lastOf.set(stream, message.seq);
    if (!this.#gotMs.has(id)) this.#gotMs.set(id, atMs);
    if (cursorChars > MAX_CURSOR_CHARS) this.#complain("cursor", atMs, `${cursorChars} long`);
    if (message.publish.atMs < this.#firstMs - HISTORY_MS && !this.#excuses.aloneNear(atMs)) {
      this.#complain("history", atMs, `${id}, published at ${message.publish.atMs} ms`);
    }
    for (const [origin, seq] of message.publish.after ?? []) {
      for (const earlier of follows.upTo(message.slot, origin, seq)) {
        if (earlier === message || !this.#isDue(earlier) || this.#gotMs.has(earlier.id)) continue;
        if (this.#isDestroyed(earlier)) continue;
        if (this.#isAnnounced(earlier) || this.#excuses.cutOff(message.publish)) continue;
        this.#complain("after", atMs, `${id} came before ${earlier.id}`);
      }
    }
  }

  /** Where nobody can tell, no message may be missing after all: but neither is the subscriber told what it holds. */
  #gap(gap: Gap): void {
    this.#gaps.push(gap);
    const { atMs, channel, missing } = gap;
    if (missing.length > 0 || this.#excuses.forgotten(atMs)) return;
    this.#complain("unknown gap", atMs, channel);
  }

  #state(event: Exclude<Seen, { type: "message" | "gap" }>): void {
    const { type, atMs } = event;
    if (type === "opened") {
      if (event.fresh) this.#firstMs = Math.min(this.#firstMs, atMs);
      this.#sessions.push({ node: event.node, fromMs: atMs, toMs: Infinity });
    } else if (type === "closed") {
      this.#end(this.#sessions.at(-1), atMs);
      for (const spans of this.#stale.values()) this.#end(spans.at(-1), atMs);
    } else {
      const spans = this.#stale.get(event.channel) ?? [];
      this.#stale.set(event.channel, spans);
      const isStale = spans.at(-1)?.toMs === Infinity;
      if (isStale === (type === "stale")) this.#complain("stale", atMs, `${type} twice`);
      if (type === "fresh") this.#end(spans.at(-1), atMs);
      else spans.push({ node: "", fromMs: atMs, toMs: Infinity });
    }
  }

  #end(span: Session | undefined, atMs: number): void {
    if (span?.toMs === Infinity) span.toMs = atMs;
  }

  /** Whether the message is to come: it is promised or there, and was published while the subscriber followed. */
  #isDue({ publish, replicatedMs, isHeld }: Known): boolean {
    return publish.atMs > this.#firstMs &&
      (replicatedMs < Infinity || isHeld);
  }

  #isAnnounced(message: Known): boolean {
    return this.#gaps.some((gap) => names(gap, message));
  }

  #fate(message: Known): void {
    const gotMs = this.#gotMs.get(message.id) ?? Infinity;
    const gaps = this.#gaps.filter((gap) => names(gap, message));
    const toldMs = Math.min(gotMs, ...gaps.map(({ atMs }) => atMs));
    const isDue = this.#isDue(message);
    if (toldMs === Infinity) {
      const rule = isDue && !this.#isDestroyed(message) ? "missing" : "silent";
      const isFound = rule === "missing" || this.#isPassedOver(message);
      if (isFound) this.#complain(rule, this.#ledger.endMs, this.#describe(message));
    }
    if (!isDue) return;
    // Where nobody can tell what is missing, a gap may turn out to be none.
    const broken = gaps.filter(({ atMs, missing }) =>
      gotMs === Infinity || (missing.length > 0 && atMs < gotMs)
    );
    if (broken.length > 0) this.#judgeGap(message, broken);
    this.#judgeDelay(message, toldMs);
  }

  /** Even what is lost for good is announced to whoever gets what came after it. */
  #isPassedOver(message: Known): boolean {
    return message.publish.atMs > this.#firstMs &&
      (this.#lastOf.get(streamOf(message)) ?? 0) > message.seq;
  }

  /** Two crashes within one re-replication may destroy what was on these two. */
  #isDestroyed({ publish, isHeld }: Known): boolean {
    return !isHeld && this.#excuses.overBudget(publish.atMs);
  }

  #judgeGap(message: Known, gaps: readonly Gap[]): void {
    if (message.replicatedMs === Infinity) return;
    if (gaps.some(({ atMs }) => this.#excuses.forGap(message, atMs))) return;
    const [{ atMs, reason }] = gaps as [Gap];
    this.#complain("gap over replicated", atMs, `${reason}: ${this.#describe(message)}`);
  }

  /** For over 5 s connected, without it, and told nothing. */
  #judgeDelay(message: Known, toldMs: number): void {
    const knownMs = Math.min(message.answeredMs, message.firstSeenMs);
    const { node: publisher, atMs } = message.publish;
    const sinceMs = Math.max(knownMs, this.#excuses.unseenUntil(publisher, atMs));
    if (this.#isDestroyed(message) || this.#subscriber.slow) return;
    for (const { node, fromMs, toMs } of this.#sessions) {
      const unseenMs = this.#excuses.unseenUntil(node, fromMs);
      const lateMs = Math.max(sinceMs, fromMs, unseenMs) + BEHIND_MS + SLACK_MS;
      const untilMs = Math.min(toMs, toldMs);
      if (untilMs <= lateMs || this.#excuses.paused(node, lateMs - BEHIND_MS, untilMs)) continue;
      if (this.#isStaleFrom(message.publish.channel, lateMs, untilMs)) continue;
      this.#complain("behind", lateMs, `until ${untilMs.toFixed(0)}: ${this.#describe(message)}`);
    }
  }

  #isStaleFrom(channel: string, fromMs: number, toMs: number): boolean {
    let coveredMs = fromMs;
    for (const span of this.#stale.get(channel) ?? []) {
      if (span.fromMs <= coveredMs) coveredMs = Math.max(coveredMs, span.toMs + SLACK_MS);
    }
    return coveredMs >= toMs;
  }

  #describe({ id, publish, replicatedMs }: Known): string {
    const level = replicatedMs === Infinity ? "accepted" : `replicated ${replicatedMs.toFixed(0)}`;
    return `${id} on ${publish.channel}, published ${
      publish.atMs.toFixed(0)
    } on ${publish.node}, ${level}`;
  }
}

function streamOf({ slot, origin }: Known): string {
  return `${slot} ${origin}`;
}

/** Whether a gap tells of a message, or may. */
export function names(gap: Gap, { slot, origin, seq, publish }: Known): boolean {
  if (gap.missing.length === 0) return gap.channel === publish.channel && publish.atMs <= gap.atMs;
  // A place whose channel nobody knows is announced on each channel that the subscriber has there; a floor is of its channel.
  const isMeant = gap.reason === "lost"
    ? slotOf(gap.channel) === slot
    : gap.channel === publish.channel;
  return isMeant && gap.missing.some((range) => holds(range, origin, seq));
}

function holds(range: Range, origin: Origin, seq: Seq): boolean {
  return range.origin === origin && range.from <= seq && seq <= range.to;
}
