import assert from "node:assert/strict";
import { concat } from "../../../relay/protocol/bytes.ts";
import {
  ANSWER_LIMITS,
  type FrameLimits,
  FrameReader,
} from "../../../relay/protocol/frame_reader.ts";
import { encodeFrame } from "../../../relay/protocol/frame_writer.ts";
import { type Frame, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from "../../../relay/protocol/frames.ts";
import { type CatchUp, MAX_BEYOND } from "../../../relay/protocol/log/catch_up.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { DecodeError, WireWriter } from "../../../relay/protocol/wire.ts";
import { seededRandom } from "../../support/random.ts";
import {
  flipped,
  int,
  pick,
  randomBytes,
  randomCatchUp,
  randomFrame,
  randomMessage,
  randomVector,
  some,
} from "./samples.ts";

/** What both sides of a session may send. */
const ANY: FrameLimits = { ...ANSWER_LIMITS, long: ["catch_up", "digest", "pull", "push"] };

function encode(...frames: Frame[]): Uint8Array<ArrayBuffer> {
  return concat(frames.flatMap((frame) => [...encodeFrame(frame)]));
}

/** Reads `bytes` in pieces of as many bytes as `next` says, from one buffer that is used again. */
function read(bytes: Uint8Array, next: () => number): Frame[] {
  const reader = new FrameReader(ANY);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const chunk = new Uint8Array(bytes.subarray(at, at + next()));
    frames.push(...reader.push(chunk));
    at += chunk.length;
    chunk.fill(0xff);
  }
  return frames;
}

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

/** Bytes with their length before them. */
function wrapped(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** A frame of kind `tag` whose fields `write` writes. */
function frame(tag: number, write: (writer: WireWriter) => void): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  writer.nested(tag, () => write(writer));
  return wrapped(writer.bytes());
}

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

Deno.test("a large catch-up travels in parts, between which other frames may come", () => {
  const random = seededRandom(9);
  const catchUp = randomCatchUp(random);
  const channel = [...catchUp.floors.keys()].find((name) => name !== "") ?? "0{x}";
  const messages = Array.from({ length: 12 }, (_, at) => ({
    message: { ...randomMessage(random, channel), data: new Uint8Array(400_000).fill(at) },
    ageMs: at,
  }));
  const frames = [1, 2].map((id): Frame => ({
    type: "catch_up",
    id,
    catchUp: {
      ...catchUp,
      slot: slotOf(channel),
      floors: new Map(),
      held: [],
      messages: messages.slice(id),
    },
  }));
  const done: Frame = { type: "pong", id: 7 };
  const [first = [], second = []] = frames.map((frame) => [...encodeFrame(frame)]);
  assert.ok(first.length > 3);
  for (const part of first) assert.ok(part.length < 700_000);

  const reader = new FrameReader(ANY);
  const received: Frame[] = [];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    for (const bytes of [first[at], second[at], ...encodeFrame(done)]) {
      if (bytes) received.push(...reader.push(bytes));
    }
  }
  // The second is the shorter.
  assert.deepEqual(received.filter(({ type }) => type === "catch_up"), frames.reverse());
  assert.equal(received.length, 2 + Math.max(first.length, second.length));
});

Deno.test("digests, pulls and pushes of any size travel in parts", () => {
  const random = seededRandom(3);
  const slots = Array.from({ length: 16384 }, (_, slot) => slot);
  const vector = randomVector(random, 8, 1), standing = { vector, beyond: [] };
  const entries = slots.map((slot) => ({ slot, vector, lost: [] }));
  const message = { ...randomMessage(random, "a"), data: "x".repeat(1024 * 1024) };
  const frames: Frame[] = [
    { type: "digest", id: 1, digest: { groups: [1], entries, equal: slots } },
    { type: "pull", id: 2, groups: [1], slots: new Map(slots.map((slot) => [slot, standing])) },
    { type: "push", id: 3, messages: Array.from({ length: 5 }, () => ({ message, ageMs: 1 })) },
  ];
  for (const frame of frames) {
    assert.ok([...encodeFrame(frame)].length > 1);
    assert.deepEqual(read(encode(frame), () => 60_000), [frame]);
  }
});

Deno.test("parts are encoded only as they are asked for", () => {
  let asked = 0;
  const message = { ...randomMessage(seededRandom(1), "a"), data: "x".repeat(600_000) };
  const messages = Array.from({ length: 10 }, () => ({
    message,
    get ageMs() {
      return ++asked;
    },
  }));
  const nothing = {
    start: new Map(),
    beyond: [],
    held: [],
    lost: [],
    floors: new Map(),
    end: new Map(),
    idleMs: new Map(),
  };
  const parts = encodeFrame({
    type: "catch_up",
    id: 1,
    catchUp: { ...nothing, slot: slotOf("a"), messages },
  });
  parts.next();
  assert.equal(asked, 1);
});

Deno.test("a catch-up that never ends is refused, but not many that do", () => {
  const part = (more: boolean) =>
    frame(3, (to) => {
      to.writeBooleanField(3, more);
      to.writeBytesField(99, new Uint8Array(MAX_FRAME_BYTES - 100));
    });
  const first = part(true), last = part(false);
  const reader = new FrameReader(ANY);
  for (let whole = 0; whole < 70; whole++) {
    assert.deepEqual([...reader.push(first)], []);
    assert.equal([...reader.push(last)].length, 1);
  }
  assert.throws(() => {
    for (let parts = 0; parts < 70; parts++) [...reader.push(first)];
  }, DecodeError);
});

Deno.test("what a part names a second time is refused", () => {
  const part = frame(3, (to) => {
    to.writeBooleanField(3, true);
    to.positions(4, new Map([["AAAAAAAA", 1]]));
  });
  assert.throws(() => read(Uint8Array.from([...part, ...part]), () => 9), DecodeError);
});

Deno.test("as much beyond a vector as a relay tells is read, and no more", () => {
  const ranges = (count: number) =>
    Array.from(
      { length: count },
      (_, n) => ({ origin: "AAAAAAAA", from: 2 * n + 1, to: 2 * n + 1 }),
    );
  const pull = (count: number): Frame => {
    const slots = new Map([[7, { vector: new Map(), beyond: ranges(count) }]]);
    return { type: "pull", id: 1, groups: [], slots };
  };
  const answer = (count: number): Frame => {
    const catchUp = randomCatchUp(seededRandom(1));
    return { type: "catch_up", id: 1, catchUp: { ...catchUp, beyond: ranges(count) } };
  };
  for (const frame of [pull, answer]) {
    assert.deepEqual(read(encode(frame(MAX_BEYOND)), () => 60_000), [frame(MAX_BEYOND)]);
    assert.throws(() => read(encode(frame(MAX_BEYOND + 1)), () => 60_000), DecodeError);
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
