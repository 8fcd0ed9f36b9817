/**
 * IPv4 addresses as numbers, as PGM carries them.
 *
 * @module
 */

/**
 * Reads a dotted address.
 *
 * @throws {RangeError} if `text` is none.
 */
export function parseAddress(text: string): number {
  const parts = text.split(".");
  const isAddress = parts.length === 4 &&
    parts.every((part) => /^\d{1,3}$/.test(part) && +part < 256);
  if (!isAddress) throw new RangeError(`"${text}" is not an IPv4 address`);
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** 224.0.0.0 to 239.255.255.255. */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 14;
}
