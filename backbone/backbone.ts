/**
 * What the relay sees of the LAN: opaque payloads to groups, in order per source and group.
 *
 * Guarantees: payloads of one source and group arrive in the order sent, each at most once. One that cannot be
 * repaired is skipped and announced by `lost`; the rest goes on. A relay never hears its own payloads. A source is
 * heard from the moment its stream is known here; what it sent before is not announced as lost, unless {@link
 * Backbone.startAt} says that it is wanted.
 *
 * @module
 */

import { LARGEST_TAG } from "./pgm/ack.ts";
import type { SqnRange } from "./pgm/serial.ts";
import type { Urgency } from "./pgm/urgency.ts";

export { lengthOf, type SqnRange } from "./pgm/serial.ts";
export type { Urgency } from "./pgm/urgency.ts";

/** Group 0 is the control group; 1 to `groupCount` are the pool. */
export type Group = number;

/** What the relay hands in to be told. Callbacks must not throw. */
export interface BackboneEvents {
  /**
   * A payload of another relay. `origin` is its TSI's GSI as 8 base64url characters. The bytes are the callee's to keep.
   * @param nowMs monotonic milliseconds: one packet may bring many, and a clock for each of them would be felt.
   */
  message(group: Group, origin: string, payload: Uint8Array, nowMs: number): void;
  /** The TPDUs of `origin` on `group` with these sequence numbers can no longer be repaired. */
  lost(group: Group, origin: string, range: SqnRange): void;
  /**
   * The relay `origin`, which is tagged, has been handed all our payloads to `group` with the ordinals `from` to `through`,
   * both included. What was acknowledged before stays so. Told each time that it has more; an acknowledgement that comes
   * when what it speaks of has left the transmit window is passed over.
   */
  acknowledged?(group: Group, origin: string, from: number, through: number): void;
}

/** The most relays whose acknowledgements can hold what is sent to one group: an SPM names no more. */
export const MOST_TAGGED: number = LARGEST_TAG;

/** Counters since the start, for metrics and tests; by name, all rising. */
export type BackboneCounters = Readonly<Record<string, number>>;

/** One relay's place on the LAN. */
export interface Backbone {
  /**
   * Sends to a group, whether joined or not. On the wire before it returns unless the budget says wait (then queued, bounded).
   * Answers the payload's ordinal among those of ours to the group: 1, 2, 3 … 0: the window or the queue is full, nothing
   * was taken.
   *
   * @param urgency `awaited`: somebody waits for {@link BackboneEvents.acknowledged}, which else comes in good time.
   * `repeated`: it is said again soon, so that its loss need not be found within milliseconds. `usual` if absent.
   * @param nowMs monotonic milliseconds, if they are known: a clock for each of many is felt.
   * @throws {RangeError} if the payload is over the largest message.
   */
  send(group: Group, payload: Uint8Array, urgency?: Urgency, nowMs?: number): number;
  /**
   * Names the relays whose acknowledgements hold what we send to a group to a window: {@link send} answers 0 when
   * it is full and the queue before it as well. What is awaited the first of them acknowledges at once. They hold us from
   * now on: whoever is to do so from the first payload is named before it. One that holds us up for long without coming
   * on, or never answers, loses that right until it has
   * caught up. Nobody, at first: then the budget alone limits what is sent.
   *
   * @throws {RangeError} if they are more than {@link MOST_TAGGED}, or one is no origin.
   */
  tag(group: Group, origins: readonly string[]): void;
  /**
   * The sequence number that the next TPDU of ours to a group will have. What comes in TPDUs before it was taken by
   * {@link send} before now, and so may be in a snapshot that is made now.
   */
  position(group: Group): number;
  /**
   * Starts the stream of a relay at a position that it told: everything before it is had by other means (a snapshot),
   * everything from it on is wanted, though nothing of it may have been heard. Heeded on joined groups only, and forgotten
   * like any stream if nothing of it is heard for long.
   *
   * What was delivered is not taken back: if the stream began later here and something of it was delivered, what lies
   * between is announced as lost at once; else it is asked for, and delivered in its place or announced as lost. A stream
   * that began earlier goes on as it is: what the snapshot has comes a second time.
   *
   * @throws {RangeError} if `origin` is no origin, or `position` no sequence number.
   */
  startAt(group: Group, origin: string, position: number): void;
  /** Starts to hear a group. Idempotent; resolves when the membership stands. */
  join(group: Group): Promise<void>;
  /** Stops hearing a group. Idempotent. */
  leave(group: Group): void;
  /** What was counted so far. */
  counters(): BackboneCounters;
  /** Says goodbye (FIN on SPMs), ends timers and sockets. Idempotent. */
  close(): Promise<void>;
}
