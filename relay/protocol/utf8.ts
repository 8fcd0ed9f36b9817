/**
 * UTF-8 read strictly: nothing is replaced, and a byte order mark is text like any other.
 *
 * @module
 */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** From this length on the platform's own decoder is faster than a loop, by measurement. */
const SHORT_TEXT = 256;

/** `bytes[from, to)` as text. @throws {TypeError} if it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const short = to - from < SHORT_TEXT ? asciiText(bytes, from, to) : undefined;
  return short ?? decoder.decode(bytes.subarray(from, to));
}

/** The same if all of it is ASCII: made in one step, as text that was joined takes many times its length. */
function asciiText(bytes: Uint8Array, from: number, to: number): string | undefined {
  const codes = new Array<number>(to - from);
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x7f) return undefined;
    codes[at - from] = byte;
  }
  return String.fromCharCode.apply(null, codes);
}
