/**
 * What relays say to each other: the announcement on the control group, and the frames of a peer session over TCP
 * (`groundwave.proto`). A frame is its length in four bytes, big-endian, and a Protobuf message.
 *
 * @module
 */
import { catchUpParts } from "./catch_up_parts.ts";
import { isName, MAX_NAME_BYTES } from "./channel.ts";
import type { CatchUp } from "./log/catch_up.ts";
import type { Origin, Seq, Vector } from "./message.ts";
import { SLOT_COUNT } from "./slot.ts";
import { DecodeError, decoding, MAX_UINT32, WireReader, WireWriter } from "./wire.ts";

/** Bytes of a frame at most, without its length. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/** Bytes of the length that precedes each frame. */
export const FRAME_HEADER_BYTES = 4;

const MAX_GROUP = 0xffff;
const MAX_PORT = 0xffff;

/** What a relay tells the LAN about itself, multicast and alone in its payload. */
export interface Announcement {
  readonly origin: Origin;
  /** The relay's name, for people. */
  readonly node: string;
  readonly region: string;
  /** Where it accepts peer sessions. */
  readonly host: string;
  readonly port: number;
  /** The groups it hears. */
  readonly groups: readonly number[];
  /** Of its table of slots and groups. */
  readonly tableEpoch: number;
  /** It asks everybody to announce themselves now. */
  readonly solicit: boolean;
}

/** The first frame of each side of a session. */
export interface Hello {
  readonly type: "hello";
  readonly version: number;
  readonly origin: Origin;
  readonly node: string;
}

/** Asks for what the asker lacks. It is answered by a catch-up per slot, then by `pull_done`. */
export interface Pull {
  readonly type: "pull";
  /** The asker's choice, 32 bits, named in the answers. */
  readonly id: number;
  /** Every slot of these groups, from nothing where `slots` does not name it. */
  readonly groups: readonly number[];
  /** Slots and where the asker stands in each. */
  readonly slots: ReadonlyMap<number, Vector>;
}

/** One slot's part of the answer to a pull. */
export interface CatchUpFrame {
  readonly type: "catch_up";
  readonly id: number;
  readonly catchUp: CatchUp;
}

/** The pull named is answered. */
export interface PullDone {
  readonly type: "pull_done";
  readonly id: number;
}

/** Every origin that the sender heard of within 24 h, and how long ago, in milliseconds. */
export interface OriginsFrame {
  readonly type: "origins";
  readonly heard: readonly { readonly origin: Origin; readonly ageMs: number }[];
}

export type Frame = Hello | Pull | CatchUpFrame | PullDone | OriginsFrame;

/** Field numbers of the `Frame` message. */
export const FRAME_TAGS = { hello: 1, pull: 2, catch_up: 3, pull_done: 4, origins: 5 } as const;

/** Encodes an announcement whose names were checked at start. */
export function encodeAnnouncement(announcement: Announcement): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(128);
  writer.origin(1, announcement.origin);
  writer.text(2, announcement.node);
  writer.text(3, announcement.region);
  writer.text(4, announcement.host);
  writer.writeVarintField(5, announcement.port);
  writer.writePackedVarint(6, [...announcement.groups]);
  writer.writeVarintField(7, announcement.tableEpoch);
  if (announcement.solicit) writer.writeBooleanField(8, true);
  return writer.bytes();
}

/** @throws {DecodeError} */
export function decodeAnnouncement(bytes: Uint8Array): Announcement {
  return decoding("an announcement", () => {
    const reader = new WireReader(bytes);
    let origin: Origin | undefined;
    let node = "", region = "", host = "", port = 0, tableEpoch = 0, solicit = false;
    const groups: number[] = [];
    reader.fields((tag) => {
      if (tag === 1) origin = reader.origin();
      else if (tag === 2) node = reader.text(MAX_NAME_BYTES);
      else if (tag === 3) region = reader.text(MAX_NAME_BYTES);
      else if (tag === 4) host = reader.text(MAX_NAME_BYTES);
      else if (tag === 5) port = reader.uint(MAX_PORT);
      else if (tag === 6) reader.uints(MAX_GROUP, groups);
      else if (tag === 7) tableEpoch = reader.uint(Number.MAX_SAFE_INTEGER);
      else if (tag === 8) solicit = reader.uint(1) === 1;
    });
    if (origin === undefined) throw new DecodeError("it names no origin");
    if (port === 0) throw new DecodeError("it names no port");
    for (const name of [node, region, host]) checkName(name);
    return { origin, node, region, host, port, groups, tableEpoch, solicit };
  });
}

