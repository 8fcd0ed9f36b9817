/**
 * Which group carries a slot.
 *
 * @module
 */
import type { Group } from "./backbone.ts";

/** A mapping of the 16384 slots to the pool of groups. */
export interface GroupTable {
  /** Rises with each change; relays that differ in it may look for a message in different groups. */
  readonly epoch: number;
  /** How many groups the pool has. */
  readonly count: number;
  /** The group of a slot: 1 to `count`. */
  groupOf(slot: number): Group;
}

/** The table that needs nobody: slot modulo pool. Group 0 is the control group. */
export function staticGroups(count: number): GroupTable {
  return { epoch: 0, count, groupOf: (slot) => 1 + slot % count };
}
