/**
 * The message and its identity.
 *
 * @module
 */
import { SLOT_COUNT } from "./slot.ts";

/** A relay's name in ids and cursors: 48 random bits drawn at each start, as 8 base64url characters. */
export type Origin = string;

/** Sequence number of an origin within a slot: 1, 2, 3 … without holes. */
export type Seq = number;

/** A place in one slot: everything of `origin` up to and including `seq`. */
export interface Position {
  /** Whose messages. */
  readonly origin: Origin;
  /** Up to and including this one; 0: none. */
  readonly seq: Seq;
}

/** Positions of one slot, by origin. An origin that is absent is at 0. */
export type Vector = ReadonlyMap<Origin, Seq>;

/** Sequence numbers `from` to `to`, both included, of one origin. */
export interface Range {
  /** Who numbered them. */
  readonly origin: Origin;
  /** The first. */
  readonly from: Seq;
  /** The last. */
  readonly to: Seq;
}

/** One published message. Its origin, slot and seq name it everywhere and for ever. */
export interface Message {
  /** 0 to 16383, see `slotOf`. */
  readonly slot: number;
  /** The relay that took it. */
  readonly origin: Origin;
  /** Of the origin, in the slot. */
  readonly seq: Seq;
  /** Where it was published. */
  readonly channel: string;
  /** A string is text (well-formed Unicode); bytes are binary. */
  readonly data: string | Uint8Array;
  /** Event name; absent means the browser's `message`. */
  readonly event?: string;
  /** Wall-clock milliseconds at the origin, for people only: nothing depends on it. */
  readonly timeMs: number;
  /** Positions of this slot that must come before this message. */
  readonly after?: Vector;
  /** Idempotency key. */
  readonly key?: string;
  /** Of the origin. */
  readonly region: string;
}

/** Which message, everywhere and for ever. */
export type MessagePlace = Pick<Message, "origin" | "slot" | "seq">;

/** The text of a message's id: `<origin>.<slot>.<seq>`, numbers in base 36. */
export function messageId({ origin, slot, seq }: MessagePlace): string {
  return `${origin}.${slot.toString(36)}.${seq.toString(36)}`;
}

/** Without leading zeros, so that a message has one id only. */
const ID = /^([A-Za-z0-9_-]{8})\.(0|[1-9a-z][0-9a-z]{0,2})\.([1-9a-z][0-9a-z]{0,10})$/;

/** Reads a message id; undefined if `text` is not one. */
export function parseMessageId(text: string): MessagePlace | undefined {
  const parts = ID.exec(text);
  if (!parts) return undefined;
  const slot = parseInt(parts[2]!, 36), seq = parseInt(parts[3]!, 36);
  if (slot >= SLOT_COUNT || seq < 1 || !Number.isSafeInteger(seq)) return undefined;
  return { origin: parts[1]!, slot, seq };
}
