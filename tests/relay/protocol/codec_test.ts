import assert from "node:assert/strict";
import {
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  MessageDecoder,
  MessageEncoder,
} from "../../../relay/protocol/codec.ts";
import { MAX_DATA_BYTES } from "../../../relay/protocol/data.ts";
import type { Message } from "../../../relay/protocol/message.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { DecodeError, WireWriter } from "../../../relay/protocol/wire.ts";
import { seededRandom } from "../../support/random.ts";
import { flipped, randomBytes, randomMessage } from "./samples.ts";

const MESSAGE: Message = {
  slot: slotOf("news"),
  origin: "q83vASNF",
  seq: 7,
  channel: "news",
  data: "hello",
  timeMs: 1_700_000_000_000,
  region: "local",
};

/** A valid message with some fields replaced; `undefined` leaves one out. */
function wire(change: Partial<Record<string, (writer: WireWriter) => void>>): Uint8Array {
  const writer = new WireWriter();
  const fields: Partial<Record<string, (writer: WireWriter) => void>> = {
    slot: (to) => to.writeVarintField(1, MESSAGE.slot),
    origin: (to) => to.origin(2, MESSAGE.origin),
    seq: (to) => to.writeVarintField(3, MESSAGE.seq),
    channel: (to) => to.text(4, MESSAGE.channel),
    data: (to) => to.text(5, "hello"),
    ...change,
  };
  for (const write of Object.values(fields)) write?.(writer);
  return writer.bytes();
}

Deno.test("messages that share memory stay as they are, however large the next one is", () => {
  const random = seededRandom(1), encoder = new MessageEncoder();
  const large = ["é".repeat(50_000), "x".repeat(MAX_DATA_BYTES)];
  const messages = Array.from(
    { length: 2000 },
    (_, i) =>
      i % 100 === 99
        ? { ...MESSAGE, data: large[(i - 99) / 100 % 2] ?? "" }
        : randomMessage(random),
  );
  const encoded = messages.map((message) => encoder.encode(message));
  for (const [i, message] of messages.entries()) {
    assert.deepEqual(encoded[i], encodeMessage(message), `message ${i}`);
  }
});

Deno.test("messages decoded with what they have in common are the same, however much that is", () => {
  const random = seededRandom(1), decoder = new MessageDecoder();
  for (let n = 0; n < 1000; n++) {
    const message = {
      ...randomMessage(random),
      region: `region ${n % 300}`,
      event: `größe ${n % 7}`,
    };
    const bytes = encodeMessage(message);
    assert.deepEqual(decoder.decode(bytes), message);
    assert.throws(() => decoder.decode(bytes.subarray(0, -1)), DecodeError);
  }
});

Deno.test("any message comes back as it went", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const message = randomMessage(seededRandom(seed));
    assert.deepEqual(decodeMessage(encodeMessage(message)), message, `seed ${seed}`);
  }
});

Deno.test("data arrives intact", async (test) => {
  const cases: Record<string, string | Uint8Array> = {
    "empty text": "",
    "empty binary": new Uint8Array(),
    "a byte order mark": "\ufeffdata",
    "a NUL": "a\0b",
    "line ends": "a\r\nb\rc\n",
    "leading spaces": "  a",
    "emoji": "👩‍👩‍👧 😀",
    "binary that is no UTF-8": Uint8Array.of(0xff, 0xc0, 0x00),
    "1 MiB of text": "x".repeat(MAX_DATA_BYTES),
    "1 MiB of text, three bytes a character": "語".repeat(Math.floor(MAX_DATA_BYTES / 3)),
    "1 MiB of binary": new Uint8Array(MAX_DATA_BYTES).fill(7),
  };
  for (const [name, data] of Object.entries(cases)) {
    await test.step(name, () => {
      assert.deepEqual(decodeMessage(encodeMessage({ ...MESSAGE, data })).data, data);
    });
  }
});

