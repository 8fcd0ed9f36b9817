/**
 * Where a log stands that asks for what it lacks, and whether it still does when it is answered.
 *
 * @module
 */
import type { Origin, Range, Seq } from "../message.ts";
import { covers } from "../vector.ts";
import type { Told } from "./answer.ts";
import { type CatchUp, MAX_BEYOND, type Standing } from "./catch_up.ts";
import { RangeSets } from "./range_set.ts";

/** @param marked by origin, the lowest seq that is asked for below the log's vector. */
export function standingOf(
  { vector, holds, marks }: Told,
  marked: ReadonlyMap<Origin, Seq>,
): Standing {
  const beyond = new RangeSets(), start = new Map(vector);
  for (const [origin, seq] of marked) {
    start.set(origin, seq - 1);
    beyond.add(origin, seq, vector.get(origin) ?? 0);
  }
  if (marked.size > 0) {
    for (const { origin, from, to } of marks.ranges()) beyond.delete(origin, from, to);
  }
  for (const { message: { origin, seq } } of holds) beyond.add(origin, seq, seq);
  return { vector: start, beyond: [...beyond.ranges()].slice(0, MAX_BEYOND) };
}

/**
 * Whether a log has all that an answer takes for granted. One that was dropped since and begun anew has not: it would take
 * what was left out for holes.
 */
export function stillStands(
  told: Told,
  { start, beyond }: Pick<CatchUp, "start" | "beyond">,
): boolean {
  return covers(told.vector, start) && beyond.every((range) => has(told, range));
}

function has({ vector, holds, marks }: Told, { origin, from, to }: Range): boolean {
  const passed = Math.min(to, vector.get(origin) ?? 0);
  for (let seq = Math.max(from, passed + 1); seq <= to; seq++) {
    if (!holds.has(origin, seq)) return false;
  }
  return !marks.overlaps({ origin, from, to: passed });
}
