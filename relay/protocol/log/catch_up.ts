/**
 * The answer to a pull: what one slot's log holds beyond a vector (DESIGN "Catch-up is a resume").
 *
 * @module
 */
import type { Message, Origin, Range, Vector } from "../message.ts";

/** A message and how long it has been in the answering relay's LAN, in milliseconds. */
export interface AgedMessage {
  readonly message: Message;
  readonly ageMs: number;
}

export interface CatchUp {
  readonly slot: number;
  /** Where the asker said that it stands: the answer holds for a log that still covers this. */
  readonly start: Vector;
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
