/**
 * Where an archive keeps a copy of the logs: slot by slot the messages, where the copy stands, and an outline of the rest.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "../protocol/message.ts";

/** A message as it is kept. */
export interface KeptMessage {
  readonly origin: Origin;
  readonly seq: Seq;
  readonly channel: string;
  /** When it arrived in the LAN, by the archive's clock, see {@link Opening.keptMs}. */
  readonly atMs: number;
  /** By `encodeMessage`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** All of a log but its messages, see `outline.ts`. */
export interface KeptOutline {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** By channel, the highest seq dropped per origin; the empty channel stands for all that are not named. */
  readonly floors: ReadonlyMap<string, Vector>;
}

/** What the copy of one slot lacks. */
export interface SlotUpdate {
  readonly slot: number;
  /** Where the writer takes the copy to stand. If it stands before this it was lost, and nothing is written. */
  readonly base: Vector;
  /** In log order. What the copy has already is passed over. */
  readonly messages: readonly KeptMessage[];
  /** Where the copy stands afterwards, of the origins that it names. */
  readonly vector: Vector;
  /** Takes the place of the one that is kept, and messages at or below its floors go; absent: that stays. */
  readonly outline?: KeptOutline;
  /** Origins to be forgotten. A slot that knows none any more goes. */
  readonly forgotten: readonly Origin[];
}

/** The copy of one slot. */
export interface KeptSlot {
  readonly slot: number;
  readonly vector: Vector;
  /** Absent where none was ever written. */
  readonly outline?: Uint8Array<ArrayBuffer>;
  /** In the order in which they were written. */
  readonly messages: readonly Pick<KeptMessage, "atMs" | "bytes">[];
}

/** Where a copy stands. */
export type KeptStanding = Pick<KeptSlot, "vector" | "outline">;

/** What an archive says of itself when it is opened. */
export interface Opening {
  /** When something was last written, in wall-clock milliseconds; undefined: never. */
  readonly writtenMs: number | undefined;
  /** What the archive's clock showed then, in milliseconds: it stands still while no relay runs. Undefined: never. */
  readonly keptMs: number | undefined;
  /** When each origin was last heard of, in wall-clock milliseconds. */
  readonly heardMs: ReadonlyMap<Origin, number>;
  /** Why it may lose what it keeps, in an operator's words, if that is known. */
  readonly risk?: string;
}

/**
 * A store. What is written survives as the store does. Any call may reject with an {@link ArchiveTrouble}; nothing of it
 * need have happened then, and any part of it may. Calls are made one after the other.
 */
export interface ArchiveStore {
  /** For people, without secrets. */
  readonly name: string;
  /** Several relays write to it. */
  readonly isShared: boolean;
  /** To be called first. */
  open(): Promise<Opening>;
  /** Everything that is kept. */
  slots(): AsyncIterable<KeptSlot>;
  /** Where the copies of some slots stand, in their order. */
  standings(slots: readonly number[]): Promise<readonly KeptStanding[]>;
  /** Resolves, when all is kept, with where the copies stand, in the order of the updates. */
  write(updates: readonly SlotUpdate[], nowMs: number): Promise<readonly Vector[]>;
  /**
   * Keeps when origins were last heard of; those heard of before `sinceMs` go.
   * @param stoppedMs by how much the archive's clock is behind.
   */
  remember(
    heardMs: ReadonlyMap<Origin, number>,
    sinceMs: number,
    nowMs: number,
    stoppedMs: number,
  ): Promise<void>;
  /** What was written stays. Idempotent. */
  close(): Promise<void>;
}

/** The store cannot be used (for now); the message says why in an operator's words, and nothing secret. */
export class ArchiveTrouble extends Error {
  override readonly name = "ArchiveTrouble";
}