function checkName(name: string): void {
  if (!isName(name, MAX_NAME_BYTES)) {
    throw new DecodeError("a name is empty or has control characters");
  }
}

/**
 * Encodes a frame, its length before it. A catch-up may make several, each at most about 2 MiB, which are encoded only as they
 * are asked for and must be sent in this order; others may come in between.
 * @throws {RangeError} if any other frame is over {@link MAX_FRAME_BYTES}.
 */
export function* encodeFrame(frame: Frame): Generator<Uint8Array<ArrayBuffer>, void> {
  const tag = FRAME_TAGS[frame.type];
  if (frame.type === "catch_up") {
    for (const part of catchUpParts(frame.id, frame.catchUp)) yield framed(tag, part);
  } else {
    yield framed(tag, encodeBody(frame));
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

function encodeBody(frame: Exclude<Frame, CatchUpFrame>): Uint8Array {
  const writer = new WireWriter();
  switch (frame.type) {
    case "hello":
      writer.writeVarintField(1, frame.version);
      writer.origin(2, frame.origin);
      writer.text(3, frame.node);
      break;
    case "pull":
      writer.writeVarintField(1, frame.id);
      for (const [slot, vector] of frame.slots) {
        writer.nested(2, () => {
          writer.writeVarintField(1, slot);
          writer.positions(2, vector);
        });
      }
      writer.writePackedVarint(3, [...frame.groups]);
      break;
    case "pull_done":
      writer.writeVarintField(1, frame.id);
      break;
    case "origins":
      writer.positions(1, new Map(frame.heard.map(({ origin, ageMs }) => [origin, ageMs])));
      break;
  }
  return writer.bytes();
}

/** Reads a Hello. */
export function readHello(reader: WireReader): Hello {
  let version = 0, node = "";
  let origin: Origin | undefined;
  reader.nested((tag) => {
    if (tag === 1) version = reader.uint(MAX_UINT32);
    else if (tag === 2) origin = reader.origin();
    else if (tag === 3) node = reader.text(MAX_NAME_BYTES);
  });
  if (origin === undefined) throw new DecodeError("it names no origin");
  checkName(node);
  return { type: "hello", version, origin, node };
}

/** Reads a Pull. */
export function readPull(reader: WireReader): Pull {
  let id = 0;
  const groups: number[] = [];
  const slots = new Map<number, Vector>();
  reader.nested((tag) => {
    if (tag === 1) id = reader.uint(MAX_UINT32);
    else if (tag === 2) readSlotVector(reader, slots);
    else if (tag === 3) reader.uints(MAX_GROUP, groups);
  });
  return { type: "pull", id, groups, slots };
}

function readSlotVector(reader: WireReader, into: Map<number, Vector>): void {
  let slot = 0;
  const vector = new Map<Origin, Seq>();
  reader.nested((tag) => {
    if (tag === 1) slot = reader.uint(SLOT_COUNT - 1);
    else if (tag === 2) reader.position(vector);
  });
  if (into.has(slot)) throw new DecodeError("a slot is named twice");
  into.set(slot, vector);
}

/** Reads a PullDone. */
export function readPullDone(reader: WireReader): PullDone {
  let id = 0;
  reader.nested((tag) => {
    if (tag === 1) id = reader.uint(MAX_UINT32);
  });
  return { type: "pull_done", id };
}

/** Reads an Origins frame. */
export function readOrigins(reader: WireReader): OriginsFrame {
  const ages = new Map<Origin, number>();
  reader.nested((tag) => {
    if (tag === 1) reader.position(ages);
  });
  return { type: "origins", heard: [...ages].map(([origin, ageMs]) => ({ origin, ageMs })) };
}
