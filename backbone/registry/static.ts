/**
 * The table that needs nobody and never changes.
 *
 * @module
 */
import type { GroupTable } from "./group_table.ts";
import { SlotGroups } from "./slot_groups.ts";

/** Slot modulo pool. */
export function staticGroups(count: number): GroupTable {
  const groups = SlotGroups.initial(count);
  const alone = Array.from({ length: count + 1 }, (_, group) => [group]);
  return {
    epoch: groups.epoch,
    hash: groups.hash,
    entries: groups.entries,
    count,
    groupOf: (slot) => groups.groupOf(slot),
    groupsOf: (slot) => alone[groups.groupOf(slot)] as [number],
    onChange: () => () => {},
  };
}
