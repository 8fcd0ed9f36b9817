import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import {
  encodeAck,
  encodeData,
  encodeNak,
  encodePacked,
  encodeRepair,
  encodeSpm,
  encodeSpmr,
} from "../../../backbone/pgm/encode.ts";
import { LARGEST_ACK, LARGEST_TAG } from "../../../backbone/pgm/ack.ts";
import { decodePacket, type Packet, type Stream } from "../../../backbone/pgm/packet.ts";
import { unpack } from "../../../backbone/pgm/packing.ts";
import { seededRandom } from "../../support/random.ts";

const STREAM: Stream = { gsi: 0xc18a_7594_c44a, sourcePort: 32_769, destinationPort: 7_500 };
const bytes = (...values: number[]) => Uint8Array.from(values);
const hex = (text: string) =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (h) => parseInt(h, 16));
const list = Array.from({ length: 63 }, (_, i) => (0xffff_fff0 + i) >>> 0);

const TAGGED = Array.from(
  { length: LARGEST_TAG },
  (_, i) => ({ gsi: 2 ** 48 - 1 - i, now: i % 2 === 0, waitMs: 255 - i }),
);
const ACKS = {
  window: 65_535,
  streams: Array.from({ length: LARGEST_ACK }, (_, i) => ({
    gsi: 2 ** 40 + i,
    sourcePort: 65_535 - i,
    from: 0xffff_0000 + i,
    through: (0xffff_fff0 + i) >>> 0,
  })),
};

/** Each encoder's packet, and what it must be read as. */
const PACKETS: Record<string, [Uint8Array, Packet]> = {
  "SPM of a new source": [
    encodeSpm(STREAM, { sqn: 0, trail: 0, lead: 0xffff_ffff, nla: 0x0a4d_0001, fin: false }),
    {
      ...STREAM,
      type: "spm",
      sqn: 0,
      trail: 0,
      lead: 0xffff_ffff,
      nla: 0x0a4d_0001,
      fin: false,
      tagged: [],
    },
  ],
  "SPM with FIN": [
    encodeSpm(STREAM, { sqn: 7, trail: 1, lead: 9, nla: 0xffff_fffe, fin: true }),
    { ...STREAM, type: "spm", sqn: 7, trail: 1, lead: 9, nla: 0xffff_fffe, fin: true, tagged: [] },
  ],
  "SPM that asks for acknowledgements": [
    encodeSpm(STREAM, { sqn: 7, trail: 1, lead: 9, nla: 1, fin: false, tagged: TAGGED }),
    { ...STREAM, type: "spm", sqn: 7, trail: 1, lead: 9, nla: 1, fin: false, tagged: TAGGED },
  ],
  "ACK of as many streams as go into one": [
    encodeAck(STREAM, ACKS),
    { ...STREAM, type: "ack", acks: ACKS },
  ],
  "ODATA": [
    encodeData(STREAM, { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }),
    data("odata", { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }),
  ],
  "ODATA without payload": [
    encodeData(STREAM, { sqn: 0, trail: 0, payload: bytes() }),
    data("odata", { sqn: 0, trail: 0, payload: bytes() }),
  ],
  "ODATA with FRAGMENT": [
    encodeData(STREAM, {
      sqn: 6,
      trail: 2,
      payload: bytes(9),
      fragment: { first: 5, offset: 1428, length: 1429 },
    }),
    data("odata", {
      sqn: 6,
      trail: 2,
      payload: bytes(9),
      fragment: { first: 5, offset: 1428, length: 1429 },
    }),
  ],
  "packed ODATA": [
    encodePacked(STREAM, { sqn: 6, trail: 2, payloads: [bytes(7), bytes(), bytes(8, 9)] }),
    data("odata", { sqn: 6, trail: 2, packed: true, payload: bytes(0, 1, 7, 0, 0, 0, 2, 8, 9) }),
  ],
  "RDATA": [
    encodeRepair(encodeData(STREAM, { sqn: 5, trail: 2, payload: bytes(1, 2, 3) }), 4),
    data("rdata", { sqn: 5, trail: 4, payload: bytes(1, 2, 3) }),
  ],
  "NAK": [
    encodeNak(STREAM, "nak", { sqns: [3], sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "nak", sqns: [3], sourceNla: 1, groupNla: 2 },
  ],
  "NAK with a full list": [
    encodeNak(STREAM, "nak", { sqns: list, sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "nak", sqns: list, sourceNla: 1, groupNla: 2 },
  ],
  "NCF with a list": [
    encodeNak(STREAM, "ncf", { sqns: [3, 4], sourceNla: 1, groupNla: 2 }),
    { ...STREAM, type: "ncf", sqns: [3, 4], sourceNla: 1, groupNla: 2 },
  ],
  "SPMR": [encodeSpmr(STREAM), { ...STREAM, type: "spmr" }],
};

function data(
  type: "odata" | "rdata",
  fields: Partial<Packet> & { sqn: number; trail: number; payload: Uint8Array },
): Packet {
  return { ...STREAM, type, fragment: undefined, packed: false, ...fields } as Packet;
}

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

/** Recomputes the checksum of a packet that a test has bent. */
function resealed(encoded: Uint8Array, bend: (copy: Uint8Array) => void): Uint8Array {
  const copy = encoded.slice();
  bend(copy);
  copy[6] = copy[7] = 0;
  let sum = 0;
  copy.forEach((byte, at) => sum += at % 2 === 0 ? byte << 8 : byte);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff || 0xffff;
  copy.set([checksum >> 8, checksum & 0xff], 6);
  return copy;
}

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
