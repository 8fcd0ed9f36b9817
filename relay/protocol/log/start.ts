/**
 * Where a reader starts, and whether its cursor tells what it missed.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "../message.ts";
import { NOBODY } from "../vector.ts";
import type { SlotLog } from "./log.ts";
import type { LogOptions, OpenOptions } from "./options.ts";
import type { Tail } from "./tail.ts";
import type { PendingGap } from "./walk.ts";

/** What comes from now on, all that is retained, or after the reader's cursor in this slot. */
export type OpenStart = "live" | "earliest" | Vector;

export interface Start {
  /** Number of the first entry to read. */
  readonly index: number;
  /** The vector before it. */
  readonly vector: Map<Origin, Seq>;
  /** The cursor it resumes from. */
  readonly filter?: Vector;
  /** Whom the filter covers although the cursor does not. */
  readonly cut?: ReadonlySet<Origin>;
  /** What the cursor cannot tell, and is announced before all else. */
  readonly gaps?: readonly PendingGap[];
}

/** A cursor older than this may name what everybody has forgotten: an hour less than `forgetMs` by default. */
const MAX_CURSOR_AGE_MS = 23 * 60 * 60 * 1000;

/** Where a reader of these channels starts. */
export function startOf(
  tail: Tail,
  channels: readonly string[],
  start: OpenStart,
  cursor: Pick<OpenOptions, "asOfMs" | "cut">,
  log: Pick<SlotLog, "vector" | "highest">,
  options: Pick<LogOptions, "self" | "asOfMs" | "known">,
): Start {
  if (start === "live") return startLive(tail);
  if (start === "earliest") return startEarliest(tail, new Set(channels));
  const { asOfMs, cut = NOBODY } = cursor, named = [...start.keys(), ...cut];
  const isOld = asOfMs !== undefined && options.asOfMs() - asOfMs > MAX_CURSOR_AGE_MS;
  const isUnknown = isOld ||
    named.some((origin) => !log.vector.has(origin) && !options.known(origin));
  const passed = passedOver(cut, log);
  return {
    // Before the first entry there ever was: floors are checked before a reader may pass what is gone.
    index: 0,
    vector: new Map([[options.self, 0]]),
    // Whose positions were left out is the longest gone, and to be named as such again.
    filter: new Map([...passed, ...start]),
    cut,
    gaps: isUnknown ? unknownGaps(channels) : gapsOver(passed, tail, channels),
  };
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

function unknownGaps(channels: readonly string[]): PendingGap[] {
  return channels.map((channel) => ({ channel, reason: "unknown", missing: [] }));
}

/** How far each of these has come, with what waits or has yet to come before that: the reader may have had it elsewhere. */
function passedOver(origins: Iterable<Origin>, log: Pick<SlotLog, "highest">): Map<Origin, Seq> {
  const passed = new Map<Origin, Seq>();
  for (const origin of origins) {
    const seq = log.highest(origin);
    if (seq > 0) passed.set(origin, seq);
  }
  return passed;
}

/** A gap in each channel over those who have, or had, something there. */
function gapsOver(passed: Vector, tail: Tail, channels: readonly string[]): PendingGap[] {
  if (passed.size === 0) return [];
  const anywhere = new Set<Origin>(), there = new Map<string, Set<Origin>>();
  for (const channel of channels) {
    there.set(channel, new Set(tail.channels.floorsOf(channel).keys()));
  }
  // What is not shown yet, or has yet to come, may be of any channel; and so may what is lost.
  for (const [origin, seq] of passed) {
    if (seq > (tail.shown.get(origin) ?? 0)) anywhere.add(origin);
  }
  for (let index = tail.timeline.start; index < tail.index; index++) {
    const { kind, origin, message } = tail.timeline.at(index) ?? {};
    if (origin === undefined || !passed.has(origin)) continue;
    if (kind === "lost") anywhere.add(origin);
    else if (message) there.get(message.channel)?.add(origin);
  }
  return channels.flatMap((channel) => {
    const isThere = (origin: Origin) => anywhere.has(origin) || there.get(channel)?.has(origin);
    const missing = [...passed].filter(([origin]) => isThere(origin))
      .map(([origin, to]) => ({ origin, from: 1, to }));
    return missing.length > 0 ? [{ channel, reason: "unknown", missing }] : [];
  });
}
