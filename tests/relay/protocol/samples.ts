/**
 * Random but valid values of the protocol, and what spoils bytes.
 *
 * @module
 */
import { DIGITS } from "../../../relay/protocol/base64url.ts";
import type { Message, Origin, Seq } from "../../../relay/protocol/message.ts";
import { SLOT_COUNT, slotOf } from "../../../relay/protocol/slot.ts";

export type Random = () => number;

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
