/**
 * The ones' complement checksum over a whole PGM packet (RFC 3208 §8, RFC 1071), without a pseudo-header.
 *
 * @module
 */

/** The folded ones' complement sum of the 16-bit words of `bytes`: ffff where a correct checksum is in place. */
export function onesComplementSum(view: DataView): number {
  const { byteLength } = view;
  const words = byteLength & ~3;
  // 2³² per word and at most 2¹⁴ words: the sum stays far below 2⁵³, so one fold at the end will do.
  let sum = 0, at = 0;
  for (; at < words; at += 4) sum += view.getUint32(at);
  if (byteLength - at >= 2) {
    sum += view.getUint16(at);
    at += 2;
  }
  if (at < byteLength) sum += view.getUint8(at) << 8;
  sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** The checksum to write into a packet whose checksum field is 0; 0 itself means "none" and is sent as ffff. */
export function checksumOf(view: DataView): number {
  return ~onesComplementSum(view) & 0xffff || 0xffff;
}
