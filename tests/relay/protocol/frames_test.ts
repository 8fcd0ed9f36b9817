import assert from "node:assert/strict";
import { FrameReader } from "../../../relay/protocol/frame_reader.ts";
import { encodeFrame } from "../../../relay/protocol/frame_writer.ts";
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from "../../../relay/protocol/frames.ts";
import type { CatchUp } from "../../../relay/protocol/log/catch_up.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { DecodeError, WireWriter } from "../../../relay/protocol/wire.ts";
import { encode, frame, read, wrapped } from "../../support/frames.ts";
import { seededRandom } from "../../support/random.ts";
import {
  flipped,
  int,
  pick,
  randomBytes,
  randomCatchUp,
  randomFrame,
  randomMessage,
  some,
} from "./samples.ts";

Deno.test("frames come back as they went, one byte at a time, in random pieces, and at once", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seededRandom(seed);
    const frames = some(random, 6, () => randomFrame(random));
    const bytes = encode(...frames);
    assert.deepEqual(read(bytes, () => 1), frames, `seed ${seed}`);
    assert.deepEqual(read(bytes, () => 1 + int(random, 50)), frames, `seed ${seed}`);
    assert.deepEqual(read(bytes, () => bytes.length), frames, `seed ${seed}`);
  }
});

Deno.test("a stream cut off anywhere gives the frames before the cut", () => {
  const random = seededRandom(5);
  const frames = Array.from({ length: 4 }, () => randomFrame(random));
  const bytes = encode(...frames);
  for (let length = 0; length < bytes.length; length++) {
    const part = read(bytes.subarray(0, length), () => 64);
    assert.deepEqual(part, frames.slice(0, part.length));
    assert.ok(part.length < frames.length);
  }
});

Deno.test("a spoilt stream gives frames or a DecodeError", () => {
  for (let seed = 0; seed < 1500; seed++) {
    const random = seededRandom(seed);
    const bytes = pick(random, [
      () => flipped(random, encode(randomFrame(random), randomFrame(random))),
      () => wrapped(randomBytes(random, 40)),
    ])();
    try {
      read(bytes, () => 100);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `seed ${seed}: ${error}`);
    }
  }
});

Deno.test("an oversized frame is refused from its header", () => {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, MAX_FRAME_BYTES + 1);
  assert.throws(() => read(header, () => 1), DecodeError);
  const small = new FrameReader({ frameBytes: 100, long: [], unfinishedBytes: 0 });
  assert.throws(() => [...small.push(Uint8Array.of(0, 0, 0, 101))], DecodeError);
  new DataView(header.buffer).setUint32(0, MAX_FRAME_BYTES);
  assert.deepEqual(read(header, () => 1), []);
  const heard = Array.from({ length: 400_000 }, (_, at) => ({
    origin: at.toString(36).padStart(8, "0"),
    ageMs: 0,
  }));
  assert.throws(() => [...encodeFrame({ type: "origins", heard })], RangeError);
});

