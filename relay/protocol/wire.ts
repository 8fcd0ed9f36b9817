/**
 * Protobuf as Groundwave reads and writes it: on top of `pbf`, with what that leaves open: bounds and wire types are
 * checked, text arrives as it was sent (no byte order mark stripped, nothing replaced), and origins are six bytes.
 *
 * @module
 */
import { PbfReader, PbfWriter } from "pbf";
import { ORIGIN_BYTES, readOrigin, writeOrigin } from "./base64url.ts";
import type { Origin, Seq, Vector } from "./message.ts";
import type { Texts } from "./texts.ts";
import { decodeUtf8 } from "./utf8.ts";

/** The bytes are not what they should be; the text says why, `cause` what found it. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Runs a decoder; whatever it throws becomes a {@link DecodeError}. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DecodeError(`not ${what}: ${why}`, { cause });
  }
}

/** The largest number of a `uint32` field. */
export const MAX_UINT32 = 0xffffffff;

/** The largest number of a group: a table of slots and groups has two bytes for each. */
export const MAX_GROUP = 0xffff;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

const encoder = new TextEncoder();

/** From this length on the platform's own encoder is faster than a loop, by measurement. */
const SHORT_TEXT = 64;

/** Reads the fields of one Protobuf message. `length` is where the message being read ends. */
export class WireReader extends PbfReader {
  /** @param texts what to remember of what is read, if anything. */
  constructor(bytes: Uint8Array, readonly texts?: Texts) {
    super(bytes);
  }

  /** Begins to read something else: a reader of its own for each message is felt. */
  restart(bytes: Uint8Array): void {
    this.buf = bytes;
    this.pos = 0;
    this.length = bytes.length;
  }

  /** Hands each field's number to `field`, which reads the value or leaves it to be skipped. */
  fields(field: (tag: number) => void): void {
    while (this.pos < this.length) {
      const tag = this.nextField();
      if (tag === 0) throw new DecodeError("it has a field of number 0");
      const valueAt = this.pos;
      field(tag);
      if (this.pos === valueAt) this.skip(this.type);
    }
    if (this.pos !== this.length) throw new DecodeError("it does not end where it should");
  }

  /** Reads a message within this one. */
  nested(field: (tag: number) => void): void {
    const outer = this.length;
    this.length = this.#limit();
    this.fields(field);
    this.length = outer;
  }

  /** A whole number up to `max`, which is a safe integer. */
  uint(max: number): number {
    if (this.type !== VARINT) throw new DecodeError("a number has the wrong wire type");
    const value = this.readVarint();
    if (value > max) throw new DecodeError("a number is out of range");
    return value;
  }

  /** Whole numbers up to `max`, packed or one at a time. */
  uints(max: number, into: number[]): void {
    if (this.type !== LENGTH_DELIMITED) {
      into.push(this.uint(max));
      return;
    }
    const end = this.#limit();
    this.type = VARINT;
    while (this.pos < end) into.push(this.uint(max));
    if (this.pos !== end) throw new DecodeError("a packed list does not end where it should");
  }

  /** Bytes of their own: a copy, so that a small value does not keep a large packet alive. */
  blob(maxBytes: number): Uint8Array<ArrayBuffer> {
    const end = this.#limit(maxBytes);
    const bytes = new Uint8Array(this.buf.subarray(this.pos, end));
    this.pos = end;
    return bytes;
  }

  text(maxBytes: number): string {
    const end = this.#limit(maxBytes);
    const text = decodeUtf8(this.buf, this.pos, end);
    this.pos = end;
    return text;
  }

  /** Text that has likely come before. */
  name(maxBytes: number): string {
    const end = this.#limit(maxBytes), from = this.pos;
    const read = () => decodeUtf8(this.buf, from, end);
    this.pos = end;
    return this.texts?.text(this.buf, from, end, read) ?? read();
  }

  origin(): Origin {
    const end = this.#limit(ORIGIN_BYTES);
    if (end - this.pos !== ORIGIN_BYTES) throw new DecodeError("an origin is not 6 bytes");
    const at = this.pos;
    this.pos = end;
    return this.texts?.origin(this.buf, at) ?? readOrigin(this.buf, at);
  }

