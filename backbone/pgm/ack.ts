/**
 * Acknowledgement, which flow control needs. RFC 3208 has none; PGMCC's ACK (type 0D) is the packet that other
 * implementations know and pass over. A source names in its SPMs the receivers that it asks, in the private option TAGGED,
 * and how long each may take, so that those for whom nobody waits say much in one packet:
 *
 * | bytes | TAGGED, for each receiver |
 * | --- | --- |
 * | 0–5 | GSI |
 * | 6 | 1: acknowledge now, though nothing may have come |
 * | 7 | for how long what comes may wait for its acknowledgement, in milliseconds |
 *
 * A receiver says in one ACK what it has of any number of streams, whoever their sources are. The ACK goes to the
 * control group, as a downstream packet of the receiver's own stream there. Its body, PGMCC's greatest sequence number
 * and bitmap, is 0; the private option ACKS says it all:
 *
 * | bytes | ACKS |
 * | --- | --- |
 * | 0–1 | window: how many packets a source may have sent beyond what is acknowledged |
 * | 2–17, 18–33 … | for each stream: GSI 6, source port 2, from 4, through 4 |
 *
 * Everything of `from` to `through` was handed to the application, in order. `from` is where the receiver began to hear
 * the stream, or what follows the last packet that it gave up; one past `through` if that is `through` itself. So
 * `through` tells how far a receiver is, and the range what it has.
 *
 * @module
 */
import { readGsi, writeGsi } from "./gsi.ts";

const GSI_BYTES = 6;
export const TAGGED_BYTES = GSI_BYTES + 2;
const ACKED_BYTES = GSI_BYTES + 10;
/** What ACKS says once, before the streams. */
const WINDOW_BYTES = 2;
/** What the length byte of an option leaves for its value. */
const LARGEST_VALUE = 255 - 4;
/** Streams in one ACK. */
export const LARGEST_ACK = Math.floor((LARGEST_VALUE - WINDOW_BYTES) / ACKED_BYTES);
/** Receivers that one source can ask to acknowledge. */
export const LARGEST_TAG = Math.floor(LARGEST_VALUE / TAGGED_BYTES);

/** How a receiver is asked to acknowledge a stream. */
export interface Asked {
  /** At once, though nothing may have come: the source should have heard, and has not. */
  readonly now: boolean;
  /** For how long what comes may wait for others to be acknowledged with it, 0 to 255 milliseconds. */
  readonly waitMs: number;
}

/** A receiver that is asked to acknowledge. */
export interface Tagged extends Asked {
  readonly gsi: number;
}

/** What a receiver has of one stream. */
export interface Acked {
  /** The stream's TSI. */
  readonly gsi: number;
  readonly sourcePort: number;
  /** Everything from here… */
  readonly from: number;
  /** … to here was handed to the application; the receiver waits for what comes next. */
  readonly through: number;
}

/** What one ACK says. */
export interface Acks {
  /** Packets, 0 to 65,535. */
  readonly window: number;
  readonly streams: readonly Acked[];
}

/** How many bytes {@link writeAcks} writes. */
export function acksBytes({ streams }: Acks): number {
  return WINDOW_BYTES + ACKED_BYTES * streams.length;
}

export function writeAcks(view: DataView, at: number, { window, streams }: Acks): void {
  view.setUint16(at, window);
  at += WINDOW_BYTES;
  for (const { gsi, sourcePort, from, through } of streams) {
    writeGsi(view, at, gsi);
    view.setUint16(at + 6, sourcePort);
    view.setUint32(at + 8, from);
    view.setUint32(at + 12, through);
    at += ACKED_BYTES;
  }
}

/** Reads the value from `at` to `end`; undefined if that is no whole number of streams. */
export function readAcks(view: DataView, at: number, end: number): Acks | undefined {
  const first = at + WINDOW_BYTES;
  if (first > end || (end - first) % ACKED_BYTES !== 0) return undefined;
  const streams: Acked[] = [];
  for (let next = first; next < end; next += ACKED_BYTES) {
    streams.push({
      gsi: readGsi(view, next),
      sourcePort: view.getUint16(next + 6),
      from: view.getUint32(next + 8),
      through: view.getUint32(next + 12),
    });
  }
  return { window: view.getUint16(at), streams };
}

export function writeTagged(view: DataView, at: number, tagged: readonly Tagged[]): void {
  for (const { gsi, now, waitMs } of tagged) {
    writeGsi(view, at, gsi);
    view.setUint8(at + 6, Number(now));
    view.setUint8(at + 7, waitMs);
    at += TAGGED_BYTES;
  }
}

/** Reads the value from `at` to `end`, a multiple of {@link TAGGED_BYTES}. */
export function readTagged(view: DataView, at: number, end: number): Tagged[] {
  const tagged: Tagged[] = [];
  for (; at < end; at += TAGGED_BYTES) {
    const now = (view.getUint8(at + 6) & 1) !== 0;
    tagged.push({ gsi: readGsi(view, at), now, waitMs: view.getUint8(at + 7) });
  }
  return tagged;
}