Deno.test("what is no frame is refused", async (test) => {
  const other = randomMessage(seededRandom(1), "other");
  const entry = (to: WireWriter) => to.nested(2, () => to.writeVarintField(2, 1));
  const range = (from: number, to: number) =>
    frame(3, (writer) =>
      writer.nested(7, () => {
        writer.origin(1, "AAAAAAAA");
        writer.writeVarintField(2, from);
        writer.writeVarintField(3, to);
      }));
  const catchUp = { ...randomCatchUp(seededRandom(1)), slot: slotOf("other") + 1 };
  const empty = { messages: [], held: [], lost: [], floors: new Map() };
  const cases: Record<string, Uint8Array> = {
    "a hello without origin": frame(1, (to) => to.text(3, "a")),
    "a hello without node": frame(1, (to) => to.origin(2, "AAAAAAAA")),
    "a pull of a slot over 16383": frame(
      2,
      (to) => to.nested(2, () => to.writeVarintField(1, 16384)),
    ),
    "a pull that names a slot twice": frame(2, (to) => {
      to.nested(2, () => to.writeVarintField(1, 1));
      to.nested(2, () => to.writeVarintField(1, 1));
    }),
    "a pull id of 33 bits": frame(2, (to) => to.writeVarintField(1, 2 ** 32)),
    "a packed list that ends within a number": frame(2, (to) => {
      to.writeBytesField(3, Uint8Array.of(1, 0x80));
      to.writeVarint(1);
    }),
    "a frame of no known kind": frame(99, (to) => to.writeVarintField(1, 1)),
    "a frame of nothing": wrapped(new Uint8Array()),
    "a nonce that is too short": frame(1, (to) => {
      to.origin(2, "AAAAAAAA");
      to.text(3, "a");
      to.writeBytesField(4, new Uint8Array(15));
    }),
    "a proof without a mac": frame(6, (to) => to.writeVarintField(1, 1)),
    "a farewell with control characters": frame(7, (to) => to.text(1, "a\nb")),
    "a digest that names a slot twice": frame(9, (to) => {
      to.nested(3, () => to.writeVarintField(1, 1));
      to.nested(3, () => to.writeVarintField(1, 1));
    }),
    "a draft without data": frame(12, (to) => to.nested(2, () => to.text(1, "a"))),
    "a draft of a reserved event": frame(12, (to) =>
      to.nested(2, () => {
        to.text(1, "a");
        to.text(2, "");
        to.text(4, "gap");
      })),
    "a draft of an unknown level": frame(12, (to) =>
      to.nested(2, () => {
        to.text(1, "a");
        to.text(2, "");
        to.text(8, "sure");
      })),
    "nothing to publish": frame(12, (to) => to.writeVarintField(1, 1)),
    "a published message without id": frame(13, (to) => to.text(3, "a")),
    "a failure that is not in the table": frame(14, (to) => {
      to.text(2, "toString");
      to.text(3, "a");
    }),
    "an entry without message": frame(3, (to) => to.nested(5, () => entry(to))),
    "an empty range": range(5, 4),
    "a range from 0": range(0, 4),
    "a message of another slot": encode({
      type: "catch_up",
      id: 1,
      catchUp: { ...catchUp, ...empty, messages: [{ message: other, ageMs: 0 }] },
    }),
    "a held message of another slot": encode({
      type: "catch_up",
      id: 1,
      catchUp: { ...catchUp, ...empty, held: [{ message: other, ageMs: 0 }] },
    }),
    "a floor of another slot": encode({
      type: "catch_up",
      id: 1,
      catchUp: { ...catchUp, ...empty, floors: new Map([["other", new Map()]]) },
    }),
    "a floor of an invalid channel": encode({
      type: "catch_up",
      id: 1,
      catchUp: { ...catchUp, ...empty, slot: slotOf("a\n"), floors: new Map([["a\n", new Map()]]) },
    }),
    "a catch-up of the wrong wire type": (() => {
      const writer = new WireWriter();
      writer.writeVarintField(3, 1);
      return wrapped(writer.bytes());
    })(),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await test.step(name, () => {
      assert.throws(() => read(bytes, () => bytes.length), DecodeError);
    });
  }
});

Deno.test("ages are rounded to milliseconds", () => {
  const message = randomMessage(seededRandom(1), "a");
  const catchUp: CatchUp = {
    slot: slotOf("a"),
    start: new Map(),
    beyond: [],
    messages: [{ message, ageMs: 1.4 }],
    held: [],
    lost: [],
    floors: new Map(),
    end: new Map(),
    idleMs: new Map([["AAAAAAAA", 2.6]]),
  };
  const [back] = read(encode({ type: "catch_up", id: 0, catchUp }), () => 10);
  assert.deepEqual(back, {
    type: "catch_up",
    id: 0,
    catchUp: { ...catchUp, messages: [{ message, ageMs: 1 }], idleMs: new Map([["AAAAAAAA", 3]]) },
  });
});
