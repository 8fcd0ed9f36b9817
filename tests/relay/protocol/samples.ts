/**
 * Random but valid values of the protocol, and what spoils bytes.
 *
 * @module
 */
import { DIGITS } from "../../../relay/protocol/base64url.ts";
import type { Cursor } from "../../../relay/protocol/cursor.ts";
import type { Announcement } from "../../../relay/protocol/announcement.ts";
import { type Digest, type Frame, NONCE_BYTES } from "../../../relay/protocol/frames.ts";
import type { AgedMessage, CatchUp, Standing } from "../../../relay/protocol/log/catch_up.ts";
import { type ErrorCode, ERRORS } from "../../../relay/protocol/errors.ts";
import {
  type Message,
  messageId,
  type Origin,
  type Range,
  type Seq,
} from "../../../relay/protocol/message.ts";
import { SLOT_COUNT, slotOf } from "../../../relay/protocol/slot.ts";
import type { AckLevel, Draft } from "../../../relay/protocol/upstream.ts";
import { MAX_UINT32 } from "../../../relay/protocol/wire.ts";

export type Random = () => number;

/** When some cursors were in sync: a whole minute. */
export const AS_OF_MS = Date.UTC(2026, 5, 1);

/** A cursor of these positions by slot and origin. */
export function cursor(slots: Record<number, Record<string, number>>, asOfMs?: number): Cursor {
  const vectors = Object.entries(slots).map(([slot, vector]) =>
    [Number(slot), new Map(Object.entries(vector))] as const
  );
  return { slots: new Map(vectors), asOfMs };
}

/** A whole number from 0 to `below - 1`. */
export function int(random: Random, below: number): number {
  return Math.floor(random() * below);
}

/** One of `from`, which is not empty. */
export function pick<T>(random: Random, from: readonly T[]): T {
  return from[int(random, from.length)] as T;
}

/** Small numbers, numbers around powers of two, and any safe integer, from `min` on. */
export function randomNumber(random: Random, min = 0): number {
  const number = pick(random, [
    () => int(random, 100),
    () => 2 ** int(random, 53) - int(random, 2),
    () => int(random, Number.MAX_SAFE_INTEGER),
    () => Number.MAX_SAFE_INTEGER,
  ])();
  return Math.max(min, number);
}

export function randomOrigin(random: Random): Origin {
  return Array.from({ length: 8 }, () => DIGITS.charAt(int(random, 64))).join("");
}

/** Well-formed text of characters of every length in UTF-8, with some that are often mistreated. */
export function randomText(random: Random, maxLength: number): string {
  const alphabet = [
    "a",
    "Z",
    "0",
    " ",
    ".",
    "{",
    "}",
    "é",
    "ß",
    "語",
    "\ufeff",
    "\ufffd",
    "😀",
    "\u{20000}",
    "\u{10ffff}",
  ];
  return Array.from({ length: int(random, maxLength + 1) }, () => pick(random, alphabet)).join("");
}

/** Text as data has it: with control characters too. */
export function randomData(random: Random, maxLength: number): string | Uint8Array {
  if (random() < 0.3) {
    return Uint8Array.from({ length: int(random, maxLength + 1) }, () => int(random, 256));
  }
  return randomText(random, maxLength) + pick(random, ["", "\n", "\r\n", "\0", "\u0085"]);
}

export function randomVector(random: Random, maxSize: number, minSeq = 0): Map<Origin, Seq> {
  return new Map(
    Array.from(
      { length: int(random, maxSize + 1) },
      () => [randomOrigin(random), randomNumber(random, minSeq)],
    ),
  );
}

export function randomSlots(random: Random, maxSize: number): number[] {
  const slots = Array.from({ length: int(random, maxSize + 1) }, () => int(random, SLOT_COUNT));
  return [...new Set(slots)];
}

export function randomMessage(
  random: Random,
  channel = `c${randomText(random, 20)}`,
): Message {
  return {
    slot: slotOf(channel),
    origin: randomOrigin(random),
    seq: randomNumber(random, 1),
    channel,
    data: randomData(random, 60),
    timeMs: randomNumber(random),
    region: pick(random, ["", "local", "eu-west"]),
    ...(random() < 0.5 && { event: `e${randomText(random, 10)}` }),
    ...(random() < 0.5 && { key: `k${randomText(random, 10)}` }),
    ...(random() < 0.5 && { after: new Map([[randomOrigin(random), randomNumber(random)]]) }),
  };
}

/** None to `max` of what `make` makes. */
export function some<T>(random: Random, max: number, make: () => T): T[] {
  return Array.from({ length: int(random, max + 1) }, make);
}

export function randomAnnouncement(random: Random): Announcement {
  return {
    origin: randomOrigin(random),
    node: `n${randomText(random, 10)}`,
    region: "local",
    host: "127.0.0.1",
    port: 1 + int(random, 65535),
    groups: some(random, 32, () => int(random, 33)),
    holds: some(random, 32, () => int(random, 33)),
    ready: some(random, 32, () => int(random, 33)),
    kept: some(random, 32, () => int(random, 33)),
    hears: some(random, 5, () => randomOrigin(random)),
    tableEpoch: randomNumber(random),
    tableHash: int(random, MAX_UINT32),
    load: randomNumber(random),
    timeMs: randomNumber(random),
    solicit: random() < 0.5,
    leaving: random() < 0.5,
    version: int(random, 9),
  };
}

