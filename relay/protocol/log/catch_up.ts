/**
 * The answer to a pull: what one slot's log holds beyond a vector (DESIGN "Catch-up is a resume").
 *
 * @module
 */
import type { Message, Origin, Range, Vector } from "../message.ts";
import { NOWHERE } from "../vector.ts";
import { RangeSets } from "./range_set.ts";

/** A message and how long it has been in the answering relay's LAN, in milliseconds. */
export interface AgedMessage {
  readonly message: Message;
  readonly ageMs: number;
  /** It was delivered without what it had to follow: waiting for that is over. */
  readonly unmet?: true;
}

/** Of what is had beyond a vector so many ranges are told; what the others name comes a second time. */
export const MAX_BEYOND = 256;

/** Where a log stands that asks for what it lacks. */
export interface Standing {
  /** All up to here it has, or knows that it will not get. */
  readonly vector: Vector;
  /** What it has beyond that: held, or behind a mark. An answer leaves it out. */
  readonly beyond: readonly Range[];
}

/** Of a log that has nothing. */
export const FROM_NOWHERE: Standing = { vector: NOWHERE, beyond: [] };

export interface CatchUp {
  readonly slot: number;
  /** Where the asker said that it stands: the answer holds for a log that still covers this. */
  readonly start: Vector;
  /** What the asker said that it has beyond `start`: not sent again, and not a hole. */
  readonly beyond: readonly Range[];
  /** In log order. */
  readonly messages: readonly AgedMessage[];
  /** Held, or kept beside the log because a mark took their place. */
  readonly held: readonly AgedMessage[];
  /** What the answering relay has marked as lost. */
  readonly lost: readonly Range[];
  /** By channel, the highest seq dropped per origin where it is above `start`; the empty channel is the slot's own. */
  readonly floors: ReadonlyMap<string, Vector>;
  /** Where the asker's log stands after it took the answer. */
  readonly end: Vector;
  /** By origin, how long since its last message, in milliseconds, so that forgetting does not start anew. */
  readonly idleMs: ReadonlyMap<Origin, number>;
}

/** What the answering relay has passed beyond `vector` and neither sent nor marked: it has dropped it. */
export function holesOf(answer: CatchUp, vector: Vector): Range[] {
  const holes = new RangeSets();
  for (const [origin, seq] of answer.end) holes.add(origin, (vector.get(origin) ?? 0) + 1, seq);
  for (const { message: { origin, seq } } of answer.messages) holes.delete(origin, seq, seq);
  for (const { message: { origin, seq } } of answer.held) holes.delete(origin, seq, seq);
  for (const { origin, from, to } of answer.lost) holes.delete(origin, from, to);
  for (const { origin, from, to } of answer.beyond) holes.delete(origin, from, to);
  return [...holes.ranges()];
}

/** The origins of an answer as its relay heard of them last: in this order cursors name them, and give them up. */
export function longestIdleFirst({ end, idleMs }: CatchUp): Origin[] {
  return [...end.keys()].sort((a, b) => (idleMs.get(b) ?? 0) - (idleMs.get(a) ?? 0));
}
