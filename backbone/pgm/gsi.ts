/**
 * The global source identifier: 48 bits, a number inside the machines and 8 base64url characters outside.
 *
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The text of a GSI, as relays name their origin. */
export function gsiText(gsi: number): string {
  let text = "";
  for (let rest = gsi, i = 0; i < 8; i++, rest = Math.floor(rest / 64)) {
    text = ALPHABET.charAt(rest % 64) + text;
  }
  return text;
}

/**
 * Reads the text of a GSI.
 *
 * @throws {RangeError} if `text` is not 8 base64url characters.
 */
export function parseGsi(text: string): number {
  if (text.length !== 8) throw new RangeError(`a GSI has 8 characters, not ${text.length}`);
  let gsi = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw new RangeError(`"${character}" is not base64url`);
    gsi = gsi * 64 + digit;
  }
  return gsi;
}
