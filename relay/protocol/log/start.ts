/**
 * Where a reader starts, and whether its cursor tells what it missed.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "../message.ts";
import type { LogOptions } from "./options.ts";
import type { Tail } from "./tail.ts";

/** What comes from now on, all that is retained, or after the reader's cursor in this slot. */
export type OpenStart = "live" | "earliest" | Vector;

export interface Start {
  /** Number of the first entry to read. */
  readonly index: number;
  /** The vector before it. */
  readonly vector: Map<Origin, Seq>;
  /** The cursor it resumes from. */
  readonly filter?: Vector;
  /** Nobody can tell what was missed since the cursor. */
  readonly unknown?: boolean;
}

/** A cursor older than this may name what everybody has forgotten: an hour less than `forgetMs` by default. */
const MAX_CURSOR_AGE_MS = 23 * 60 * 60 * 1000;

/** Where a reader of these channels starts. */
export function startOf(
  tail: Tail,
  channels: readonly string[],
  start: OpenStart,
  asOfMs: number | undefined,
  vector: Vector,
  options: Pick<LogOptions, "self" | "asOfMs" | "known">,
): Start {
  if (start === "live") return startLive(tail);
  if (start === "earliest") return startEarliest(tail, new Set(channels));
  return resumeAfter(start, asOfMs, vector, options);
}

function startLive(tail: Tail): Start {
  return { index: tail.index, vector: new Map(tail.shown) };
}

/** Before the first message retained of some channels: what was dropped before it is no reader's concern. */
function startEarliest(
  { timeline, index: end }: Tail,
  channels: ReadonlySet<string>,
): Start {
  let index = timeline.start;
  for (; index < end; index++) {
    const message = timeline.at(index)?.message;
    if (message && channels.has(message.channel)) break;
  }
  return { index, vector: timeline.vectorAt(index) };
}

/** Before the first entry there ever was: floors are checked before a reader may pass what is gone. */
function resumeAfter(
  cursor: Vector,
  asOfMs: number | undefined,
  vector: Vector,
  { self, asOfMs: syncedMs, known }: Pick<LogOptions, "self" | "asOfMs" | "known">,
): Start {
  const unknown = asOfMs !== undefined && syncedMs() - asOfMs > MAX_CURSOR_AGE_MS ||
    [...cursor.keys()].some((origin) => !vector.has(origin) && !known(origin));
  return { index: 0, vector: new Map([[self, 0]]), filter: new Map(cursor), unknown };
}