Deno.test("text of any length arrives, at each width of its length in bytes", () => {
  const lengths = [0, 1, 31, 32, 42, 43, 63, 64, 127, 128, 5461, 5462, 8191, 8192, 16383, 16384];
  for (const length of lengths) {
    for (const character of ["a", "é", "語", "😀", "\u{20000}"]) {
      for (const data of [character.repeat(length), `${"a".repeat(length)}${character}`]) {
        assert.equal(decodeMessage(encodeMessage({ ...MESSAGE, data })).data, data);
      }
    }
  }
});

Deno.test("binary data is a copy: the packet is not kept alive, and may be reused", () => {
  const bytes = encodeMessage({ ...MESSAGE, data: Uint8Array.of(1, 2, 3) });
  const { data } = decodeMessage(bytes);
  bytes.fill(0);
  assert.deepEqual(data, Uint8Array.of(1, 2, 3));
});

Deno.test("the bytes are those of the .proto", () => {
  const origin = [0xab, 0xcd, 0xef, 0x01, 0x23, 0x45];
  const bytes = encodeMessage({
    ...MESSAGE,
    timeMs: 5,
    after: new Map([["q83vASNF", 6]]),
    key: "k",
    event: "e",
  });
  const news = [0x6e, 0x65, 0x77, 0x73], hello = [0x68, 0x65, 0x6c, 0x6c, 0x6f];
  const local = [0x6c, 0x6f, 0x63, 0x61, 0x6c];
  assert.deepEqual([...bytes], [
    ...[0x08, 0x80 | (MESSAGE.slot & 0x7f), MESSAGE.slot >> 7],
    ...[0x12, 6, ...origin],
    ...[0x18, 7],
    ...[0x22, 4, ...news],
    ...[0x2a, 5, ...hello],
    ...[0x3a, 1, 0x65],
    ...[0x40, 5],
    ...[0x4a, 10, 0x0a, 6, ...origin, 0x10, 6],
    ...[0x52, 1, 0x6b],
    ...[0x5a, 5, ...local],
  ]);
});

Deno.test("unknown fields are skipped, in any wire type", () => {
  const bytes = wire({
    added: (to) => {
      to.writeVarintField(100, Number.MAX_SAFE_INTEGER);
      to.text(101, "later");
      to.writeFixed32Field(102, 1);
      to.writeFixed64Field(103, 1);
    },
  });
  assert.equal(decodeMessage(bytes).data, "hello");
});

