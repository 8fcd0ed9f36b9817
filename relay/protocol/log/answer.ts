/**
 * What a log tells a copy of it that stands at a vector: a peer that pulls, or an archive.
 *
 * @module
 */
import type { Vector } from "../message.ts";
import type { CatchUp, Standing } from "./catch_up.ts";
import type { Channels } from "./channels.ts";
import type { Holds } from "./holds.ts";
import type { LastHeard } from "./last_heard.ts";
import type { Marks } from "./marks.ts";
import { RangeSets } from "./range_set.ts";
import type { Stored, Timeline } from "./timeline.ts";

/** The parts of a log that an answer is made of. */
export interface Told {
  readonly slot: number;
  readonly vector: Vector;
  readonly timeline: Timeline;
  readonly channels: Channels;
  readonly holds: Holds;
  readonly marks: Marks;
  readonly lastHeard: LastHeard;
}

/** What is here and not in the log: held, or come too late for its place. */
export function aside({ holds, marks }: Pick<Told, "holds" | "marks">): Stored[] {
  return [...holds, ...marks.beside];
}

/** What a copy that stands at `start` lacks, in log order and as views, those kept beside the log at the end. */
export function* messagesAbove({ timeline, marks }: Told, start: Vector): Generator<Stored, void> {
  yield* timeline.messagesAbove(start);
  for (const stored of marks.beside) if (isAbove(stored, start)) yield stored;
}

/** All beyond `start` but the messages. */
export function outline(told: Told, start: Vector, nowMs: number): CatchUp {
  const { slot, vector, channels, marks, lastHeard } = told;
  return {
    slot,
    start,
    beyond: [],
    messages: [],
    held: [],
    lost: marks.above(start),
    floors: channels.floorsAbove(start),
    end: new Map(vector),
    idleMs: lastHeard.idleMs(nowMs),
  };
}

/** The answer to a pull of a peer that stands somewhere. */
export function catchUp(told: Told, { vector, beyond }: Standing, nowMs: number): CatchUp {
  const has = new RangeSets();
  for (const { origin, from, to } of beyond) has.add(origin, from, to);
  const lacks = ({ message: { origin, seq } }: Stored) => !has.of(origin)?.has(seq);
  const aged = ({ message, atMs }: Stored) => ({ message, ageMs: Math.max(0, nowMs - atMs) });
  // Who waits with one that nobody need wait with any longer is told so by getting it again.
  const messages = [...told.timeline.messagesAbove(vector)].filter((stored) =>
    stored.unmet || lacks(stored)
  );
  return {
    ...outline(told, vector, nowMs),
    beyond,
    messages: messages.map((stored) =>
      stored.unmet ? { ...aged(stored), unmet: true } : aged(stored)
    ),
    held: aside(told).filter((stored) => isAbove(stored, vector) && lacks(stored)).map(aged),
  };
}

function isAbove({ message: { origin, seq } }: Stored, start: Vector): boolean {
  return seq > (start.get(origin) ?? 0);
}
