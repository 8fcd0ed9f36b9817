/**
 * PGM options (RFC 3208 §9): type (80 on the last), length, an OPX byte, a reserved byte, value. The first is LENGTH,
 * `00 04` and the length of all, itself included.
 *
 * @module
 */
import { type Acks, readAcks, readTagged, type Tagged, TAGGED_BYTES } from "./ack.ts";

export const OPTION = {
  length: 0x00,
  fragment: 0x01,
  nakList: 0x02,
  fin: 0x0e,
  /** Private: the TSDU is several payloads. Others hand it on as it is. */
  packed: 0x5a,
  /** Private: who sent the packet, and that it did; see `auth.ts`. */
  auth: 0x5b,
  /** Private, in ACKs: what their sender has, see {@link Acks}. */
  acks: 0x5c,
  /** Private, in SPMs: the receivers asked to acknowledge, see {@link Tagged}. */
  tagged: 0x5d,
} as const;

export const LAST_OPTION = 0x80;
export const LENGTH_BYTES = 4;
/** Without a value. */
export const OPTION_BYTES = 4;
export const FRAGMENT_BYTES = OPTION_BYTES + 12;

/** A part of a message that does not fit one packet (§9.2). */
export interface Fragment {
  /** The message's first packet. */
  readonly first: number;
  /** Where this part goes. */
  readonly offset: number;
  /** The message's length. */
  readonly length: number;
}

/** The options of one packet that mean something to us. */
export interface Options {
  /** The offset after the options. */
  readonly end: number;
  readonly fragment: Fragment | undefined;
  readonly sqns: readonly number[];
  readonly fin: boolean;
  readonly packed: boolean;
  readonly acks: Acks | undefined;
  readonly tagged: readonly Tagged[];
}

const NONE: readonly never[] = [];

/** Reads the options at `at`; undefined if they are malformed. Unknown ones are passed over. */
export function readOptions(view: DataView, at: number): Options | undefined {
  if (at + LENGTH_BYTES > view.byteLength || view.getUint16(at) !== LENGTH_BYTES) return undefined;
  const end = at + view.getUint16(at + 2);
  if (end > view.byteLength) return undefined;
  let fragment: Fragment | undefined, fin = false, packed = false;
  let sqns: readonly number[] = NONE, tagged: readonly Tagged[] = NONE;
  let acks: Acks | undefined;
  for (let next = at + LENGTH_BYTES, last = false; !last;) {
    if (next + OPTION_BYTES > end) return undefined;
    const type = view.getUint8(next), length = view.getUint8(next + 1);
    if (length < OPTION_BYTES || next + length > end) return undefined;
    last = (type & LAST_OPTION) !== 0;
    switch (type & ~LAST_OPTION) {
      case OPTION.fragment:
        if (length !== FRAGMENT_BYTES) return undefined;
        fragment = readFragment(view, next + OPTION_BYTES);
        break;
      case OPTION.nakList:
        if (length % 4 !== 0) return undefined;
        sqns = readList(view, next + OPTION_BYTES, next + length);
        break;
      case OPTION.fin:
        fin = true;
        break;
      case OPTION.packed:
        packed = true;
        break;
      case OPTION.acks:
        acks = readAcks(view, next + OPTION_BYTES, next + length);
        if (acks === undefined) return undefined;
        break;
      case OPTION.tagged:
        if ((length - OPTION_BYTES) % TAGGED_BYTES !== 0) return undefined;
        tagged = readTagged(view, next + OPTION_BYTES, next + length);
        break;
    }
    next += length;
    if (last && next !== end) return undefined;
  }
  return { end, fragment, sqns, fin, packed, acks, tagged };
}

function readFragment(view: DataView, at: number): Fragment {
  return {
    first: view.getUint32(at),
    offset: view.getUint32(at + 4),
    length: view.getUint32(at + 8),
  };
}

function readList(view: DataView, at: number, end: number): number[] {
  const sqns: number[] = [];
  for (; at < end; at += 4) sqns.push(view.getUint32(at));
  return sqns;
}

/** Writes LENGTH and, as the last option, one with `valueBytes` of value; answers where the value goes. */
export function writeOption(view: DataView, at: number, type: number, valueBytes: number): number {
  view.setUint16(at, LENGTH_BYTES);
  view.setUint16(at + 2, LENGTH_BYTES + OPTION_BYTES + valueBytes);
  view.setUint8(at + LENGTH_BYTES, type | LAST_OPTION);
  view.setUint8(at + LENGTH_BYTES + 1, OPTION_BYTES + valueBytes);
  return at + LENGTH_BYTES + OPTION_BYTES;
}