Deno.test("what is no message is refused", async (test) => {
  const raw = (tag: number, ...bytes: number[]) => (to: WireWriter) =>
    to.writeBytesField(tag, Uint8Array.from(bytes));
  const cases: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(),
    "no origin": wire({ origin: undefined }),
    "an origin of 5 bytes": wire({ origin: raw(2, 1, 2, 3, 4, 5) }),
    "an origin of 7 bytes": wire({ origin: raw(2, 1, 2, 3, 4, 5, 6, 7) }),
    "a slot over 16383": wire({ slot: (to) => to.writeVarintField(1, 16384) }),
    "another slot than the channel's": wire({
      slot: (to) => to.writeVarintField(1, MESSAGE.slot + 1),
    }),
    "no seq": wire({ seq: undefined }),
    "seq 0": wire({ seq: (to) => to.writeVarintField(3, 0) }),
    "a seq that is no safe integer": wire({ seq: (to) => to.writeVarintField(3, 2 ** 53) }),
    "a seq of 64 bits": wire({ seq: (to) => to.writeVarintField(3, -1) }),
    "a seq of the wrong wire type": wire({ seq: (to) => to.writeFixed64Field(3, 7) }),
    "no channel": wire({ channel: undefined, slot: undefined }),
    "a channel with a control character": wire({
      slot: (to) => to.writeVarintField(1, slotOf("a\nb")),
      channel: (to) => to.text(4, "a\nb"),
    }),
    "a channel of 513 bytes": wire({
      slot: (to) => to.writeVarintField(1, slotOf("a".repeat(513))),
      channel: (to) => to.text(4, "a".repeat(513)),
    }),
    "a channel of the wrong wire type": wire({ channel: (to) => to.writeVarintField(4, 1) }),
    "no data": wire({ data: undefined }),
    "text that is no UTF-8": wire({ data: raw(5, 0xff) }),
    "text with an encoded surrogate": wire({ data: raw(5, 0xed, 0xa0, 0x80) }),
    "text with an overlong form": wire({ data: raw(5, 0xc0, 0x80) }),
    "long text that is no UTF-8": wire({ data: raw(5, ...new Array(100).fill(0x61), 0xc3) }),
    "a reserved event": wire({ event: (to) => to.text(7, "gap") }),
    "an event with a line end": wire({ event: (to) => to.text(7, "a\nb") }),
    "an empty event": wire({ event: (to) => to.text(7, "") }),
    "an empty key": wire({ key: (to) => to.text(10, "") }),
    "a region with a control character": wire({ region: (to) => to.text(11, "\0") }),
    "a position without origin": wire({
      after: (to) => to.nested(9, () => to.writeVarintField(2, 1)),
    }),
    "an origin twice": wire({
      after: (to) => {
        to.positions(9, new Map([["AAAAAAAA", 1]]));
        to.positions(9, new Map([["AAAAAAAA", 2]]));
      },
    }),
    "a group, which is no wire type any more": wire({ odd: (to) => to.writeTag(50, 3) }),
    "field number 0": wire({ odd: (to) => to.writeVarint(0) }),
    "a nested message that ends beyond its own end": wire({
      after: (to) => to.writeBytesField(9, Uint8Array.of(0x0a, 6, 1, 2)),
    }),
    "a nested number that runs on after its message": wire({
      after: (to) => {
        to.writeBytesField(9, Uint8Array.of(0x0a, 6, 1, 2, 3, 4, 5, 6, 0x10, 0x80));
        to.writeVarint(1);
      },
    }),
    "a time of the wrong wire type": wire({ time: raw(8) }),
    "data over 1 MiB": wire({
      data: (to) => to.writeBytesField(6, new Uint8Array(MAX_DATA_BYTES + 1)),
    }),
    "more than a message may be": wire({
      odd: (to) => to.writeBytesField(99, new Uint8Array(MAX_MESSAGE_BYTES)),
    }),
  };
  assert.doesNotThrow(() => decodeMessage(wire({})));
  for (const [name, bytes] of Object.entries(cases)) {
    await test.step(name, () => {
      assert.throws(() => decodeMessage(bytes), DecodeError);
    });
  }
});

Deno.test("a message cut off anywhere is refused, or lacks only its last fields", () => {
  const message = { ...randomMessage(seededRandom(3)), event: "tick", key: "k" };
  const bytes = encodeMessage(message);
  for (let length = 0; length < bytes.length; length++) {
    const part = bytes.subarray(0, length);
    try {
      assert.deepEqual(encodeMessage(decodeMessage(part)), new Uint8Array(part));
    } catch (error) {
      assert.ok(error instanceof DecodeError, `at ${length}: ${error}`);
    }
  }
});

Deno.test("spoilt and random bytes give a message that can be encoded again, or a DecodeError", () => {
  let decoded = 0;
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const bytes = seed % 4 === 0
      ? randomBytes(random, 80)
      : flipped(random, encodeMessage(randomMessage(random)));
    try {
      const message = decodeMessage(bytes);
      assert.deepEqual(decodeMessage(encodeMessage(message)), message, `seed ${seed}`);
      decoded++;
    } catch (error) {
      assert.ok(error instanceof DecodeError, `seed ${seed}: ${error}`);
    }
  }
  assert.ok(decoded > 100, "some changes only change a value");
});

Deno.test("a message that no decoder takes is not encoded", () => {
  assert.throws(
    () => encodeMessage({ ...MESSAGE, data: new Uint8Array(MAX_MESSAGE_BYTES) }),
    RangeError,
  );
  assert.throws(() => encodeMessage({ ...MESSAGE, origin: "short" }), RangeError);
  assert.throws(() => encodeMessage({ ...MESSAGE, origin: "é83vASNF" }), RangeError);
});
