/**
 * Where the relays of a cluster keep their table of slots and groups in common.
 *
 * @module
 */
import type { SlotGroups, Version } from "./slot_groups.ts";

/** What the relays together published in a while. */
export interface Load {
  readonly ms: number;
  /** Messages by slot. */
  readonly messages: ReadonlyMap<number, number>;
}

/**
 * A store that may be gone, empty, old or broken at any time: every call ends within a few seconds, and rejects with a
 * {@link StoreTrouble} where it does not end well.
 */
export interface TableStore {
  /** What it holds, which is `known` itself if that is the same version; undefined if it holds nothing. */
  read(known: SlotGroups): Promise<SlotGroups | undefined>;
  /** Stores `groups` if that is newer than what is held, or nothing is; with `base`, only if that is held. True if it did. */
  write(groups: SlotGroups, base?: Version): Promise<boolean>;
  /**
   * Adds what was published here. Answers the load of all relays to the one that is to look after the balance now: one
   * in each window of so many milliseconds.
   */
  report(messages: ReadonlyMap<number, number>, windowMs: number): Promise<Load | undefined>;
  /** What is asked meanwhile fails. Idempotent. */
  close(): void;
}

/** The store cannot be used for now; the message says why in an operator's words, and nothing secret. */
export class StoreTrouble extends Error {
  override readonly name = "StoreTrouble";
}
