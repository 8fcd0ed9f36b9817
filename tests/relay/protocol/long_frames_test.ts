/** Frames that travel in parts. */
import assert from "node:assert/strict";
import { FrameReader } from "../../../relay/protocol/frame_reader.ts";
import { encodeFrame } from "../../../relay/protocol/frame_writer.ts";
import { type Frame, MAX_FRAME_BYTES } from "../../../relay/protocol/frames.ts";
import { MAX_BEYOND } from "../../../relay/protocol/log/catch_up.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { DecodeError } from "../../../relay/protocol/wire.ts";
import { ANY, encode, frame, read } from "../../support/frames.ts";
import { seededRandom } from "../../support/random.ts";
import { randomCatchUp, randomMessage, randomVector } from "./samples.ts";

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
