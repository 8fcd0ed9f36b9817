/**
 * Frames out of a stream of bytes, however it was cut.
 *
 * @module
 */
import { CatchUpDraft } from "./catch_up_parts.ts";
import { readWhole } from "./frame_bodies.ts";
import { DigestDraft, PullDraft, PushDraft } from "./frame_parts.ts";
import { type Frame, FRAME_HEADER_BYTES, FRAME_TAGS, MAX_FRAME_BYTES } from "./frames.ts";
import { DecodeError, decoding, WireReader } from "./wire.ts";

/** How large a peer may make what it sends; beyond, it is refused. */
export interface FrameLimits {
  /** Bytes of one frame, at most {@link MAX_FRAME_BYTES}. */
  readonly frameBytes: number;
  /** Which of the frames that may come in parts may come at all. */
  readonly long: readonly LongFrame[];
  /** Bytes of frames whose last part is still to come. */
  readonly unfinishedBytes: number;
}

/** To the side that asks: an answer holds no more than all logs of a relay may. */
export const ANSWER_LIMITS: FrameLimits = {
  frameBytes: MAX_FRAME_BYTES,
  long: ["catch_up", "digest"],
  unfinishedBytes: 256 * 1024 * 1024,
};

/** What a part counts for beyond its bytes, so that many small ones are bounded too. */
const PART_OVERHEAD_BYTES = 1024;

/** A push parser for one session. After a {@link DecodeError} the session is to be ended. */
export class FrameReader {
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  #body: Uint8Array<ArrayBuffer> | undefined;
  #bodyFilled = 0;
  readonly #unfinished = new Map<string, { readonly draft: AnyPart; bytes: number }>();
  #unfinishedBytes = 0;
  #frames = 0;
  #catchUpBytes = 0;
  #limits: FrameLimits;

  constructor(limits: FrameLimits = ANSWER_LIMITS) {
    this.#limits = limits;
  }

  /** How many frames were read, parts of long ones counting each. */
  get frames(): number {
    return this.#frames;
  }

  /** What catch-ups took of the stream, in bytes. */
  get catchUpBytes(): number {
    return this.#catchUpBytes;
  }

  /** Holds for what begins from now on. */
  setLimits(limits: FrameLimits): void {
    this.#limits = limits;
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
      if (length > this.#limits.frameBytes) throw new DecodeError("not a frame: it is too large");
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
    this.#frames += 1;
    return decoding("a frame", () => this.#decode(body));
  }

  /** Undefined for a part that others follow. */
  #decode(body: Uint8Array): Frame | undefined {
    const reader = new WireReader(body);
    let frame: Frame | undefined, known = false;
    reader.fields((tag) => {
      const part = this.#readPart(tag, reader);
      if (tag === FRAME_TAGS.catch_up) this.#catchUpBytes += FRAME_HEADER_BYTES + body.length;
      frame = part ? this.#join(tag, part, body.length) : readWhole(tag, reader);
      known ||= part !== undefined || frame !== undefined;
    });
    if (!known) throw new DecodeError("it is of no known kind");
    return frame;
  }

  #readPart(tag: number, reader: WireReader): AnyPart | undefined {
    const type = LONG.find((type) => FRAME_TAGS[type] === tag);
    if (!type) return undefined;
    if (!this.#limits.long.includes(type)) throw new DecodeError(`${type} is not its turn`);
    return PARTS[type].read(reader);
  }

  #join(tag: number, part: AnyPart, bodyBytes: number): Frame | undefined {
    const key = `${tag} ${part.id} ${"slot" in part ? part.slot : ""}`;
    const begun = this.#unfinished.get(key);
    // Of one tag, and so of one class.
    begun?.draft.join(part as never);
    const whole = begun ?? { draft: part, bytes: 0 };
    if (part.more) {
      const bytes = bodyBytes + PART_OVERHEAD_BYTES;
      whole.bytes += bytes;
      this.#unfinishedBytes += bytes;
      if (this.#unfinishedBytes > this.#limits.unfinishedBytes) {
        throw new DecodeError("it never ends");
      }
      this.#unfinished.set(key, whole);
      return undefined;
    }
    this.#unfinished.delete(key);
    this.#unfinishedBytes -= whole.bytes;
    return whole.draft.finish();
  }
}

type AnyPart = CatchUpDraft | PullDraft | DigestDraft | PushDraft;

/** What reads a part, by its kind. */
const PARTS = {
  catch_up: CatchUpDraft,
  pull: PullDraft,
  digest: DigestDraft,
  push: PushDraft,
} as const;

/** Kinds of frames that may come in parts. */
export type LongFrame = keyof typeof PARTS;
const LONG = Object.keys(PARTS) as LongFrame[];
