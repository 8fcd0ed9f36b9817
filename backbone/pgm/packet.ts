/**
 * PGM packets (RFC 3208 §8) over IPv4 in UDP, as OpenPGM sends them. All fields are big-endian.
 *
 * | bytes | header |
 * | --- | --- |
 * | 0–1 | source port: of the TSI in downstream packets; upstream packets have the ports the other way round |
 * | 2–3 | destination port |
 * | 4 | type |
 * | 5 | options: 01 present, 02 network-significant, 40 variable length, 80 parity |
 * | 6–7 | checksum over the whole packet |
 * | 8–13 | GSI: the source's, in upstream packets too |
 * | 14–15 | TSDU length |
 *
 * @module
 */
import type { Acks, Tagged } from "./ack.ts";
import { onesComplementSum } from "./checksum.ts";
import { readGsi } from "./gsi.ts";
import { type Fragment, readOptions } from "./options.ts";

export const TYPE = {
  spm: 0x00,
  poll: 0x01,
  odata: 0x04,
  rdata: 0x05,
  nak: 0x08,
  nnak: 0x09,
  ncf: 0x0a,
  spmr: 0x0c,
  ack: 0x0d,
} as const;

export const HEADER_BYTES = 16;
/** sqn 4, trail 4 */
export const DATA_BYTES = HEADER_BYTES + 8;
/** sqn 4, trail 4, lead 4, AFI 2, reserved 2, NLA 4 */
export const SPM_BYTES = HEADER_BYTES + 20;
/** sqn 4, then AFI 2, reserved 2, NLA 4 of the source, and the same of the group */
export const NAK_BYTES = HEADER_BYTES + 20;
/** greatest sqn 4, bitmap 4 */
export const ACK_BYTES = HEADER_BYTES + 8;
/** Ethernet's 1500 bytes less IP and UDP. */
export const LARGEST_TPDU = 1472;
/** Sequence numbers in one NAK or NCF: one in the body and 62 in its list. */
export const LARGEST_NAK = 63;
export const AFI_IPV4 = 1;
/** The option bit of parity packets, and of requests for them. */
const PARITY = 0x80;

/** Header and body of a packet, before options and TSDU, in bytes; undefined for types that are not ours. */
export function bodyBytes(type: number): number | undefined {
  switch (type) {
    case TYPE.spm:
      return SPM_BYTES;
    case TYPE.odata:
    case TYPE.rdata:
      return DATA_BYTES;
    case TYPE.nak:
    case TYPE.nnak:
    case TYPE.ncf:
      return NAK_BYTES;
    case TYPE.ack:
      return ACK_BYTES;
    case TYPE.spmr:
      return HEADER_BYTES;
    default:
      return undefined;
  }
}

/** The source of a stream and whom it speaks to. `gsi` and `sourcePort` together are the TSI. */
export interface Stream {
  readonly gsi: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Source path message (§8.1): what a source holds. */
export interface Spm extends Stream {
  readonly type: "spm";
  readonly sqn: number;
  readonly trail: number;
  readonly lead: number;
  /** Where the source can be reached, an IPv4 address. */
  readonly nla: number;
  /** The source says goodbye. */
  readonly fin: boolean;
  /** The receivers asked to acknowledge. */
  readonly tagged: readonly Tagged[];
}

/** Original data or a repair (§8.2). */
export interface Data extends Stream {
  readonly type: "odata" | "rdata";
  readonly sqn: number;
  readonly trail: number;
  readonly fragment: Fragment | undefined;
  /** The payload is several, see `packing.ts`. */
  readonly packed: boolean;
  /** A view of the datagram. */
  readonly payload: Uint8Array;
}

/** A request for repairs, or its confirmation (§8.3). */
export interface Nak extends Stream {
  readonly type: "nak" | "nnak" | "ncf";
  /** 1 to 63. */
  readonly sqns: readonly number[];
  readonly sourceNla: number;
  readonly groupNla: number;
}

/** A request for an SPM (§13.6). */
export interface Spmr extends Stream {
  readonly type: "spmr";
}

/** An acknowledgement, see `ack.ts`; the stream is the receiver's own. */
export interface Ack extends Stream {
  readonly type: "ack";
  /** Undefined in PGMCC's own. */
  readonly acks: Acks | undefined;
}

export type Packet = Spm | Data | Nak | Spmr | Ack;

/** Why a datagram is not a packet for us. */
export type Refusal = "truncated" | "checksum" | "type" | "length" | "option" | "address";

/**
 * Reads a datagram. The answer's payload is a view of it. Never throws.
 */
export function decodePacket(bytes: Uint8Array): Packet | Refusal {
  if (bytes.length < HEADER_BYTES) return "truncated";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getUint8(4);
  const isData = type === TYPE.odata || type === TYPE.rdata;
  // Only data must carry a checksum (§8).
  if ((isData || view.getUint16(6) !== 0) && !intact(view)) return "checksum";
  switch (type) {
    case TYPE.odata:
      return decodeData(bytes, view, "odata");
    case TYPE.rdata:
      return decodeData(bytes, view, "rdata");
    case TYPE.spm:
      return decodeSpm(view);
    case TYPE.nak:
      return decodeNak(view, "nak");
    case TYPE.nnak:
      return decodeNak(view, "nnak");
    case TYPE.ncf:
      return decodeNak(view, "ncf");
    case TYPE.spmr:
      return decodeSpmr(view);
    case TYPE.ack:
      return decodeAck(view);
    default:
      return "type";
  }
}

/** What {@link isFrom} looks at, for whoever can look before it is received: where, in how many bytes, and for what. */
export function marksOf(
  { gsi, sourcePort }: Stream,
): readonly { readonly at: number; readonly bytes: 2 | 4; readonly value: number }[] {
  return [
    { at: 0, bytes: 2, value: sourcePort },
    { at: 8, bytes: 2, value: Math.floor(gsi / 0x1_0000_0000) },
    { at: 10, bytes: 4, value: gsi % 0x1_0000_0000 },
  ];
}

/** Whether a datagram is a downstream packet of `stream`, as its header has it: a cheap look before decoding. */
export function isFrom(bytes: Uint8Array, { gsi, sourcePort }: Stream): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  return view.getUint16(0) === sourcePort && gsiOf(view) === gsi;
}

