/**
 * The slot of a channel, computed exactly as Redis Cluster computes the slot of a key (Redis Cluster specification,
 * "Key distribution model" and "Hash tags"). Fixed for ever: it needs no server and no table.
 *
 * @module
 */

/** How many slots there are; a slot is 0 to `SLOT_COUNT - 1`. */
export const SLOT_COUNT = 16384;

/** CRC-16/XMODEM: polynomial 0x1021, initial value 0, neither reflected nor inverted. */
const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of `channel`: that of its hash tag, the text within the first `{…}`, if this is not empty; else of it all. */
export function slotOf(channel: string): number {
  const open = channel.indexOf("{");
  if (open >= 0) {
    const close = channel.indexOf("}", open + 1);
    if (close > open + 1) return crc16(channel, open + 1, close) % SLOT_COUNT;
  }
  return crc16(channel, 0, channel.length) % SLOT_COUNT;
}

/** CRC of the UTF-8 bytes of `text[from, to)`, made on the fly since every publish passes here. */
function crc16(text: string, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      crc = step(crc, unit);
    } else if (unit < 0x800) {
      crc = step(step(crc, 0xc0 | (unit >> 6)), 0x80 | (unit & 0x3f));
    } else {
      const point = text.codePointAt(i) ?? unit;
      if (point > 0xffff) {
        crc = step(step(crc, 0xf0 | (point >> 18)), 0x80 | ((point >> 12) & 0x3f));
        i++;
      } else {
        crc = step(crc, 0xe0 | (point >> 12));
      }
      crc = step(step(crc, 0x80 | ((point >> 6) & 0x3f)), 0x80 | (point & 0x3f));
    }
  }
  return crc;
}

function step(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ byte] ?? 0);
}
