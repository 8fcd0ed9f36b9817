/**
 * What a message may carry.
 *
 * @module
 */
import { GroundwaveError } from "./errors.ts";

/** Bytes of a message's data at most, text as UTF-8. */
export const MAX_DATA_BYTES = 1024 * 1024;

/** @throws {GroundwaveError} `too_large`, or `encoding_invalid` for text with lone surrogates. */
export function checkData(data: string | Uint8Array): void {
  if (typeof data === "string" && !data.isWellFormed()) {
    throw new GroundwaveError("encoding_invalid", "the data is not well-formed Unicode");
  }
  if (
    data.length > MAX_DATA_BYTES || (typeof data === "string" && utf8Exceeds(data, MAX_DATA_BYTES))
  ) {
    throw new GroundwaveError("too_large", `the data is over ${MAX_DATA_BYTES} bytes`);
  }
}

/** Whether well-formed `text` takes more than `max` bytes; no unit takes more than three. */
function utf8Exceeds(text: string, max: number): boolean {
  if (text.length * 3 <= max) return false;
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Each half of a surrogate pair stands for two bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes > max;
}
