/**
 * Writes PGM packets; the layouts are in `packet.ts`. Each answer is memory of its own.
 *
 * @module
 */
import { checksumOf } from "./checksum.ts";
import { type Acks, acksBytes, TAGGED_BYTES, writeAcks, writeTagged } from "./ack.ts";
import { writeGsi } from "./gsi.ts";
import {
  type Fragment,
  FRAGMENT_BYTES,
  LENGTH_BYTES,
  OPTION,
  OPTION_BYTES,
  writeOption,
} from "./options.ts";
import {
  ACK_BYTES,
  AFI_IPV4,
  DATA_BYTES,
  HEADER_BYTES,
  NAK_BYTES,
  type Spm,
  SPM_BYTES,
  type Stream,
  TYPE,
} from "./packet.ts";
import type { Allocate } from "./slab.ts";

/** Room that data has in a packet. */
export const FRAGMENT_OVERHEAD = DATA_BYTES + LENGTH_BYTES + FRAGMENT_BYTES;
export const PACKED_OVERHEAD = DATA_BYTES + LENGTH_BYTES + OPTION_BYTES;

const OPTIONS_PRESENT = 0x01;
const NETWORK_SIGNIFICANT = 0x02;

export function encodeSpm(
  stream: Stream,
  spm: Pick<Spm, "sqn" | "trail" | "lead" | "nla" | "fin"> & Partial<Pick<Spm, "tagged">>,
): Uint8Array {
  const { fin, tagged = [] } = spm;
  // Who says goodbye needs no more acknowledgements.
  const tags = fin ? 0 : tagged.length;
  const options = fin || tags > 0 ? LENGTH_BYTES + OPTION_BYTES + TAGGED_BYTES * tags : 0;
  const { bytes, view } = packet(stream, TYPE.spm, SPM_BYTES + options);
  view.setUint32(16, spm.sqn);
  view.setUint32(20, spm.trail);
  view.setUint32(24, spm.lead);
  view.setUint16(28, AFI_IPV4);
  view.setUint32(32, spm.nla);
  if (options > 0) view.setUint8(5, OPTIONS_PRESENT);
  if (fin) writeOption(view, SPM_BYTES, OPTION.fin, 0);
  else if (tags > 0) {
    writeTagged(view, writeOption(view, SPM_BYTES, OPTION.tagged, TAGGED_BYTES * tags), tagged);
  }
  return seal(bytes, view);
}

/** One payload, whole or a fragment. */
export function encodeData(
  stream: Stream,
  data: { sqn: number; trail: number; payload: Uint8Array; fragment?: Fragment },
  allocate: Allocate = ownBytes,
): Uint8Array {
  const { fragment, payload } = data;
  const at = fragment ? FRAGMENT_OVERHEAD : DATA_BYTES;
  const { bytes, view } = dataPacket(stream, data, allocate(at + payload.length), at);
  if (fragment) {
    view.setUint8(5, OPTIONS_PRESENT);
    const value = writeOption(view, DATA_BYTES, OPTION.fragment, FRAGMENT_BYTES - OPTION_BYTES);
    view.setUint32(value, fragment.first);
    view.setUint32(value + 4, fragment.offset);
    view.setUint32(value + 8, fragment.length);
  }
  bytes.set(payload, at);
  return seal(bytes, view);
}

/** Several payloads, each after its length in 16 bits. */
export function encodePacked(
  stream: Stream,
  data: { sqn: number; trail: number; payloads: readonly Uint8Array[] },
  allocate: Allocate = ownBytes,
): Uint8Array {
  const length = data.payloads.reduce((sum, payload) => sum + 2 + payload.length, PACKED_OVERHEAD);
  const { bytes, view } = dataPacket(stream, data, allocate(length), PACKED_OVERHEAD);
  view.setUint8(5, OPTIONS_PRESENT);
  let at = writeOption(view, DATA_BYTES, OPTION.packed, 0);
  for (const payload of data.payloads) {
    view.setUint16(at, payload.length);
    bytes.set(payload, at + 2);
    at += 2 + payload.length;
  }
  return seal(bytes, view);
}

