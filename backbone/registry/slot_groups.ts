/**
 * One version of the mapping of slots to groups, as a value.
 *
 * @module
 */
import { hash as digest } from "node:crypto";
import type { Group } from "../backbone.ts";
import { SLOTS } from "./group_table.ts";

/** Bytes of the entries of a mapping: two for each slot, big-endian. */
export const ENTRIES_BYTES = 2 * SLOTS;

/** Larger epochs cannot have come about by moves. Far below where integers stop to be exact, in Lua as here. */
const LARGEST_EPOCH = 2 ** 48;

/** Which of two versions is newer. */
export interface Version {
  readonly epoch: number;
  /** The first 32 bits of SHA-1 over the entries. */
  readonly hash: number;
}

/** A complete mapping and its version. */
export class SlotGroups implements Version {
  readonly epoch: number;
  readonly hash: number;
  /** Big-endian 16-bit group numbers by slot. */
  readonly entries: Uint8Array;
  readonly #view: DataView;

  private constructor(epoch: number, entries: Uint8Array) {
    if (!Number.isInteger(epoch) || epoch < 0 || epoch > LARGEST_EPOCH) {
      throw new RangeError("its epoch is none");
    }
    this.epoch = epoch;
    this.entries = entries;
    this.#view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    this.hash = Number.parseInt(digest("sha1", entries, "hex").slice(0, 8), 16);
  }

  /** What needs nobody: slot modulo pool, at epoch 0. Group 0 is the control group. */
  static initial(count: number): SlotGroups {
    return SlotGroups.of(0, (slot) => 1 + slot % count);
  }

  static of(epoch: number, groupOf: (slot: number) => Group): SlotGroups {
    const entries = new Uint8Array(ENTRIES_BYTES), view = new DataView(entries.buffer);
    for (let slot = 0; slot < SLOTS; slot++) view.setUint16(2 * slot, groupOf(slot));
    return new SlotGroups(epoch, entries);
  }

  /**
   * What somebody else says the mapping is.
   *
   * @param count how many groups the pool has.
   * @throws {RangeError} that says what is wrong with it.
   */
  static parse(epoch: number, entries: Uint8Array, count: number): SlotGroups {
    if (!(epoch >= 1)) throw new RangeError("its epoch is none");
    if (entries.length !== ENTRIES_BYTES) {
      throw new RangeError(`it has ${entries.length} bytes, not ${ENTRIES_BYTES}`);
    }
    const groups = new SlotGroups(epoch, entries.slice());
    for (let slot = 0; slot < SLOTS; slot++) {
      const group = groups.groupOf(slot);
      if (group >= 1 && group <= count) continue;
      throw new RangeError(
        `slot ${slot} is in group ${group}, and there are ${count}: is --group-count the same on all nodes?`,
      );
    }
    return groups;
  }

  groupOf(slot: number): Group {
    return this.#view.getUint16(2 * slot);
  }

  /** The next version, with some slots elsewhere. @throws {RangeError} if there can be none after this one. */
  moved(moves: ReadonlyMap<number, Group>): SlotGroups {
    return SlotGroups.of(this.epoch + 1, (slot) => moves.get(slot) ?? this.groupOf(slot));
  }

  /** The same mapping with another epoch. */
  at(epoch: number): SlotGroups {
    return new SlotGroups(epoch, this.entries);
  }
}

/**
 * Whether `a` takes the place of `b`. Two versions with one epoch come about when the store was set back; which of them
 * wins does not matter, so long as it is the same everywhere.
 */
export function isNewer(a: Version, b: Version): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.hash > b.hash);
}
