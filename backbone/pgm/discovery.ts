/**
 * How a receiver comes to hear of a stream (RFC 3208 §6.1).
 *
 * @module
 */
import { type Data, LARGEST_NAK, type Spm, type Stream } from "./packet.ts";
import { plus } from "./serial.ts";

/** How a stream became known. */
export interface Discovery {
  readonly stream: Stream;
  /** Where to begin: nothing before it is missed. */
  readonly firstSqn: number;
  /** Where its packets come from, if that is known. */
  readonly address: string | undefined;
  readonly nowMs: number;
}

/** A stream so young when first heard of is heard from its beginning: one NAK can still ask for all of it. */
const YOUNG = LARGEST_NAK - 1;

/** Where to begin with a stream that was discovered by `first`: nothing before that is missed. */
export function firstSqnOf(first: Spm | Data, welcomeYoung: boolean): number {
  // An SPM of a source that has sent nothing has lead one before trail.
  const at = first.type === "spm" ? plus(first.lead, 1) : first.sqn;
  return welcomeYoung && first.trail === 0 && at <= YOUNG ? 0 : at;
}
