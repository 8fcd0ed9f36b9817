/**
 * Judges a {@link Ledger}: whether what was answered was kept, and whether every subscriber got what it was promised
 * (DESIGN "What we sign").
 *
 * @module
 */
import { Excuses } from "./cluster_excuses.ts";
import type { Ledger, Seen, Stand } from "./cluster_ledger.ts";
import { type Known, messagesOf } from "./cluster_messages.ts";
import { names, SubscriberJudge } from "./cluster_subscriber_judge.ts";
import type { Violation } from "./cluster_violation.ts";

/** What is younger than this part of its time is held by all. */
const YOUNG = 0.8;

/** A publish is answered within this. */
const ANSWER_MS = 12_000;
/** By how much what a relay fetches may exceed what was published: some of it comes from every peer. */
const FETCHED_MOST = 4, FETCHED_LEAST = 40;

/** Every promise that was broken, in the order of subscribers. */
export function judge(ledger: Ledger): Violation[] {
  const violations: Violation[] = [];
  const known = messagesOf(ledger, (subscriber, atMs, what) => {
    violations.push({ rule: "invented", ...(subscriber ? { subscriber } : {}), atMs, what });
  });
  const excuses = new Excuses(ledger);
  judgeStands(ledger, known, violations);
  judgeAnswers(ledger, excuses, violations);
  judgeKeys(ledger, known, excuses, violations);
  judgeOrder(ledger, known, excuses, violations);
  judgeFetches(ledger, violations);
  judgeArchive(ledger, known, excuses, violations);
  const byChannel = Map.groupBy(known.values(), ({ publish }) => publish.channel);
  for (const subscriber of ledger.subscribers) {
    const judge = new SubscriberJudge(ledger, subscriber, known, byChannel, excuses);
    violations.push(...judge.violations());
  }
  return violations;
}

/** Relays that hear a channel have the same of it. */
function judgeStands(
  { stands, publishes, retention, endMs, kept }: Ledger,
  known: ReadonlyMap<string, Known>,
  violations: Violation[],
): void {
  const published = Map.groupBy(publishes, ({ channel }) => channel);
  // One that states an order may lie beside a log that had given it up, where only peers see it; of what was neither
  // answered nor seen nobody can tell.
  const isFree = (id: string) => {
    const { publish } = known.get(id) ?? {};
    if (!publish || publish.after || publish.order) return false;
    // What all kept while none ran is older on those that came back first.
    return kept.length === 0 || endMs - publish.atMs < retention.maxAgeMs * YOUNG;
  };
  const hearers = stands.filter(({ hears }) => hears);
  for (const [channel, [first, ...others]] of Map.groupBy(hearers, (stand) => stand.channel)) {
    // What is dropped for its number may differ: they may have got it in different order.
    const isWhole = (published.get(channel)?.length ?? 0) <= retention.maxCount;
    const text = ({ ids, vector }: Stand) => {
      const ends = [...vector].filter(([, seq]) => seq > 0).sort();
      return JSON.stringify([ends, isWhole ? ids.filter(isFree).sort() : []]);
    };
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
    const lastMs = Math.max(...times);
    if (excuses.unreachable(Math.min(...times), lastMs)) continue;
    // A key is known as long as its message is kept.
    if (messages.some((message) => excuses.isExpired(message, lastMs))) continue;
    const what = `${data} is ${messages.map(({ id }) => id).join(" and ")}`;
    violations.push({ rule: "key", atMs: lastMs, what });
  }
}

/** What is in total order comes to all subscribers in one, but for what comes after it was given up. */
function judgeOrder(
  { publishes, subscribers }: Ledger,
  known: ReadonlyMap<string, Known>,
  excuses: Excuses,
  violations: Violation[],
): void {
  const ordered = new Set(publishes.filter(({ order }) => order).map(({ data }) => data));
  if (ordered.size === 0) return;
  const orders = subscribers.map(({ name, seen }) => ({
    name,
    order: orderOf(seen, known, ordered),
  }));
  for (const [n, one] of orders.entries()) {
    for (const other of orders.slice(n + 1)) {
      for (const [first, second] of swapped(one.order, other.order)) {
        const times = [first.publish.atMs, second.publish.atMs];
        if (excuses.unreachable(Math.min(...times), Math.max(...times))) continue;
        const what = `${first.id} and ${second.id}: ${one.name} has them so, ${other.name} not`;
        violations.push({ rule: "total", atMs: second.publish.atMs, what });
      }
    }
  }
}

/** Messages in total order, as one subscriber got them; not those that it was told it misses. */
function orderOf(
  seen: readonly Seen[],
  known: ReadonlyMap<string, Known>,
  ordered: ReadonlySet<string>,
): readonly Known[] {
  const gaps = seen.filter((event) => event.type === "gap"), order: Known[] = [];
  for (const event of seen) {
    const message = event.type === "message" ? known.get(event.id) : undefined;
    if (!message || !ordered.has(message.publish.data)) continue;
    if (!gaps.some((gap) => names(gap, message))) order.push(message);
  }
  return order;
}

/** Neighbours on one channel of which the other has the second before the first. */
function swapped(one: readonly Known[], other: readonly Known[]): (readonly [Known, Known])[] {
  const places = new Map(other.map((message, place) => [message, place]));
  const pairs: (readonly [Known, Known])[] = [];
  const lastOf = new Map<string, Known>();
  for (const message of one) {
    const { channel } = message.publish, place = places.get(message);
    if (place === undefined) continue;
    const last = lastOf.get(channel);
    if (last && (places.get(last) ?? 0) > place) pairs.push([last, message]);
    lastOf.set(channel, message);
  }
  return pairs;
}

/** Nobody fetches again and again what it has. */
function judgeFetches({ publishes, fetches, endMs }: Ledger, violations: Violation[]): void {
  const published = new Set(publishes.map(({ data }) => data)).size;
  for (const { node, messages } of fetches) {
    if (messages <= FETCHED_LEAST + FETCHED_MOST * published) continue;
    const what = `${node} fetched ${messages} messages where ${published} were published`;
    violations.push({ rule: "fetched", atMs: endMs, what });
  }
}

/** What an archive had is there, as far as its store kept it and nothing dropped it. */
function judgeArchive(
  { kept, endMs }: Ledger,
  known: ReadonlyMap<string, Known>,
  excuses: Excuses,
  violations: Violation[],
): void {
  const keptMs = new Map<string, number>();
  for (const { id, archivedMs } of known.values()) {
    if (archivedMs < Infinity) keptMs.set(id, archivedMs);
  }
  for (const { atMs, ids } of kept) {
    for (const id of ids) keptMs.set(id, Math.min(atMs, keptMs.get(id) ?? atMs));
  }
  for (const [id, sinceMs] of keptMs) {
    const message = known.get(id);
    if (!message || message.isHeld || excuses.lostByStore(message.slot, sinceMs)) continue;
    if (excuses.isExpired(message, endMs)) continue;
    const what = `${id} on ${message.publish.channel} was kept at ${sinceMs.toFixed(0)} ms`;
    violations.push({ rule: "archived", atMs: endMs, what });
  }
}
