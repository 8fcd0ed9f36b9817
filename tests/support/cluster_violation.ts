/**
 * The rules that a cluster is judged by, and how a breach of one is told.
 *
 * @module
 */

/** What was promised and not kept. */
export type Rule =
  /** A message that was answered `replicated`, or that a live relay holds, neither came nor was announced as missing. */
  | "missing"
  /** A subscriber got what came after a message that it neither got nor was told it misses. */
  | "silent"
  /** No relay has what was answered `archived`, or what an archive had when all relays crashed. */
  | "archived"
  /** A message answered `replicated` was announced as missing, with nothing that excuses it. */
  | "gap over replicated"
  /** A subscriber was told that nobody can tell what it missed, with nothing that excuses it. */
  | "unknown gap"
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
  /** Two subscribers got two messages that were to be in total order in different order. */
  | "total"
  /** A relay fetched again and again what it had. */
  | "fetched"
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

/** A violation as a line. */
export function tell({ rule, subscriber, atMs, what }: Violation): string {
  return `${rule}${subscriber ? ` at ${subscriber}` : ""} (${atMs.toFixed(0)} ms): ${what}`;
}