/** A stored ODATA packet as the repair it becomes: type, trail and checksum change (RFC 3208 §5.3). */
export function encodeRepair(odata: Uint8Array, trail: number): Uint8Array {
  const bytes = odata.slice();
  const view = new DataView(bytes.buffer);
  view.setUint8(4, TYPE.rdata);
  view.setUint32(20, trail);
  return seal(bytes, view);
}

/** A NAK or NCF for 1 to 63 sequence numbers. */
export function encodeNak(
  stream: Stream,
  type: "nak" | "ncf",
  nak: { sqns: readonly number[]; sourceNla: number; groupNla: number },
): Uint8Array {
  const [sqn = 0, ...list] = nak.sqns;
  const options = list.length > 0 ? LENGTH_BYTES + OPTION_BYTES + 4 * list.length : 0;
  const { bytes, view } = packet(
    type === "nak" ? reversed(stream) : stream,
    TYPE[type],
    NAK_BYTES + options,
  );
  view.setUint32(16, sqn);
  view.setUint16(20, AFI_IPV4);
  view.setUint32(24, nak.sourceNla);
  view.setUint16(28, AFI_IPV4);
  view.setUint32(32, nak.groupNla);
  if (list.length > 0) {
    view.setUint8(5, OPTIONS_PRESENT | NETWORK_SIGNIFICANT);
    let at = writeOption(view, NAK_BYTES, OPTION.nakList, 4 * list.length);
    for (const next of list) {
      view.setUint32(at, next);
      at += 4;
    }
  }
  return seal(bytes, view);
}

/** An acknowledgement of 1 to `LARGEST_ACK` streams; `stream` is the receiver's own. */
export function encodeAck(stream: Stream, acks: Acks): Uint8Array {
  const valueBytes = acksBytes(acks);
  const options = LENGTH_BYTES + OPTION_BYTES + valueBytes;
  const { bytes, view } = packet(stream, TYPE.ack, ACK_BYTES + options);
  view.setUint8(5, OPTIONS_PRESENT);
  writeAcks(view, writeOption(view, ACK_BYTES, OPTION.acks, valueBytes), acks);
  return seal(bytes, view);
}

export function encodeSpmr(stream: Stream): Uint8Array {
  const { bytes, view } = packet(reversed(stream), TYPE.spmr, HEADER_BYTES);
  return seal(bytes, view);
}

interface Draft {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const ownBytes: Allocate = (length) => new Uint8Array(length);

function packet(stream: Stream, type: number, length: number): Draft {
  return draft(stream, type, ownBytes(length));
}

/** Writes the header into what is to be a packet. */
function draft(stream: Stream, type: number, bytes: Uint8Array): Draft {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(0, stream.sourcePort);
  view.setUint16(2, stream.destinationPort);
  view.setUint8(4, type);
  writeGsi(view, 8, stream.gsi);
  return { bytes, view };
}

function dataPacket(
  stream: Stream,
  { sqn, trail }: { sqn: number; trail: number },
  into: Uint8Array,
  overhead: number,
): Draft {
  const { bytes, view } = draft(stream, TYPE.odata, into);
  view.setUint16(14, bytes.length - overhead);
  view.setUint32(16, sqn);
  view.setUint32(20, trail);
  return { bytes, view };
}

function reversed({ gsi, sourcePort, destinationPort }: Stream): Stream {
  return { gsi, sourcePort: destinationPort, destinationPort: sourcePort };
}

/** Writes the checksum: the packet is complete. */
export function seal(bytes: Uint8Array, view: DataView): Uint8Array {
  view.setUint16(6, 0);
  view.setUint16(6, checksumOf(view));
  return bytes;
}