  /** A Position, or another message of an origin and a number, into a map that does not name the origin yet. */
  position(into: Map<Origin, Seq>): void {
    let origin: Origin | undefined;
    let seq = 0;
    this.nested((tag) => {
      if (tag === 1) origin = this.origin();
      else if (tag === 2) seq = this.uint(Number.MAX_SAFE_INTEGER);
    });
    if (origin === undefined) throw new DecodeError("an entry names no origin");
    if (into.has(origin)) throw new DecodeError("an origin is named twice");
    into.set(origin, seq);
  }

  /** Where the length-delimited value ends that begins here. */
  #limit(maxBytes = Infinity): number {
    if (this.type !== LENGTH_DELIMITED) throw new DecodeError("a value has the wrong wire type");
    const bytes = this.readVarint();
    if (bytes > maxBytes) throw new DecodeError("a value is too long");
    if (this.pos + bytes > this.length) throw new DecodeError("it is cut off");
    return this.pos + bytes;
  }
}

/** Writes the fields of one Protobuf message. */
export class WireWriter extends PbfWriter {
  /** @param bytes how much room to begin with; it grows. */
  constructor(bytes = 64) {
    super(new Uint8Array(bytes));
  }

  /** Bytes that can be written before it has to grow, which copies all it has. */
  get room(): number {
    return this.length - this.pos;
  }

  /** What was written from `start` on, as a view. The writer only ever makes buffers of its own, so none is shared. */
  bytes(start = 0): Uint8Array<ArrayBuffer> {
    return this.buf.subarray(start, this.pos) as Uint8Array<ArrayBuffer>;
  }

  /**
   * A string field, by the platform's encoder: pbf's own miswrites every other supplementary plane, U+20000 for one.
   * Room is made for ASCII first, since most text is, and for more only where it was not.
   */
  text(tag: number, text: string): void {
    this.writeTag(tag, LENGTH_DELIMITED);
    if (text.length < SHORT_TEXT && this.#writeAscii(text)) return;
    const lengthAt = this.pos;
    this.writeVarint(text.length);
    const from = this.pos;
    const read = this.#encode(text, text.length);
    if (read < text.length) this.#encode(text.slice(read), 3 * (text.length - read));
    if (this.pos - from > text.length) this.#lengthen(lengthAt, from);
  }

  origin(tag: number, origin: Origin): void {
    this.writeTag(tag, LENGTH_DELIMITED);
    this.writeVarint(ORIGIN_BYTES);
    this.realloc(ORIGIN_BYTES);
    writeOrigin(origin, this.buf, this.pos);
    this.pos += ORIGIN_BYTES;
  }

  /** A message within this one. */
  nested(tag: number, write: () => void): void {
    this.writeMessage(tag, write, undefined);
  }

  /** A repeated Position, or another message of an origin and a number, which is rounded. */
  positions(tag: number, vector: Vector): void {
    for (const [origin, seq] of vector) {
      this.nested(tag, () => {
        this.origin(1, origin);
        this.writeVarintField(2, Math.round(seq));
      });
    }
  }

  /** Writes a short text and its length, unless it is not ASCII. */
  #writeAscii(text: string): boolean {
    this.realloc(1 + text.length);
    this.buf[this.pos] = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      this.buf[this.pos + 1 + i] = unit;
    }
    this.pos += 1 + text.length;
    return true;
  }

  /** Writes as much of `text` as `room` bytes take; says how many units that were. */
  #encode(text: string, room: number): number {
    this.realloc(room);
    const { read, written } = encoder.encodeInto(
      text,
      this.buf.subarray(this.pos, this.pos + room),
    );
    this.pos += written;
    return read;
  }

  /** Writes the true length of what begins at `from` over the one at `lengthAt`, which was too small. */
  #lengthen(lengthAt: number, from: number): void {
    const bytes = this.pos - from;
    const shift = varintBytes(bytes) - (from - lengthAt);
    if (shift > 0) {
      this.realloc(shift);
      this.buf.copyWithin(from + shift, from, this.pos);
    }
    this.pos = lengthAt;
    this.writeVarint(bytes);
    this.pos += bytes;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (; value > 0x7f; value >>>= 7) bytes++;
  return bytes;
}