export function randomRange(random: Random): Range {
  const from = randomNumber(random, 1);
  const to = Math.min(from + int(random, 5), Number.MAX_SAFE_INTEGER);
  return { origin: randomOrigin(random), from, to };
}

export function randomDigest(random: Random): Digest {
  return {
    groups: some(random, 5, () => int(random, 33)),
    entries: randomSlots(random, 5).map((slot) => ({
      slot,
      vector: randomVector(random, 3),
      lost: some(random, 2, () => randomRange(random)),
    })),
    equal: randomSlots(random, 5),
  };
}

export function randomDraft(random: Random): Draft {
  const channel = `c${randomText(random, 20)}`;
  const after = new Map([[slotOf(channel), randomVector(random, 3)]]);
  return {
    channel,
    data: randomData(random, 60),
    ...(random() < 0.5 && { event: `e${randomText(random, 10)}` }),
    ...(random() < 0.5 && { key: `k${randomText(random, 10)}` }),
    ...(random() < 0.5 && after.get(slotOf(channel))?.size &&
      { after: { slots: after, asOfMs: undefined } }),
    ...(random() < 0.5 && { order: "total" as const }),
    ...(random() < 0.5 && { ack: randomLevel(random) }),
  };
}

export function randomLevel(random: Random): AckLevel {
  return pick(random, ["accepted", "replicated", "archived"]);
}

function randomStanding(random: Random): Standing {
  return {
    vector: randomVector(random, 3),
    beyond: some(random, 3, () => randomRange(random)),
  };
}

export function randomCatchUp(random: Random): CatchUp {
  const tag = randomText(random, 5).replaceAll(/[{}]/g, "") || "t";
  const channel = () => `${int(random, 100)}{${tag}}`;
  const entry = (): AgedMessage => ({
    message: randomMessage(random, channel()),
    ageMs: randomNumber(random),
    ...(random() < 0.2 && { unmet: true as const }),
  });
  return {
    slot: slotOf(`{${tag}}`),
    start: randomVector(random, 3),
    beyond: some(random, 3, () => randomRange(random)),
    messages: some(random, 4, entry),
    held: some(random, 2, entry),
    lost: some(random, 3, () => randomRange(random)),
    floors: new Map(
      some(random, 3, () => [pick(random, ["", channel()]), randomVector(random, 3)]),
    ),
    end: randomVector(random, 3),
    idleMs: randomVector(random, 3),
  };
}

export function randomFrame(random: Random): Frame {
  const id = int(random, MAX_UINT32);
  const bytes = (length: number) => Uint8Array.from({ length }, () => int(random, 256));
  const name = () => `n${randomText(random, 10)}`;
  return pick<() => Frame>(random, [
    () => ({
      type: "hello",
      version: 1 + int(random, 9),
      origin: randomOrigin(random),
      node: name(),
      ...(random() < 0.5 && { nonce: bytes(NONCE_BYTES) }),
    }),
    () => ({ type: "proof", keyId: int(random, 128), mac: bytes(32) }),
    () => ({ type: "bye", reason: name(), fault: random() < 0.5 }),
    () => ({ type: "credit", bytes: int(random, MAX_UINT32) }),
    () => ({
      type: "origins",
      heard: [...randomVector(random, 5)].map(([origin, ageMs]) => ({ origin, ageMs })),
    }),
    () => ({
      type: "pull",
      id,
      groups: some(random, 5, () => int(random, 33)),
      slots: new Map(randomSlots(random, 5).map((slot) => [slot, randomStanding(random)])),
    }),
    () => ({ type: "catch_up", id, catchUp: randomCatchUp(random) }),
    () => ({
      type: "pull_done",
      id,
      positions: new Map(some(random, 3, () => [int(random, 33), int(random, MAX_UINT32)])),
    }),
    () => ({ type: "digest", id, digest: randomDigest(random) }),
    () => ({
      type: "push",
      id,
      messages: some(random, 3, () => {
        return { message: randomMessage(random), ageMs: randomNumber(random) };
      }),
    }),
    () => ({ type: "held", id, held: random() < 0.5 }),
    () => ({ type: "publish", id, draft: randomDraft(random) }),
    () => {
      const { origin, slot, seq, channel } = randomMessage(random);
      const messageIdText = messageId({ origin, slot, seq });
      return {
        type: "published",
        id,
        published: { id: messageIdText, channel, ack: randomLevel(random) },
      };
    },
    () => ({
      type: "failed",
      id,
      code: pick(random, Object.keys(ERRORS) as ErrorCode[]),
      message: name(),
      ...(random() < 0.5 && { retryAfterS: int(random, 100) }),
    }),
    () => ({ type: "table_ask", id }),
    () => ({ type: "table", id, epoch: randomNumber(random), entries: new Uint8Array(32_768) }),
    () => ({ type: "ping", id }),
    () => ({ type: "pong", id }),
  ])();
}

/** `bytes` with one to four of them changed. */
export function flipped(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  for (let flips = 1 + int(random, 4); flips > 0; flips--) {
    const at = int(random, copy.length);
    copy[at] = random() < 0.5 ? int(random, 256) : (copy[at] ?? 0) ^ (1 << int(random, 8));
  }
  return copy;
}

export function randomBytes(random: Random, maxLength: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: int(random, maxLength + 1) }, () => int(random, 256));
}
