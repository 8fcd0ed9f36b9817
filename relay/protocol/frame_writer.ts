/**
 * Frames as bytes.
 *
 * @module
 */
import { catchUpParts, writeEntry, writeRange } from "./catch_up_parts.ts";
import {
  type DigestFrame,
  type Frame,
  FRAME_HEADER_BYTES,
  FRAME_TAGS,
  MAX_FRAME_BYTES,
  type Pull,
  type Push,
} from "./frames.ts";
import type { Range, Vector } from "./message.ts";
import { inParts, type WriteItem } from "./parts.ts";
import { slotOf } from "./slot.ts";
import type { Draft } from "./upstream.ts";
import { WireWriter } from "./wire.ts";

/** Frames that may be as large as a log. */
type LongFrame = Extract<Frame, { readonly type: "catch_up" | "pull" | "digest" | "push" }>;
type ShortFrame = Exclude<Frame, LongFrame>;

/**
 * Encodes a frame, its length before it. A long one may make several, each of about 1.3 MiB at most, which are encoded only
 * as they are asked for and must be sent in this order; others may come in between.
 * @throws {RangeError} if one would be over {@link MAX_FRAME_BYTES}.
 */
export function* encodeFrame(frame: Frame): Generator<Uint8Array<ArrayBuffer>, void> {
  const tag = FRAME_TAGS[frame.type];
  switch (frame.type) {
    case "catch_up":
    case "pull":
    case "digest":
    case "push":
      for (const part of partsOf(frame)) yield framed(tag, part);
      break;
    default:
      yield framed(tag, bodyOf(frame));
  }
}

function framed(tag: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(FRAME_HEADER_BYTES + 8 + body.length);
  writer.pos = FRAME_HEADER_BYTES;
  writer.writeBytesField(tag, body);
  const bytes = writer.bytes();
  const length = bytes.length - FRAME_HEADER_BYTES;
  if (length > MAX_FRAME_BYTES) throw new RangeError("the frame is too large");
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

function partsOf(frame: LongFrame): Generator<Uint8Array<ArrayBuffer>, void> {
  if (frame.type === "catch_up") return catchUpParts(frame.id, frame.catchUp);
  const begin = (writer: WireWriter) => writer.writeVarintField(1, frame.id);
  if (frame.type === "pull") return inParts(begin, 4, pullItems(frame));
  if (frame.type === "digest") return inParts(begin, 2, digestItems(frame));
  return inParts(begin, 2, pushItems(frame));
}

function* pullItems({ slots, groups }: Pull): Generator<WriteItem, void> {
  for (const [slot, { vector, beyond }] of slots) {
    yield (writer) => writer.nested(2, () => writePlace(writer, slot, vector, beyond));
  }
  yield (writer) => writer.writePackedVarint(3, [...groups]);
}

function* digestItems({ digest }: DigestFrame): Generator<WriteItem, void> {
  for (const { slot, vector, lost } of digest.entries) {
    yield (writer) => writer.nested(3, () => writePlace(writer, slot, vector, lost));
  }
  yield (writer) => writer.writePackedVarint(4, [...digest.groups]);
  yield (writer) => writer.writePackedVarint(5, [...digest.equal]);
}

function* pushItems({ messages }: Push): Generator<WriteItem, void> {
  for (const entry of messages) yield (writer) => writeEntry(writer, 3, entry);
}

/** Writes the body of a Place or a DigestEntry. */
function writePlace(
  writer: WireWriter,
  slot: number,
  vector: Vector,
  ranges: readonly Range[],
): void {
  writer.writeVarintField(1, slot);
  writer.positions(2, vector);
  for (const range of ranges) writeRange(writer, 3, range);
}

function bodyOf(frame: ShortFrame): Uint8Array {
  const writer = new WireWriter();
  if ("id" in frame) writeIdentified(writer, frame);
  else writeWord(writer, frame);
  return writer.bytes();
}

/** What concerns the session itself. */
function writeWord(writer: WireWriter, frame: Exclude<ShortFrame, { readonly id: number }>): void {
  switch (frame.type) {
    case "hello":
      writer.writeVarintField(1, frame.version);
      writer.origin(2, frame.origin);
      writer.text(3, frame.node);
      if (frame.nonce) writer.writeBytesField(4, frame.nonce);
      break;
    case "proof":
      writer.writeVarintField(1, frame.keyId);
      writer.writeBytesField(2, frame.mac);
      break;
    case "bye":
      writer.text(1, frame.reason);
      if (frame.fault) writer.writeBooleanField(2, true);
      break;
    case "origins":
      writer.positions(1, new Map(frame.heard.map(({ origin, ageMs }) => [origin, ageMs])));
      break;
    case "credit":
      writer.writeVarintField(1, frame.bytes);
      break;
  }
}

/** What is asked or answered; without fields of its own a ping, a pong and a question for the table. */
function writeIdentified(
  writer: WireWriter,
  frame: Extract<ShortFrame, { readonly id: number }>,
): void {
  writer.writeVarintField(1, frame.id);
  switch (frame.type) {
    case "pull_done":
      for (const [group, position] of frame.positions) {
        writer.nested(2, () => {
          writer.writeVarintField(1, group);
          writer.writeVarintField(2, position);
        });
      }
      break;
    case "held":
      writer.writeBooleanField(2, frame.held);
      break;
    case "publish":
      writer.nested(2, () => writeDraft(writer, frame.draft));
      break;
    case "published":
      writer.text(2, frame.published.id);
      writer.text(3, frame.published.channel);
      writer.text(4, frame.published.ack);
      break;
    case "table":
      writer.writeVarintField(2, frame.epoch);
      writer.writeBytesField(3, frame.entries);
      break;
    case "failed":
      writer.text(2, frame.code);
      writer.text(3, frame.message);
      if (frame.retryAfterS !== undefined) writer.writeVarintField(4, frame.retryAfterS);
      break;
  }
}

function writeDraft(writer: WireWriter, draft: Draft): void {
  const { channel, data, event, after, key, order, ack } = draft;
  writer.text(1, channel);
  if (typeof data === "string") writer.text(2, data);
  else writer.writeBytesField(3, data);
  if (event !== undefined) writer.text(4, event);
  writer.positions(5, after?.slots.get(slotOf(channel)) ?? new Map());
  if (key !== undefined) writer.text(6, key);
  if (order !== undefined) writer.text(7, order);
  if (ack !== undefined) writer.text(8, ack);
}
