/**
 * Frames of peer sessions as bytes, sound and not.
 *
 * @module
 */
import { concat } from "../../relay/protocol/bytes.ts";
import { ANSWER_LIMITS, type FrameLimits, FrameReader } from "../../relay/protocol/frame_reader.ts";
import { encodeFrame } from "../../relay/protocol/frame_writer.ts";
import { type Frame, FRAME_HEADER_BYTES } from "../../relay/protocol/frames.ts";
import { WireWriter } from "../../relay/protocol/wire.ts";

/** What both sides of a session may send. */
export const ANY: FrameLimits = { ...ANSWER_LIMITS, long: ["catch_up", "digest", "pull", "push"] };

export function encode(...frames: Frame[]): Uint8Array<ArrayBuffer> {
  return concat(frames.flatMap((frame) => [...encodeFrame(frame)]));
}

/** Reads `bytes` in pieces of as many bytes as `next` says, from one buffer that is used again. */
export function read(bytes: Uint8Array, next: () => number): Frame[] {
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

/** Bytes with their length before them. */
export function wrapped(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** A frame of kind `tag` whose fields `write` writes. */
export function frame(tag: number, write: (writer: WireWriter) => void): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  writer.nested(tag, () => write(writer));
  return wrapped(writer.bytes());
}
