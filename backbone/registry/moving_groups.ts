/**
 * A table that follows newer versions of the mapping. What a slot is moved out of is still heard until nobody sends there.
 *
 * @module
 */
import type { Group } from "../backbone.ts";
import { type GroupTable, SLOTS } from "./group_table.ts";
import { isNewer, SlotGroups, type Version } from "./slot_groups.ts";

/** A group that slots were moved out of is heard for so long after the last relay has come to know of it. */
export const QUIET_MS = 10_000;

/** The driver hands in versions and who is in view; the rest of a relay looks slots up. */
export class MovingGroups implements GroupTable {
  readonly count: number;
  readonly #listeners = new Set<(slots: readonly number[]) => void>();
  /** By group, the answer for slots that are in it alone. */
  readonly #alone: readonly (readonly Group[])[];
  /** Slots that are being moved, and everywhere they may still be sent, the present group first. */
  readonly #moving = new Map<number, readonly Group[]>();
  #groups: SlotGroups;
  #agreedSinceMs: number | undefined;
  #moves = 0;

  constructor(count: number) {
    this.count = count;
    this.#alone = Array.from({ length: count + 1 }, (_, group) => [group]);
    this.#groups = SlotGroups.initial(count);
  }

  get epoch(): number {
    return this.#groups.epoch;
  }

  get hash(): number {
    return this.#groups.hash;
  }

  get entries(): Uint8Array {
    return this.#groups.entries;
  }

  /** The mapping in use. */
  get current(): SlotGroups {
    return this.#groups;
  }

  /** Slots that got another group since the start, each time. */
  get moves(): number {
    return this.#moves;
  }

  /** Slots that are heard in more than one group. */
  get moving(): number {
    return this.#moving.size;
  }

  groupOf(slot: number): Group {
    return this.#groups.groupOf(slot);
  }

  groupsOf(slot: number): readonly Group[] {
    return this.#moving.get(slot) ?? this.#alone[this.groupOf(slot)] as readonly Group[];
  }

  onChange(fn: (slots: readonly number[]) => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  /** Takes a version into use if it is newer than the present one; answers how many slots it moved, or undefined. */
  adopt(next: SlotGroups): number | undefined {
    if (!isNewer(next, this.#groups)) return undefined;
    const before = this.#groups, moved: number[] = [];
    this.#groups = next;
    this.#agreedSinceMs = undefined;
    for (let slot = 0; slot < SLOTS; slot++) {
      const group = next.groupOf(slot);
      if (group === before.groupOf(slot)) continue;
      const from = this.#moving.get(slot) ?? [before.groupOf(slot)];
      this.#moving.set(slot, [group, ...from.filter((old) => old !== group)]);
      moved.push(slot);
    }
    this.#moves += moved.length;
    this.#tell(moved);
    return moved.length;
  }

  /** Looks at what the relays in view say of their tables; answers whether none of them is behind. */
  follow(peers: readonly Version[], nowMs: number): boolean {
    const isBehind = (peer: Version) => peer.hash !== this.hash && !isNewer(peer, this.#groups);
    if (peers.some(isBehind)) {
      this.#agreedSinceMs = undefined;
      return false;
    }
    this.#agreedSinceMs ??= nowMs;
    if (this.#moving.size > 0 && nowMs - this.#agreedSinceMs >= QUIET_MS) {
      const quiet = [...this.#moving.keys()];
      this.#moving.clear();
      this.#tell(quiet);
    }
    return true;
  }

  #tell(slots: readonly number[]): void {
    if (slots.length === 0) return;
    for (const fn of [...this.#listeners]) fn(slots);
  }
}
