/**
 * Digits of base64url (RFC 4648 §5), and origins written in them.
 *
 * @module
 */

/** The 64 digits, by value. */
export const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Char code to value; 64 where the character is no digit. */
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = DIGITS.indexOf(String.fromCharCode(code));
  return value < 0 ? 64 : value;
});

/** Value to char code. */
const CODES = Uint8Array.from(DIGITS, (digit) => digit.charCodeAt(0));

/** Value of the digit at `at`; 64 if there is none. */
export function digitAt(text: string, at: number): number {
  return VALUES[text.charCodeAt(at)] ?? 64;
}

/** Characters of an origin's text. */
export const ORIGIN_CHARS = 8;

/** Bytes of an origin on the wire; also the size of a PGM GSI. */
export const ORIGIN_BYTES = 6;

/** Writes an origin's 6 bytes. @throws {RangeError} if `origin` is not 8 digits. */
export function writeOrigin(origin: string, into: Uint8Array, at: number): void {
  if (origin.length !== ORIGIN_CHARS) throw new RangeError(`not an origin: ${origin}`);
  for (let char = 0; char < ORIGIN_CHARS; char += 4, at += 3) {
    const a = digitAt(origin, char), b = digitAt(origin, char + 1);
    const c = digitAt(origin, char + 2), d = digitAt(origin, char + 3);
    if ((a | b | c | d) > 63) throw new RangeError(`not an origin: ${origin}`);
    into[at] = (a << 2) | (b >> 4);
    into[at + 1] = (b << 4) | (c >> 2);
    into[at + 2] = (c << 6) | d;
  }
}

/** Reads the origin whose 6 bytes begin at `at`. */
export function readOrigin(from: Uint8Array, at: number): string {
  const high = byte(from, at) << 16 | byte(from, at + 1) << 8 | byte(from, at + 2);
  const low = byte(from, at + 3) << 16 | byte(from, at + 4) << 8 | byte(from, at + 5);
  return String.fromCharCode(
    byte(CODES, high >> 18),
    byte(CODES, (high >> 12) & 63),
    byte(CODES, (high >> 6) & 63),
    byte(CODES, high & 63),
    byte(CODES, low >> 18),
    byte(CODES, (low >> 12) & 63),
    byte(CODES, (low >> 6) & 63),
    byte(CODES, low & 63),
  );
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** The origin of 6 bytes. @throws {RangeError} if they are not 6. */
export function originText(bytes: Uint8Array): string {
  if (bytes.length !== ORIGIN_BYTES) throw new RangeError("an origin has 6 bytes");
  return readOrigin(bytes, 0);
}
