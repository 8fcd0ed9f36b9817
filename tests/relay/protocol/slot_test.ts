import assert from "node:assert/strict";
import { SLOT_COUNT, slotOf } from "../../../relay/protocol/slot.ts";
import { seededRandom } from "../../support/random.ts";
import { SLOT_VECTORS } from "./slot_vectors.ts";
import { randomText } from "./samples.ts";

Deno.test("slots are those of a Redis server", () => {
  for (const [key, slot] of SLOT_VECTORS) assert.equal(slotOf(key), slot, JSON.stringify(key));
});

Deno.test("the check value of CRC-16/XMODEM", () => {
  assert.equal(slotOf("123456789"), 0x31c3);
});

Deno.test("channels that share a hash tag share a slot", () => {
  assert.equal(slotOf("{user1000}.following"), slotOf("{user1000}.followers"));
  assert.equal(slotOf("foo{{bar}}zap"), slotOf("{bar"));
  assert.equal(slotOf("foo{bar}{zap}"), slotOf("bar"));
  assert.notEqual(slotOf("foo{}{bar}"), slotOf("bar"));
});

Deno.test("any text has the slot of its UTF-8 bytes", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 2000; i++) {
    const text = randomText(random, 20).replaceAll(/[{}]/g, "");
    const slot = slotOf(text);
    assert.equal(slot, crc16(new TextEncoder().encode(text)) % SLOT_COUNT, JSON.stringify(text));
    assert.equal(slotOf(`before{${text || "x"}}after`), text === "" ? slotOf("x") : slot);
  }
});

/** Bit by bit, as the definition has it. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const carry = (crc >> 15) ^ ((byte >> bit) & 1);
      crc = (crc << 1) & 0xffff;
      if (carry) crc ^= 0x1021;
    }
  }
  return crc;
}
