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

/** Reads the 6 bytes of a GSI in a packet. */
export function readGsi(view: DataView, at: number): number {
  return view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);
}

export function writeGsi(view: DataView, at: number, gsi: number): void {
  view.setUint16(at, Math.floor(gsi / 0x1_0000_0000));
  view.setUint32(at + 2, gsi % 0x1_0000_0000);
}
