/**
 * Which group carries a slot (DESIGN "Slots, origins, messages"). Relays that disagree lose nothing: what was sent to a
 * group that somebody does not hear reaches it by anti-entropy, later.
 *
 * @module
 */
import type { Group } from "../backbone.ts";

/** Slots of a table. */
export const SLOTS = 16_384;

/** A mapping of the 16384 slots to the pool of groups, which may change while it is used. */
export interface GroupTable {
  /** Rises with each change; 0: nobody has ever moved anything. */
  readonly epoch: number;
  /** Of the mapping alone, 32 bits. Relays whose hashes are equal agree, whatever their epochs. */
  readonly hash: number;
  /** Of each slot its group, in two bytes, big-endian. */
  readonly entries: Uint8Array;
  /** How many groups the pool has. */
  readonly count: number;
  /** Where messages of a slot are sent: 1 to {@link count}. */
  groupOf(slot: number): Group;
  /** Where messages of a slot may come from: {@link groupOf} first, then groups that it is being moved out of. */
  groupsOf(slot: number): readonly Group[];
  /**
   * Calls `fn` after {@link groupsOf} has changed for the slots it is given; the answer ends that, and may be called any
   * number of times.
   */
  onChange(fn: (slots: readonly number[]) => void): () => void;
}
