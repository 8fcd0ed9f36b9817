/**
 * The messages of a {@link Ledger}, put together from what was answered and what was seen.
 *
 * @module
 */
import { type Origin, parseMessageId, type Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Ledger, Publish } from "./cluster_ledger.ts";

/** A message as the whole ledger knows it. */
export interface Known {
  readonly id: string;
  readonly slot: number;
  readonly origin: Origin;
  readonly seq: Seq;
  readonly publish: Publish;
  /** When it was answered, at any level. */
  answeredMs: number;
  /** When it was answered `replicated`, if it was. */
  replicatedMs: number;
  /** When it was answered `archived`, if it was. */
  archivedMs: number;
  /** Whether a live relay has it in the end. */
  readonly isHeld: boolean;
  /** Whether an archive had it when all relays crashed. */
  readonly isKept: boolean;
  /** When the first subscriber had it. */
  firstSeenMs: number;
}

/** All messages that were answered or seen, by id; tells of those that nobody published so. */
export function messagesOf(
  ledger: Ledger,
  invented: (subscriber: string | undefined, atMs: number, what: string) => void,
): Map<string, Known> {
  const known = new Map<string, Known>();
  const published = new Map<string, Publish>();
  const held = new Set(ledger.stands.flatMap(({ ids }) => ids));
  const kept = new Set(ledger.kept.flatMap(({ ids }) => ids));
  const add = (id: string, publish: Publish): Known | undefined => {
    const had = known.get(id);
    if (had) return had.publish.data === publish.data ? had : undefined;
    const place = parseMessageId(id);
    if (!place || place.slot !== slotOf(publish.channel)) return undefined;
    const never = {
      answeredMs: Infinity,
      replicatedMs: Infinity,
      archivedMs: Infinity,
      firstSeenMs: Infinity,
    };
    const found = { isHeld: held.has(id), isKept: kept.has(id) };
    const made = { id, ...place, publish, ...never, ...found };
    known.set(id, made);
    return made;
  };
  for (const publish of ledger.publishes) {
    if (!published.has(publish.data)) published.set(publish.data, publish);
    const { answer } = publish;
    if (!answer || !("id" in answer)) continue;
    const message = add(answer.id, published.get(publish.data) ?? publish);
    if (!message) {
      const what = `${publish.data} was answered with ${answer.id}, which is another's`;
      invented(undefined, answer.atMs, what);
      continue;
    }
    message.answeredMs = Math.min(message.answeredMs, answer.atMs);
    const level = `${answer.level}Ms` as const;
    if (level !== "acceptedMs") message[level] = Math.min(message[level], answer.atMs);
  }
  for (const { name, seen } of ledger.subscribers) {
    for (const event of seen) {
      if (event.type !== "message") continue;
      const publish = published.get(event.data);
      const message = publish?.channel === event.channel ? add(event.id, publish) : undefined;
      if (message) message.firstSeenMs = Math.min(message.firstSeenMs, event.atMs);
      else {
        const what = `${event.id} with ${event.data} on ${event.channel}`;
        invented(name, event.atMs, what);
      }
    }
  }
  return known;
}

/** What comes up to a position, each message once: what was there for one `after` is not asked for by the next. */
export class Follows {
  readonly #streams: ReadonlyMap<string, Known[]>;
  readonly #done = new Map<string, number>();

  constructor(messages: readonly Known[]) {
    this.#streams = Map.groupBy(messages, ({ slot, origin }) => `${slot} ${origin}`);
    for (const stream of this.#streams.values()) stream.sort((a, b) => a.seq - b.seq);
  }

  *upTo(slot: number, origin: Origin, seq: Seq): Generator<Known, void> {
    const key = `${slot} ${origin}`;
    const stream = this.#streams.get(key) ?? [];
    let at = this.#done.get(key) ?? 0;
    for (let next = stream[at]; next && next.seq <= seq; next = stream[++at]) yield next;
    this.#done.set(key, at);
  }
}