function intact(view: DataView): boolean {
  return view.getUint16(6) !== 0 && onesComplementSum(view) === 0xffff;
}

function gsiOf(view: DataView): number {
  return readGsi(view, 8);
}

function downstream(view: DataView): Stream {
  return { gsi: gsiOf(view), sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) };
}

function upstream(view: DataView): Stream {
  return { gsi: gsiOf(view), sourcePort: view.getUint16(2), destinationPort: view.getUint16(0) };
}

/** Whether its numbers are those of groups of packets, and its payload nothing that a publisher sent (§11). */
function isParity(view: DataView): boolean {
  return (view.getUint8(5) & PARITY) !== 0;
}

/** Whether options follow the body. */
export function hasOptions(view: DataView): boolean {
  return (view.getUint8(5) & 0x01) !== 0;
}

function decodeData(bytes: Uint8Array, view: DataView, type: Data["type"]): Data | Refusal {
  if (view.byteLength < DATA_BYTES) return "truncated";
  if (isParity(view)) return "option";
  let at = DATA_BYTES, fragment: Fragment | undefined, packed = false;
  if (hasOptions(view)) {
    const options = readOptions(view, DATA_BYTES);
    if (options === undefined) return "option";
    ({ end: at, fragment, packed } = options);
  }
  if (view.getUint16(14) !== view.byteLength - at) return "length";
  return {
    type,
    gsi: gsiOf(view),
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sqn: view.getUint32(16),
    trail: view.getUint32(20),
    fragment,
    packed,
    payload: bytes.subarray(at),
  };
}

function decodeSpm(view: DataView): Spm | Refusal {
  if (view.byteLength < SPM_BYTES) return "truncated";
  if (view.getUint16(28) !== AFI_IPV4) return "address";
  const options = hasOptions(view) ? readOptions(view, SPM_BYTES) : { fin: false, tagged: [] };
  if (options === undefined) return "option";
  return {
    type: "spm",
    ...downstream(view),
    sqn: view.getUint32(16),
    trail: view.getUint32(20),
    lead: view.getUint32(24),
    nla: view.getUint32(32),
    fin: options.fin,
    tagged: options.tagged,
  };
}

function decodeNak(view: DataView, type: Nak["type"]): Nak | Refusal {
  if (view.byteLength < NAK_BYTES) return "truncated";
  if (isParity(view)) return "option";
  if (view.getUint16(20) !== AFI_IPV4 || view.getUint16(28) !== AFI_IPV4) return "address";
  const options = hasOptions(view) ? readOptions(view, NAK_BYTES) : { sqns: [] };
  if (options === undefined) return "option";
  return {
    type,
    ...(type === "ncf" ? downstream(view) : upstream(view)),
    sqns: [view.getUint32(16), ...options.sqns],
    sourceNla: view.getUint32(24),
    groupNla: view.getUint32(32),
  };
}

function decodeSpmr(view: DataView): Spmr | Refusal {
  if (hasOptions(view) && readOptions(view, HEADER_BYTES) === undefined) return "option";
  return { type: "spmr", ...upstream(view) };
}

function decodeAck(view: DataView): Ack | Refusal {
  if (view.byteLength < ACK_BYTES) return "truncated";
  const options = hasOptions(view) ? readOptions(view, ACK_BYTES) : { acks: undefined };
  if (options === undefined) return "option";
  return { type: "ack", ...downstream(view), acks: options.acks };
}
