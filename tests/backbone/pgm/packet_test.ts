import { deepEqual, equal, notEqual } from "node:assert/strict";
import { encodeData, encodeNak, encodeSpm } from "../../../backbone/pgm/encode.ts";
import { decodePacket } from "../../../backbone/pgm/packet.ts";
import { unpack } from "../../../backbone/pgm/packing.ts";
import { bytes, hex, PACKETS, resealed, STREAM } from "../../support/packets.ts";

for (const [name, [encoded, packet]] of Object.entries(PACKETS)) {
  Deno.test(`${name} is read as it was written`, () => {
    deepEqual(decodePacket(encoded), packet);
  });

  Deno.test(`${name} cut short anywhere is refused`, () => {
    for (let length = 0; length < encoded.length; length++) {
      equal(typeof decodePacket(encoded.slice(0, length)), "string", `${length} bytes`);
    }
  });

  Deno.test(`${name} with any bit flipped is refused`, () => {
    for (let bit = 0; bit < 8 * encoded.length; bit++) {
      const flipped = encoded.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      equal(typeof decodePacket(flipped), "string", `bit ${bit}`);
    }
  });
}

Deno.test("a NAK is, byte by byte, the one that OpenPGM was seen to send", () => {
  const stream = { gsi: 0x7594_c44a_0a21, sourcePort: 0xd413, destinationPort: 0x1d4c };
  const sent = encodeNak(stream, "nak", {
    sqns: [3],
    sourceNla: 0x0a4d_0001,
    groupNla: 0xefc0_0701,
  });
  const seen = hex(
    "1d4c d413 08 00 c18a 7594c44a0a21 0000 00000003 0001 0000 0a4d0001 0001 0000 efc00701",
  );
  deepEqual(sent, seen);
});

Deno.test("option bytes are as in RFC 3208: FIN, FRAGMENT and NAK_LIST after LENGTH", () => {
  const options = (encoded: Uint8Array, at: number, length: number) =>
    Array.from(encoded.slice(at, at + length));
  const fin = encodeSpm(STREAM, { sqn: 0, trail: 0, lead: 0, nla: 0, fin: true });
  deepEqual(options(fin, 36, 8), [0, 4, 0, 8, 0x8e, 4, 0, 0]);
  const fragment = { first: 1, offset: 2, length: 3 };
  const part = encodeData(STREAM, { sqn: 0, trail: 0, payload: bytes(), fragment });
  deepEqual(options(part, 24, 8), [0, 4, 0, 20, 0x81, 16, 0, 0]);
  const nak = encodeNak(STREAM, "nak", { sqns: [1, 2], sourceNla: 0, groupNla: 0 });
  deepEqual(options(nak, 36, 12), [0, 4, 0, 12, 0x82, 8, 0, 0, 0, 0, 0, 2]);
  equal(nak[5], 0x03);
});

Deno.test("an N-NAK is a NAK of another type", () => {
  const [encoded, packet] = PACKETS["NAK with a full list"]!;
  const nnak = decodePacket(resealed(encoded, (copy) => copy[4] = 0x09));
  deepEqual(nnak, { ...packet, type: "nnak" });
});

Deno.test("a packet is read at any offset of its buffer", () => {
  const [encoded, packet] = PACKETS["ODATA"]!;
  for (let offset = 0; offset < 5; offset++) {
    const within = new Uint8Array(100);
    within.set(encoded, offset);
    deepEqual(decodePacket(within.subarray(offset, offset + encoded.length)), packet);
  }
});

Deno.test("a packed TSDU cut short is refused, except between payloads", () => {
  const tsdu = bytes(0, 1, 7, 0, 2, 8, 9);
  deepEqual(unpack(tsdu), [bytes(7), bytes(8, 9)]);
  for (const length of [1, 2, 4, 5, 6]) equal(unpack(tsdu.slice(0, length)), undefined);
  deepEqual(unpack(tsdu.slice(0, 3)), [bytes(7)]);
  deepEqual(unpack(bytes()), []);
});

Deno.test("a checksum of 0 is never sent", () => {
  // Words that sum to ffff: the checksum would be 0, which means "none".
  for (let word = 0; word < 0x10000; word++) {
    const encoded = encodeData(STREAM, {
      sqn: 0,
      trail: 0,
      payload: bytes(word >> 8, word & 0xff),
    });
    notEqual((encoded[6] ?? 0) << 8 | (encoded[7] ?? 0), 0);
  }
});
