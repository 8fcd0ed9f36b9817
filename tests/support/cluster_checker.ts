/**
 * Judges a {@link Ledger}: whether what was answered was kept, and whether every subscriber got what it was promised
 * (DESIGN "What we sign").
 *
 * @module
 */
import { MAX_CURSOR_CHARS } from "../../relay/protocol/cursor.ts";
import type { Origin, Range, Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { Excuses } from "./cluster_excuses.ts";
import type { Ledger, Seen, Stand, Subscriber } from "./cluster_ledger.ts";
import { Follows, type Known, messagesOf } from "./cluster_messages.ts";

/** What was promised and not kept. */
export type Rule =
  /** A message that was answered `replicated`, or that a live relay holds, neither came nor was announced as missing. */
  | "missing"
  /** A message answered `replicated` was announced as missing, with nothing that excuses it. */
  | "gap over replicated"
  /** A message came twice. */
  | "duplicate"
  /** A message came after a later one of its origin. */
  | "order"
  /** A message came before one that it follows, and no gap had named that. */
  | "after"
  /** A subscriber lacked a message for over 5 s and was told nothing. */
  | "behind"
  /** One key has two ids, and the custodians could be reached. */
  | "key"
  /** A message that nobody published, or not so; or two publishes answered with one id. */
  | "invented"
  /** A subscriber without a cursor got what was published long before it came. */
  | "history"
  /** Relays that hear a channel do not have the same of it though all was quiet for long. */
  | "converge"
  /** `stale` twice, or `fresh` without `stale`. */
  | "stale"
  /** A cursor over its limit. */
  | "cursor"
  /** A subscriber could not connect, or a publish was answered only after its time. */
  | "stuck";

export interface Violation {
  readonly rule: Rule;
  /** Who saw it, if it was a subscriber. */
  readonly subscriber?: string;
  readonly atMs: number;
  readonly what: string;
}

/** DESIGN: nobody is silently behind for more than this. */
const BEHIND_MS = 5000;
/** Events of one moment may be noted in the order of noting. */
const SLACK_MS = 250;
/** What was published so long before a fresh subscriber came is history to it. */
const HISTORY_MS = 12_000;
/** A publish is answered within this. */
const ANSWER_MS = 12_000;

/** Every promise that was broken, in the order of subscribers. */
export function judge(ledger: Ledger): Violation[] {
  const violations: Violation[] = [];
  const known = messagesOf(ledger, (subscriber, atMs, what) => {
    violations.push({ rule: "invented", ...(subscriber ? { subscriber } : {}), atMs, what });
  });
  const excuses = new Excuses(ledger);
  judgeStands(ledger, violations);
  judgeAnswers(ledger, excuses, violations);
  judgeKeys(ledger, known, excuses, violations);
  const byChannel = Map.groupBy(known.values(), ({ publish }) => publish.channel);
  for (const subscriber of ledger.subscribers) {
    const judged = new Judged(ledger, subscriber, known, byChannel, excuses);
    violations.push(...judged.violations());
  }
  return violations;
}

/** A violation as a line. */
export function tell({ rule, subscriber, atMs, what }: Violation): string {
  return `${rule}${subscriber ? ` at ${subscriber}` : ""} (${atMs.toFixed(0)} ms): ${what}`;
}

function judgeStands(
  { stands, publishes, retention, endMs }: Ledger,
  violations: Violation[],
): void {
  const published = Map.groupBy(publishes, ({ channel }) => channel);
  const hearers = stands.filter(({ hears }) => hears);
  for (const [channel, [first, ...others]] of Map.groupBy(hearers, (stand) => stand.channel)) {
    // What is dropped for its number may differ: they may have got it in different order.
    const isWhole = (published.get(channel)?.length ?? 0) <= retention.maxCount;
    const text = ({ ids, vector }: Stand) =>
      JSON.stringify([
        [...vector].filter(([, seq]) => seq > 0).sort(),
        isWhole ? [...ids].sort() : [],
      ]);
    for (const other of others) {
      if (!first || text(first) === text(other)) continue;
      const what = `${channel}: ${first.node} ${text(first)}, ${other.node} ${text(other)}`;
      violations.push({ rule: "converge", atMs: endMs, what });
    }
  }
}

/** Every attempt is answered in time. */
function judgeAnswers({ publishes }: Ledger, excuses: Excuses, violations: Violation[]): void {
  for (const { answer, atMs, node, data } of publishes) {
    if (!answer || answer.atMs - atMs <= ANSWER_MS) continue;
    if (excuses.paused(node, atMs, answer.atMs)) continue;
    const what = `${data} was answered after ${(answer.atMs - atMs).toFixed(0)} ms`;
    violations.push({ rule: "stuck", atMs: answer.atMs, what });
  }
}

/** One key has one id, however often it was tried. */
function judgeKeys(
  { publishes }: Ledger,
  known: ReadonlyMap<string, Known>,
  excuses: Excuses,
  violations: Violation[],
): void {
  const ids = Map.groupBy(known.values(), ({ publish }) => publish.data);
  const tries = Map.groupBy(publishes, ({ data }) => data);
  for (const [data, messages] of ids) {
    if (messages.length === 1) continue;
    const times = (tries.get(data) ?? []).flatMap((
      { atMs, answer },
    ) => [atMs, answer?.atMs ?? atMs]);
    if (excuses.unreachable(Math.min(...times), Math.max(...times))) continue;
    const what = `${data} is ${messages.map(({ id }) => id).join(" and ")}`;
    violations.push({ rule: "key", atMs: Math.max(...times), what });
  }
}

type Gap = Extract<Seen, { type: "gap" }>;

interface Session {
  readonly node: string;
  readonly fromMs: number;
  toMs: number;
}

/** One subscriber's side. */
class Judged {
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

  violations(): Violation[] {
    const lastOf = new Map<string, Seq>();
    const follows = new Follows(this.#concerns);
    for (const event of this.#subscriber.seen) {
      if (event.type === "message") this.#message(event, lastOf, follows);
      else if (event.type === "gap") this.#gaps.push(event);
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
    lastOf: Map<string, Seq>,
    follows: Follows,
  ): void {
    const { id, atMs, cursorChars } = event;
    const message = this.#known.get(id);
    if (!message) return;
    const stream = `${message.slot} ${message.origin}`;
    if (this.#gotMs.has(id)) this.#complain("duplicate", atMs, id);
    else if ((lastOf.get(stream) ?? 0) > message.seq) this.#complain("order", atMs, id);
    else lastOf.set(stream, message.seq);
    if (!this.#gotMs.has(id)) this.#gotMs.set(id, atMs);
    if (cursorChars > MAX_CURSOR_CHARS) this.#complain("cursor", atMs, `${cursorChars} long`);
    if (message.publish.atMs < this.#firstMs - HISTORY_MS && !this.#excuses.cutNear(atMs)) {
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
    if (!this.#isDue(message)) return;
    const gotMs = this.#gotMs.get(message.id) ?? Infinity;
    const gaps = this.#gaps.filter((gap) => names(gap, message));
    const toldMs = Math.min(gotMs, ...gaps.map(({ atMs }) => atMs));
    if (toldMs === Infinity && !this.#isDestroyed(message)) {
      this.#complain("missing", this.#ledger.endMs, this.#describe(message));
    }
    if (gotMs === Infinity && gaps.length > 0) this.#judgeGap(message, gaps);
    this.#judgeDelay(message, toldMs);
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
    const sinceMs = Math.min(message.answeredMs, message.firstSeenMs);
    if (this.#isDestroyed(message)) return;
    for (const { node, fromMs, toMs } of this.#sessions) {
      const lateMs = Math.max(sinceMs, fromMs) + BEHIND_MS + SLACK_MS;
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

function names(gap: Gap, { slot, origin, seq, publish }: Known): boolean {
  if (gap.missing.length === 0) return gap.channel === publish.channel && publish.atMs <= gap.atMs;
  // A place whose channel nobody knows is announced on each channel that the subscriber has there.
  return slotOf(gap.channel) === slot && gap.missing.some((range) => holds(range, origin, seq));
}

function holds(range: Range, origin: Origin, seq: Seq): boolean {
  return range.origin === origin && range.from <= seq && seq <= range.to;
}
