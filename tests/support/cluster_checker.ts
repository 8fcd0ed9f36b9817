/**
 * Judges a {@link Ledger}: whether what was answered was kept, and whether every subscriber got what it was promised
 * (DESIGN "What we sign").
 *
 * @module
 */
import { Excuses } from "./cluster_excuses.ts";
import type { Ledger, Stand } from "./cluster_ledger.ts";
import { type Known, messagesOf } from "./cluster_messages.ts";
import { SubscriberJudge } from "./cluster_subscriber_judge.ts";
import type { Violation } from "./cluster_violation.ts";

/** A publish is answered within this. */
const ANSWER_MS = 12_000;

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
  const byChannel = Map.groupBy(known.values(), ({ publish }) => publish.channel);
  for (const subscriber of ledger.subscribers) {
    const judge = new SubscriberJudge(ledger, subscriber, known, byChannel, excuses);
    violations.push(...judge.violations());
  }
  return violations;
}

/** Relays that hear a channel have the same of it. */
function judgeStands(
  { stands, publishes, retention, endMs }: Ledger,
  known: ReadonlyMap<string, Known>,
  violations: Violation[],
): void {
  const published = Map.groupBy(publishes, ({ channel }) => channel);
  // One that states an order may lie beside a log that had given it up, where only peers see it.
  const ordered = new Set(publishes.filter(({ after }) => after).map(({ data }) => data));
  const free = (id: string) => !ordered.has(known.get(id)?.publish.data ?? "");
  const hearers = stands.filter(({ hears }) => hears);
  for (const [channel, [first, ...others]] of Map.groupBy(hearers, (stand) => stand.channel)) {
    // What is dropped for its number may differ: they may have got it in different order.
    const isWhole = (published.get(channel)?.length ?? 0) <= retention.maxCount;
    const text = ({ ids, vector }: Stand) => {
      const ends = [...vector].filter(([, seq]) => seq > 0).sort();
      return JSON.stringify([ends, isWhole ? ids.filter(free).sort() : []]);
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
