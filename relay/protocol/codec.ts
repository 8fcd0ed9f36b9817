/**
 * A message as bytes: `groundwave.v1.Message` of `groundwave.proto`.
 *
 * @module
 */
import {
  checkChannel,
  checkEvent,
  checkKey,
  isName,
  MAX_CHANNEL_BYTES,
  MAX_NAME_BYTES,
} from "./channel.ts";
import { MAX_DATA_BYTES } from "./data.ts";
import type { Message, Origin, Seq } from "./message.ts";
import { SLOT_COUNT, slotOf } from "./slot.ts";
import { Texts } from "./texts.ts";
import { DecodeError, decoding, WireReader, WireWriter } from "./wire.ts";

/** Bytes of an encoded message at most: the data, and an envelope whose largest part is `after`. */
export const MAX_MESSAGE_BYTES = MAX_DATA_BYTES + 64 * 1024;

/** What an envelope without names takes, roughly: the first guess at the room to make. */
const ENVELOPE_BYTES = 48;

/** Memory that encoded messages share. */
const SLAB_BYTES = 64 * 1024;

/**
 * Encodes a message whose fields were checked where they came in (`checkChannel` and its like).
 * @throws {RangeError} if it is over {@link MAX_MESSAGE_BYTES}, or its origin is none.
 */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  return encode(new WireWriter(roomFor(message)), message);
}

/**
 * {@link encodeMessage} for many messages that soon are history: they share memory, because some of its own for each costs
 * more than the encoding. It is freed when none of the messages in it is in use.
 */
export class MessageEncoder {
  #slab = new WireWriter(0);

  /** @throws {RangeError} see {@link encodeMessage}. */
  encode(message: Message): Uint8Array<ArrayBuffer> {
    const room = roomFor(message);
    if (room > this.#slab.room) this.#slab = new WireWriter(Math.max(room, SLAB_BYTES));
    return encode(this.#slab, message);
  }
}

function encode(writer: WireWriter, message: Message): Uint8Array<ArrayBuffer> {
  const start = writer.pos;
  writeMessage(writer, message);
  const bytes = writer.bytes(start);
  if (bytes.length > MAX_MESSAGE_BYTES) throw new RangeError("the message is too large");
  return bytes;
}

function roomFor({ channel, data, event = "", key = "", region }: Message): number {
  return ENVELOPE_BYTES + channel.length + data.length + region.length + event.length + key.length;
}

/** Writes the fields of a message, for a message alone and for one within a frame. */
export function writeMessage(writer: WireWriter, message: Message): void {
  if (message.slot > 0) writer.writeVarintField(1, message.slot);
  writer.origin(2, message.origin);
  writer.writeVarintField(3, message.seq);
  writer.text(4, message.channel);
  if (typeof message.data === "string") writer.text(5, message.data);
  else writer.writeBytesField(6, message.data);
  if (message.event !== undefined) writer.text(7, message.event);
  if (message.timeMs > 0) writer.writeVarintField(8, message.timeMs);
  if (message.after) writer.positions(9, message.after);
  if (message.key !== undefined) writer.text(10, message.key);
  if (message.region !== "") writer.text(11, message.region);
}

/** Decodes a message and checks it as if a stranger had sent it. @throws {DecodeError} */
export function decodeMessage(bytes: Uint8Array): Message {
  return decode(new WireReader(bytes));
}

/** {@link decodeMessage} for many messages, which share what they have in common: origins, channels and regions. */
export class MessageDecoder {
  readonly #reader = new WireReader(new Uint8Array(), new Texts());

  /** @throws {DecodeError} */
  decode(bytes: Uint8Array): Message {
    this.#reader.restart(bytes);
    return decode(this.#reader);
  }
}

function decode(reader: WireReader): Message {
  return decoding("a message", () => {
    if (reader.length > MAX_MESSAGE_BYTES) throw new DecodeError("it is too large");
    const draft = emptyDraft();
    reader.fields((tag) => readField(draft, tag, reader));
    return checked(draft);
  });
}

/** Reads a message that is a field of another. */
export function readMessage(reader: WireReader): Message {
  const draft = emptyDraft();
  reader.nested((tag) => readField(draft, tag, reader));
  return checked(draft);
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** A message while its fields come in, in any order; what has not come is empty. */
interface Draft extends Mutable<Omit<Message, "data" | "after">> {
  data: Message["data"] | undefined;
  after?: Map<Origin, Seq>;
}

/** Most messages have no event, key or `after`: an object that may have them is larger. */
function emptyDraft(): Draft {
  return { slot: 0, origin: "", seq: 0, channel: "", data: undefined, timeMs: 0, region: "" };
}

function readField(draft: Draft, tag: number, reader: WireReader): void {
  switch (tag) {
    case 1:
      draft.slot = reader.uint(SLOT_COUNT - 1);
      break;
    case 2:
      draft.origin = reader.origin();
      break;
    case 3:
      draft.seq = reader.uint(Number.MAX_SAFE_INTEGER);
      break;
    case 4:
      draft.channel = reader.name(MAX_CHANNEL_BYTES);
      break;
    case 5:
      draft.data = reader.text(MAX_DATA_BYTES);
      break;
    case 6:
      draft.data = reader.blob(MAX_DATA_BYTES);
      break;
    case 7:
      draft.event = reader.name(MAX_NAME_BYTES);
      break;
    case 8:
      draft.timeMs = reader.uint(Number.MAX_SAFE_INTEGER);
      break;
    case 9:
      reader.position(draft.after ??= new Map());
      break;
    case 10:
      draft.key = reader.text(MAX_NAME_BYTES);
      break;
    case 11:
      draft.region = reader.name(MAX_NAME_BYTES);
      break;
  }
}

/** The draft itself, if it is a message. @throws {DecodeError} */
function checked(draft: Draft): Message {
  const { slot, origin, seq, channel, event, key, region } = draft;
  if (origin === "") throw new DecodeError("it names no origin");
  if (seq < 1) throw new DecodeError("it has no sequence number");
  if (!hasData(draft)) throw new DecodeError("it carries no data");
  checkChannel(channel);
  if (slotOf(channel) !== slot) throw new DecodeError("its channel is of another slot");
  if (event !== undefined) checkEvent(event);
  if (key !== undefined) checkKey(key);
  if (region !== "" && !isName(region, MAX_NAME_BYTES)) {
    throw new DecodeError("its region has control characters");
  }
  return draft;
}

function hasData(draft: Draft): draft is Draft & Pick<Message, "data"> {
  return draft.data !== undefined;
}
