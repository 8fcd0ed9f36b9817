/**
 * Packets of all kinds, as they are encoded and as they are read.
 *
 * @module
 */
import { LARGEST_ACK, LARGEST_TAG } from "../../backbone/pgm/ack.ts";
import {
  encodeAck,
  encodeData,
  encodeNak,
  encodePacked,
  encodeRepair,
  encodeSpm,
  encodeSpmr,
} from "../../backbone/pgm/encode.ts";
import type { Packet, Stream } from "../../backbone/pgm/packet.ts";

export const STREAM: Stream = { gsi: 0xc18a_7594_c44a, sourcePort: 32_769, destinationPort: 7_500 };
export const bytes = (...values: number[]) => Uint8Array.from(values);
export const hex = (text: string) =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (h) => parseInt(h, 16));
/** As many as a list of a NAK has room for, across the end of the numbers. */
export const list = Array.from({ length: 63 }, (_, i) => (0xffff_fff0 + i) >>> 0);

const TAGGED = Array.from(
  { length: LARGEST_TAG },
  (_, i) => ({ gsi: 2 ** 48 - 1 - i, now: i % 2 === 0, waitMs: 255 - i }),
);
/** As many as a packet has room for. */
export const ACKS = {
  window: 65_535,
  streams: Array.from({ length: LARGEST_ACK }, (_, i) => ({
    gsi: 2 ** 40 + i,
    sourcePort: 65_535 - i,
    from: 0xffff_0000 + i,
    through: (0xffff_fff0 + i) >>> 0,
  })),
};

/** Each encoder's packet, and what it must be read as. */
export const PACKETS: Record<string, [Uint8Array, Packet]> = {
  "SPM of a new source": [
    encodeSpm(STREAM, { sqn: 0, trail: 0, lead: 0xffff_ffff, nla: 0x0a4d_0001, fin: false }),
    {
      ...STREAM,
      type: "spm",
      sqn: 0,
      trail: 0,
      lead: 0xffff_ffff,
      nla: 0x0a4d_0001,
      fin: false,
      tagged: [],
    },
  ],
  "SPM with FIN": [
    encodeSpm(STREAM, { sqn: 7, trail: 1, lead: 9, nla: 0xffff_fffe, fin: true }),
    { ...STREAM, type: "spm", sqn: 7, trail: 1, lead: 9, nla: 0xffff_fffe, fin: true, tagged: [] },
  ],
  "SPM that asks for acknowledgements": [
    encodeSpm(STREAM, { sqn: 7, trail: 1, lead: 9, nla: 1, fin: false, tagged: TAGGED }),
    { ...STREAM, type: "spm", sqn: 7, trail: 1, lead: 9, nla: 1, fin: false, tagged: TAGGED },
  ],
  "ACK of as many streams as go into one": [
    encodeAck(STREAM, ACKS),
    { ...STREAM, type: "ack", acks: ACKS },
  ],
  "ODATA": [
    encodeData(STREAM, { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }),
    data("odata", { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }),
  ],
  "ODATA without payload": [
    encodeData(STREAM, { sqn: 0, trail: 0, payload: bytes() }),
    data("odata", { sqn: 0, trail: 0, payload: bytes() }),
  ],
  "ODATA with FRAGMENT": [
    encodeData(STREAM, {
      sqn: 6,
      trail: 2,
      payload: bytes(9),
      fragment: { first: 5, offset: 1428, length: 1429 },
    }),
    data("odata", {
      sqn: 6,
      trail: 2,
      payload: bytes(9),
      fragment: { first: 5, offset: 1428, length: 1429 },
    }),
  ],
  "packed ODATA": [
    encodePacked(STREAM, { sqn: 6, trail: 2, payloads: [bytes(7), bytes(), bytes(8, 9)] }),
    data("odata", { sqn: 6, trail: 2, packed: true, payload: bytes(0, 1, 7, 0, 0, 0, 2, 8, 9) }),
  ],
  "RDATA": [
    encodeRepair(encodeData(STREAM, { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }), 4),
    data("rdata", { sqn: 5, trail: 4, payload: bytes(1, 2, 3) }),
  ],
  "NAK": [
    encodeNak(STREAM, "nak", { sqns: [3], sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "nak", sqns: [3], sourceNla: 1, groupNla: 2 },
  ],
  "NAK with a full list": [
    encodeNak(STREAM, "nak", { sqns: list, sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "nak", sqns: list, sourceNla: 1, groupNla: 2 },
  ],
  "NCF with a list": [
    encodeNak(STREAM, "ncf", { sqns: [3, 4], sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "ncf", sqns: [3, 4], sourceNla: 1, groupNla: 2 },
  ],
  "SPMR": [encodeSpmr(STREAM), { ...STREAM, type: "spmr" }],
};

export function data(
  type: "odata" | "rdata",
  fields: Partial<Packet> & { sqn: number; trail: number; payload: Uint8Array },
): Packet {
  return { ...STREAM, type, fragment: undefined, packed: false, ...fields } as Packet;
}

/** Recomputes the checksum of a packet that a test has bent. */
export function resealed(encoded: Uint8Array, bend: (copy: Uint8Array) => void): Uint8Array {
  const copy = encoded.slice();
  bend(copy);
  copy[6] = copy[7] = 0;
  let sum = 0;
  copy.forEach((byte, at) => sum += at % 2 === 0 ? byte << 8 : byte);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff || 0xffff;
  copy.set([checksum >> 8, checksum & 0xff], 6);
  return copy;
}
