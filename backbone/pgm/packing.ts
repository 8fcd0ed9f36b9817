/**
 * Several payloads in one TSDU: each after its length in 16 bits, the packet marked by a private option. A payload
 * alone travels plain, as any PGM receiver expects it.
 *
 * @module
 */
import { PACKED_OVERHEAD } from "./encode.ts";

/** What a payload costs beyond itself. */
const PREFIX = 2;

/**
 * How many payloads, from the front of those that wait, go into one packet: at least 1.
 *
 * @param largestTpdu the largest packet, in bytes.
 * @param lengthAt the length of the payload at an index; undefined past the last.
 */
export function packable(
  largestTpdu: number,
  lengthAt: (index: number) => number | undefined,
): number {
  let count = 0, room = largestTpdu - PACKED_OVERHEAD;
  for (;;) {
    const length = lengthAt(count);
    if (length === undefined || PREFIX + length > room) return Math.max(count, 1);
    room -= PREFIX + length;
    count++;
  }
}

/** Takes a packed TSDU apart, as views; undefined if it is malformed. */
export function unpack(tsdu: Uint8Array): Uint8Array[] | undefined {
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < tsdu.length;) {
    const [high, low] = [tsdu[at], tsdu[at + 1]];
    if (high === undefined || low === undefined) return undefined;
    const start = at + PREFIX, end = start + (high << 8 | low);
    if (end > tsdu.length) return undefined;
    payloads.push(tsdu.subarray(start, end));
    at = end;
  }
  return payloads;
}
