/**
 * The state of a reader that is on its way.
 *
 * @module
 */
import type { Origin, Range, Seq, Vector } from "../message.ts";
import type { GapReason } from "../upstream.ts";
import { NOBODY } from "../vector.ts";

/** A gap that waits for the sink; its cursor is written when it is delivered. */
export interface PendingGap {
  readonly channel: string;
  readonly reason: GapReason;
  readonly missing: readonly Range[];
}

/** Where it is, and what it has yet to say. */
export interface Walk {
  /** Number of the next entry. */
  index: number;
  /** The vector before it, as this reader went. */
  readonly vector: Map<Origin, Seq>;
  /** What its cursor covers: delivered elsewhere. */
  readonly filter: Vector | undefined;
  readonly gaps: PendingGap[];
  /** Whom the filter covers although its cursor did not: until all gaps are told, it cannot place them any better. */
  cut: ReadonlySet<Origin>;
  /** The tail's `losses` when floors were last checked. */
  losses: number;
  accepting: boolean;
  running: boolean;
}

/** A walk from the entry of a number, with the vector before it, past what `filter` covers. */
export function newWalk(index: number, vector: Map<Origin, Seq>, filter: Vector | undefined): Walk {
  const gaps: PendingGap[] = [];
  return { index, vector, filter, gaps, cut: NOBODY, losses: -1, accepting: false, running: false };
}
