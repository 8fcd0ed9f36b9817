/**
 * Frames out of a stream of bytes, however it was cut.
 *
 * @module
 */
import { CatchUpDraft } from "./catch_up_parts.ts";
import {
  type CatchUpFrame,
  type Frame,
  FRAME_HEADER_BYTES,
  FRAME_TAGS,
  MAX_FRAME_BYTES,
  readHello,
  readOrigins,
  readPull,
  readPullDone,
} from "./frames.ts";
import { SLOT_COUNT } from "./slot.ts";
import { DecodeError, decoding, WireReader } from "./wire.ts";

/** Bytes of unfinished catch-ups at most: an answer holds no more than all logs of a relay may. */
const MAX_UNFINISHED_BYTES = 256 * 1024 * 1024;

/** What a part counts for beyond its bytes, so that many small ones are bounded too. */
const PART_OVERHEAD_BYTES = 1024;

/** A push parser for one session. After a {@link DecodeError} the session is to be ended. */
export class FrameReader {
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  #body: Uint8Array<ArrayBuffer> | undefined;
  #bodyFilled = 0;
  readonly #unfinished = new Map<number, { readonly draft: CatchUpDraft; bytes: number }>();
  #unfinishedBytes = 0;
  readonly #maxUnfinishedBytes: number;

  /** @param maxUnfinishedBytes what catch-ups may take whose last part is still to come; 0 where none is expected. */
  constructor(maxUnfinishedBytes = MAX_UNFINISHED_BYTES) {
    this.#maxUnfinishedBytes = maxUnfinishedBytes;
  }

  /** Takes what arrived and gives the frames that it completes. It must be drained; then the bytes may be reused. @throws {DecodeError} */
  *push(chunk: Uint8Array): Generator<Frame, void> {
    for (let at = 0; at < chunk.length;) {
      at += this.#body ? this.#fillBody(this.#body, chunk, at) : this.#fillHeader(chunk, at);
      if (this.#body?.length !== this.#bodyFilled) continue;
      const frame = this.#finishBody(this.#body);
      if (frame) yield frame;
    }
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + FRAME_HEADER_BYTES - this.#headerFilled);
    this.#header.set(taken, this.#headerFilled);
    this.#headerFilled += taken.length;
    if (this.#headerFilled === FRAME_HEADER_BYTES) {
      const length = new DataView(this.#header.buffer).getUint32(0);
      if (length > MAX_FRAME_BYTES) throw new DecodeError("not a frame: it is too large");
      this.#body = new Uint8Array(length);
      this.#bodyFilled = 0;
    }
    return taken.length;
  }

  #fillBody(body: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + body.length - this.#bodyFilled);
    body.set(taken, this.#bodyFilled);
    this.#bodyFilled += taken.length;
    return taken.length;
  }

  #finishBody(body: Uint8Array): Frame | undefined {
    this.#body = undefined;
    this.#headerFilled = 0;
    return decoding("a frame", () => this.#decode(body));
  }

  /** Undefined for a frame of a kind that is not known here, and for a part that others follow. */
  #decode(body: Uint8Array): Frame | undefined {
    const reader = new WireReader(body);
    let frame: Frame | undefined;
    reader.fields((tag) => {
      if (tag === FRAME_TAGS.hello) frame = readHello(reader);
      else if (tag === FRAME_TAGS.pull) frame = readPull(reader);
      else if (tag === FRAME_TAGS.catch_up) {
        frame = this.#join(CatchUpDraft.read(reader), body.length);
      } else if (tag === FRAME_TAGS.pull_done) frame = readPullDone(reader);
      else if (tag === FRAME_TAGS.origins) frame = readOrigins(reader);
    });
    return frame;
  }

  #join(part: CatchUpDraft, bodyBytes: number): CatchUpFrame | undefined {
    const key = part.id * SLOT_COUNT + part.slot;
    const begun = this.#unfinished.get(key);
    begun?.draft.join(part);
    const whole = begun ?? { draft: part, bytes: 0 };
    if (part.more) {
      const bytes = bodyBytes + PART_OVERHEAD_BYTES;
      whole.bytes += bytes;
      this.#unfinishedBytes += bytes;
      if (this.#unfinishedBytes > this.#maxUnfinishedBytes) throw new DecodeError("it never ends");
      this.#unfinished.set(key, whole);
      return undefined;
    }
    this.#unfinished.delete(key);
    this.#unfinishedBytes -= whole.bytes;
    return { type: "catch_up", id: part.id, catchUp: whole.draft.finish() };
  }
}
