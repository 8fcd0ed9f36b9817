/**
 * What tests of the log have in common: short ways to make logs, messages and readers that note what they get.
 *
 * @module
 */
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { type LogOptions, SlotLog } from "../../relay/protocol/log/log.ts";
import type { Reader } from "../../relay/protocol/log/reader.ts";
import type { Message, Origin, Seq, Vector } from "../../relay/protocol/message.ts";
import type { StreamEvent } from "../../relay/protocol/upstream.ts";

export const SLOT = 7;
export const HOLD_MS = 4000;
export const MAX_AGE_MS = 300_000;
export const FORGET_MS = 24 * 3_600_000;
/** Origins, as the model's counter-examples call them. */
export const A = "relayAAA", B = "relayBBB", C = "relayCCC", D = "relayDDD";

export const LOG_OPTIONS: LogOptions = {
  self: "relaySSS",
  maxCount: 1000,
  maxAgeMs: MAX_AGE_MS,
  holdMs: HOLD_MS,
  forgetMs: FORGET_MS,
  asOfMs: () => Date.UTC(2026, 0, 1),
  known: () => false,
};

export function newLog(self = LOG_OPTIONS.self, options: Partial<LogOptions> = {}): SlotLog {
  return new SlotLog(SLOT, { ...LOG_OPTIONS, self, ...options });
}

export function message(origin: Origin, seq: Seq, channel = "a", after?: [Origin, Seq][]): Message {
  return {
    ...{ slot: SLOT, origin, seq, channel, data: `${origin}.${seq}`, timeMs: 0, region: "r" },
    ...(after ? { after: new Map(after) } : {}),
  };
}

/** Appends `from` to `to` of an origin. */
export function appendAll(
  log: SlotLog,
  origin: Origin,
  from: Seq,
  to: Seq,
  nowMs = 0,
  channel = "a",
): void {
  for (let seq = from; seq <= to; seq++) log.append(message(origin, seq, channel), nowMs);
}

/** An event as a word: `relayAAA.1`, or `lost relayAAA.2-3`. */
export function say(event: StreamEvent): string {
  if (event.type === "message") return `${event.message.origin}.${event.message.seq}`;
  if (event.type !== "gap") return event.type;
  const missing = event.missing.map(({ origin, from, to }) => `${origin}.${from}-${to}`);
  return [event.reason, ...missing].join(" ");
}

export interface Noted {
  readonly reader: Reader;
  /** Events in words. */
  readonly said: string[];
  readonly events: StreamEvent[];
  /** The place in each event's cursor. */
  readonly places: Vector[];
}

/** Opens a reader that takes everything, or as many at a time as `room` says. It is resumed unless `room` is 0. */
export function follow(
  log: SlotLog,
  start: "live" | "earliest" | Vector,
  { channels = ["a"], room = Infinity, nowMs = 0, asOfMs, cut = [] }: {
    readonly channels?: readonly string[];
    readonly room?: number;
    readonly nowMs?: number;
    readonly asOfMs?: number;
    readonly cut?: readonly Origin[];
  } = {},
): Noted {
  const said: string[] = [];
  const events: StreamEvent[] = [];
  const places: Vector[] = [];
  const sink = (event: StreamEvent) => {
    said.push(say(event));
    events.push(event);
    if ("cursor" in event) places.push(placeOf(event.cursor));
    return events.length % room !== 0;
  };
  const reader = log.open(channels, start, nowMs, { sink, asOfMs, cut: new Set(cut) });
  if (room > 0) reader.resume();
  return { reader, said, events, places };
}

/** What a cursor says of this slot. */
export function placeOf(cursor: string): Vector {
  return parseCursor(cursor).slots.get(SLOT) ?? new Map();
}

/** One log pulls from another what digests would make it pull. */
export function pull(to: SlotLog, from: SlotLog, nowMs: number): boolean {
  const start = to.pullFrom(from.vector, from.lost());
  return start === undefined || to.merge(from.catchUp(start, nowMs), nowMs);
}
