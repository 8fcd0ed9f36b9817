/**
 * Acknowledgement, which flow control needs. RFC 3208 has none; PGMCC's ACK (type 0D) is the packet that other
 * implementations know and pass over. A source names in its SPMs the receivers that it asks, in the private option TAGGED:
 *
 * | bytes | TAGGED |
 * | --- | --- |
 * | 6 each | GSI of a receiver |
 *
 * A receiver says in one ACK how far it has come in any number of streams, whoever their sources are. The ACK goes to the
 * control group, as a downstream packet of the receiver's own stream there. Its body, PGMCC's greatest sequence number
 * and bitmap, is 0; the private option ACKS says it all:
 *
 * | bytes | ACKS, for each stream |
 * | --- | --- |
 * | 0–5 | GSI |
 * | 6–7 | source port |
 * | 8–11 | sequence number: everything up to it has come, or was given up |
 *
 * @module
 */
import { readGsi, writeGsi } from "./gsi.ts";

export const GSI_BYTES = 6;
export const ACKED_BYTES = GSI_BYTES + 6;
/** What the length byte of an option leaves for its value. */
const LARGEST_VALUE = 255 - 4;
/** Streams in one ACK. */
export const LARGEST_ACK = Math.floor(LARGEST_VALUE / ACKED_BYTES);
/** Receivers that one source can ask to acknowledge. */
export const LARGEST_TAG = Math.floor(LARGEST_VALUE / GSI_BYTES);

/** How far a receiver has come in one stream. */
export interface Acked {
  /** The stream's TSI. */
  readonly gsi: number;
  readonly sourcePort: number;
  /** Everything up to it has come, or was given up. */
  readonly sqn: number;
}

export function writeAcks(view: DataView, at: number, acks: readonly Acked[]): void {
  for (const { gsi, sourcePort, sqn } of acks) {
    writeGsi(view, at, gsi);
    view.setUint16(at + 6, sourcePort);
    view.setUint32(at + 8, sqn);
    at += ACKED_BYTES;
  }
}

/** Reads the value from `at` to `end`, a multiple of {@link ACKED_BYTES}. */
export function readAcks(view: DataView, at: number, end: number): Acked[] {
  const acks: Acked[] = [];
  for (; at < end; at += ACKED_BYTES) {
    const gsi = readGsi(view, at), sourcePort = view.getUint16(at + 6);
    acks.push({ gsi, sourcePort, sqn: view.getUint32(at + 8) });
  }
  return acks;
}

export function writeTagged(view: DataView, at: number, gsis: readonly number[]): void {
  gsis.forEach((gsi, index) => writeGsi(view, at + GSI_BYTES * index, gsi));
}

/** Reads the value from `at` to `end`, a multiple of {@link GSI_BYTES}. */
export function readTagged(view: DataView, at: number, end: number): number[] {
  const gsis: number[] = [];
  for (; at < end; at += GSI_BYTES) gsis.push(readGsi(view, at));
  return gsis;
}
