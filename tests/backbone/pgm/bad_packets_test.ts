/** Packets that are none, and what of a packet is passed over. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeAck, encodeSpmr } from "../../../backbone/pgm/encode.ts";
import { decodePacket } from "../../../backbone/pgm/packet.ts";
import { ACKS, bytes, PACKETS, resealed, STREAM } from "../../support/packets.ts";
import { seededRandom } from "../../support/random.ts";

const MALFORMED: [string, Uint8Array, string][] = [
  ["nothing at all", bytes(), "truncated"],
  ["POLL", resealed(encodeSpmr(STREAM), (copy) => copy[4] = 0x01), "type"],
  ["an ACK without a body", resealed(encodeSpmr(STREAM), (copy) => copy[4] = 0x0d), "truncated"],
  [
    "acknowledgements of odd length",
    resealed(encodeAck(STREAM, { ...ACKS, streams: ACKS.streams.slice(0, 1) }), (copy) => {
      copy[27] = copy[27]! - 1;
      copy[29] = copy[29]! - 1;
    }),
    "option",
  ],
  [
    "acknowledgements without a window",
    resealed(encodeAck(STREAM, { window: 0, streams: [] }), (copy) => {
      copy[27] = copy[27]! - 2;
      copy[29] = copy[29]! - 2;
    }),
    "option",
  ],
  ["parity", resealed(PACKETS["ODATA"]![0], (copy) => copy[5] = 0x80), "option"],
  ["a NAK for parity", resealed(PACKETS["NAK"]![0], (copy) => copy[5] = 0x80), "option"],
  ["a type nobody knows", resealed(encodeSpmr(STREAM), (copy) => copy[4] = 0x7f), "type"],
  ["an SPM of IPv6", resealed(PACKETS["SPM with FIN"]![0], (copy) => copy[29] = 2), "address"],
  ["a NAK of IPv6", resealed(PACKETS["NAK"]![0], (copy) => copy[21] = 2), "address"],
  [
    "a TSDU length over the packet's",
    resealed(PACKETS["ODATA"]![0], (copy) => copy[15] = 4),
    "length",
  ],
  [
    "a TSDU length under the packet's",
    resealed(PACKETS["ODATA"]![0], (copy) => copy[15] = 2),
    "length",
  ],
  [
    "options said to be there that are not",
    resealed(PACKETS["ODATA"]![0], (copy) => copy[5] = 1),
    "option",
  ],
  [
    "options that do not begin with LENGTH",
    resealed(PACKETS["SPM with FIN"]![0], (copy) => copy[36] = 1),
    "option",
  ],
  [
    "options longer than the packet",
    resealed(PACKETS["SPM with FIN"]![0], (copy) => copy[39] = 200),
    "option",
  ],
  [
    "an option of length 0",
    resealed(PACKETS["SPM with FIN"]![0], (copy) => copy[41] = 0),
    "option",
  ],
  [
    "options without a last one",
    resealed(PACKETS["SPM with FIN"]![0], (copy) => copy[40] = 0x0e),
    "option",
  ],
  [
    "a FRAGMENT cut short",
    resealed(PACKETS["ODATA with FRAGMENT"]![0], (copy) => copy[29] = 12),
    "option",
  ],
  [
    "a list of odd length",
    resealed(PACKETS["NCF with a list"]![0], (copy) => copy[41] = 7),
    "option",
  ],
];

for (const [name, encoded, reason] of MALFORMED) {
  Deno.test(`${name} is refused as ${reason}`, () => equal(decodePacket(encoded), reason));
}

Deno.test("data without a checksum is refused, control packets are not", () => {
  const without = (encoded: Uint8Array) => {
    const copy = encoded.slice();
    copy[6] = copy[7] = 0;
    return decodePacket(copy);
  };
  equal(without(PACKETS["ODATA"]![0]), "checksum");
  equal(without(PACKETS["RDATA"]![0]), "checksum");
  for (const name of ["NAK", "SPMR", "SPM with FIN"]) {
    deepEqual(without(PACKETS[name]![0]), PACKETS[name]![1]);
  }
});

Deno.test("an unknown option is passed over", () => {
  const unknown = resealed(PACKETS["packed ODATA"]![0], (copy) => copy[28] = 0x80 | 0x6f);
  const packet = decodePacket(unknown);
  ok(typeof packet === "object" && packet.type === "odata");
  equal(packet.packed, false);
});

/** Options that a source or a network element may send, and what they leave of a packet that has them before FIN. */
const PASSED_OVER: Record<string, number[]> = {
  "JOIN": [0x03, 8, 0, 0, 0, 0, 0, 5],
  "SYN": [0x0d, 4, 0, 0],
  "RST": [0x0f, 4, 0, 0],
  "PARITY_PRM": [0x08, 8, 0, 3, 0, 0, 0, 16],
  "NAK_BO_IVL": [0x04, 12, 0, 0, ...Array(8).fill(1)],
  "CRQST": [0x11, 4, 0, 4],
  "one of nobody's": [0x6f, 255, 0, 0, ...Array(251).fill(0xff)],
  "three of them": [0x0d, 4, 0, 0, 0x6f, 5, 0, 0, 9, 0x5b, 4, 0, 0],
};

for (const [name, option] of Object.entries(PASSED_OVER)) {
  Deno.test(`an option that means nothing to us is passed over: ${name}`, () => {
    const [encoded, packet] = PACKETS["SPM with FIN"]!;
    const [head, fin] = [encoded.slice(0, 40), encoded.slice(40)];
    const longer = Uint8Array.of(...head, ...option, ...fin);
    const total = 8 + option.length;
    deepEqual(
      decodePacket(resealed(longer, (copy) => copy.set([total >> 8, total & 255], 38))),
      packet,
    );
  });
}

Deno.test("random bytes never throw, with or without a good checksum", () => {
  const random = seededRandom(42);
  for (let round = 0; round < 20_000; round++) {
    const noise = Uint8Array.from({ length: random() * 120 }, () => random() * 256);
    if (noise.length > 16) {
      noise[4] = [0, 4, 5, 8, 9, 10, 12, 13][Math.floor(random() * 8)] ?? 0;
      decodePacket(resealed(noise, () => {}));
    }
    decodePacket(noise);
  }
});
