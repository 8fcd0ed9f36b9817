/**
 * A PGM packet in one line.
 *
 * @module
 */
import { addressText } from "../../../backbone/ipv4.ts";
import { gsiText } from "../../../backbone/pgm/gsi.ts";
import { LAST_OPTION, LENGTH_BYTES, OPTION, OPTION_BYTES } from "../../../backbone/pgm/options.ts";
import {
  type Ack,
  bodyBytes,
  type Data,
  decodePacket,
  type Nak,
  type Packet,
  type Spm,
} from "../../../backbone/pgm/packet.ts";

const OPTION_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OPTION).map(([name, type]) => [type, name]),
);

/** Type, TSI (its GSI as relays write it), numbers and sizes of a datagram; why not, if it is no packet. */
export function describePacket(bytes: Uint8Array): string {
  const packet = decodePacket(bytes);
  if (typeof packet === "string") return `refused: ${packet}, ${bytes.length} B`;
  const { type, gsi, sourcePort } = packet;
  const options = optionsOf(bytes);
  return [
    type.toUpperCase().padEnd(5),
    `${gsiText(gsi)}:${sourcePort}`,
    ...details(packet),
    `${bytes.length} B`,
    ...options.length > 0 ? [`[${options.join(" ")}]`] : [],
  ].join(" ");
}

function details(packet: Packet): string[] {
  switch (packet.type) {
    case "odata":
    case "rdata":
      return dataDetails(packet);
    case "spm":
      return spmDetails(packet);
    case "nak":
    case "nnak":
    case "ncf":
      return nakDetails(packet);
    case "ack":
      return ackDetails(packet);
    default:
      return [];
  }
}

function dataDetails({ sqn, trail, fragment, payload }: Data): string[] {
  const part = fragment &&
    `first=${fragment.first} at=${fragment.offset} of=${fragment.length}`;
  return [`sqn=${sqn}`, `trail=${trail}`, `tsdu=${payload.length}`, ...part ? [part] : []];
}

function spmDetails({ sqn, trail, lead, nla }: Spm): string[] {
  return [`spm=${sqn}`, `trail=${trail}`, `lead=${lead}`, `nla=${addressText(nla)}`];
}

function nakDetails({ sqns, sourceNla, groupNla }: Nak): string[] {
  return [`sqns=${ranges(sqns)}`, `to=${addressText(sourceNla)}`, `group=${addressText(groupNla)}`];
}

/** The receiver's window, and for each stream what it has of it. */
function ackDetails({ acks }: Ack): string[] {
  if (acks === undefined) return [];
  const { window, streams } = acks;
  const parts = streams.map(({ gsi, sourcePort, from, through }) =>
    `${gsiText(gsi)}:${sourcePort}=${from}-${through}`
  );
  return [`window=${window}`, ...parts];
}

/** `3,5-9` for what follows upon each other. */
function ranges(sqns: readonly number[]): string {
  const parts: { readonly from: number; to: number }[] = [];
  for (const sqn of sqns) {
    const last = parts.at(-1);
    if (last?.to === sqn - 1) last.to = sqn;
    else parts.push({ from: sqn, to: sqn });
  }
  return parts.map(({ from, to }) => from === to ? `${from}` : `${from}-${to}`).join(",");
}

/** The names of a packet's options; of those that nobody knows, the type. */
function optionsOf(bytes: Uint8Array): string[] {
  const [, , , , kind = 0, flags = 0] = bytes;
  const isPresent = (flags & 0x01) !== 0, at = bodyBytes(kind) ?? bytes.length;
  const names: string[] = [];
  for (let next = at + LENGTH_BYTES; isPresent && next + OPTION_BYTES <= bytes.length;) {
    const type = bytes[next] ?? 0, length = bytes[next + 1] ?? 0, plain = type & ~LAST_OPTION;
    names.push(OPTION_NAMES.get(plain) ?? `0x${plain.toString(16).padStart(2, "0")}`);
    if ((type & LAST_OPTION) !== 0 || length < OPTION_BYTES) break;
    next += length;
  }
  return names;
}
