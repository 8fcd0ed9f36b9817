/**
 * Whole numbers as text: base64url digits of five bits each, lowest first; the sixth bit says that more follow. The
 * same idea as the bytes of a Protobuf varint, without the packing of bytes into digits.
 *
 * @module
 */
import { digitAt, DIGITS } from "./base64url.ts";

/** 11 digits carry 55 bits, enough for every safe integer. */
const MAX_DIGITS = 11;

/** Writes `value`, a safe integer from 0 on. */
export function writeVarint(value: number): string {
  let text = "";
  while (value > 31) {
    text += DIGITS.charAt(32 + value % 32);
    value = Math.floor(value / 32);
  }
  return text + DIGITS.charAt(value);
}

/** Reads varints off a text, from left to right. Every failure is a RangeError. */
export class VarintReader {
  #at: number;

  constructor(private readonly text: string, from: number) {
    this.#at = from;
  }

  get done(): boolean {
    return this.#at >= this.text.length;
  }

  /** The next varint, at most `max`, which is a safe integer. Only the shortest writing of a number is one. */
  varint(max: number): number {
    let value = 0;
    for (let digits = 0, scale = 1; digits < MAX_DIGITS; digits++, scale *= 32) {
      const digit = digitAt(this.text, this.#at++);
      if (digit > 63) throw new RangeError("a number is cut off or has a wrong digit");
      value += (digit & 31) * scale;
      if (digit > 31) continue;
      if (digit === 0 && digits > 0) throw new RangeError("a number has a needless digit");
      if (value > max) break;
      return value;
    }
    throw new RangeError("a number is too large");
  }

  /** The next `length` characters, all of them base64url digits. */
  digits(length: number): string {
    const from = this.#at;
    this.#at += length;
    for (let at = from; at < this.#at; at++) {
      if (digitAt(this.text, at) > 63) {
        throw new RangeError("a name is cut off or has a wrong digit");
      }
    }
    return this.text.slice(from, this.#at);
  }
}
