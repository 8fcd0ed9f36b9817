/**
 * What one side of a session still has to send. Frames go out in order, ahead of catch-ups, which share what is left and
 * wait for credit: so no short answer waits behind a long one for more than the window takes, and neither side has to
 * remember more of it. Everything is encoded only as it is sent.
 *
 * @module
 */
import { encodeFrame } from "./frame_writer.ts";
import type { Frame } from "./frames.ts";
import { SessionError } from "./session_error.ts";

/** Bytes of catch-ups on their way that the asker has not taken; one part more may be. */
export const CREDIT_WINDOW_BYTES = 1024 * 1024;

type Encoding = Iterator<Uint8Array<ArrayBuffer>, void>;

export class Outbox {
  readonly #frames: Frame[] = [];
  /** What of the last frame is still to be sent. */
  #begun: Encoding | undefined;
  #streams: Encoding[] = [];
  #uncredited = 0;

  /** Bytes of catch-ups sent that nobody has said to have taken. */
  get uncreditedBytes(): number {
    return this.#uncredited;
  }

  /** Frames that the connection has not taken yet. */
  get waiting(): number {
    return this.#frames.length;
  }

  send(frame: Frame): void {
    this.#frames.push(frame);
  }

  /** Sends frames as credit allows, in turn with other streams. */
  stream(frames: Iterable<Frame>): void {
    this.#streams.push(encodeAll(frames));
  }

  /** @throws {SessionError} if that is more than was sent. */
  credit(bytes: number): void {
    if (bytes > this.#uncredited) {
      throw new SessionError("protocol", "it takes more than it was sent");
    }
    this.#uncredited -= bytes;
  }

  /** Forgets everything but `last`, of a long frame what is not sent yet. */
  endWith(last: Frame | undefined): void {
    this.#frames.length = 0;
    this.#streams = [];
    this.#begun = undefined;
    if (last) this.send(last);
  }

  /** The next bytes; undefined: none for now. */
  poll(): Uint8Array<ArrayBuffer> | undefined {
    return this.#pollFrames() ?? this.#pollStreams();
  }

  #pollFrames(): Uint8Array<ArrayBuffer> | undefined {
    for (;;) {
      const next = this.#begun?.next();
      if (next && !next.done) return next.value;
      const frame = this.#frames.shift();
      this.#begun = frame && encodeFrame(frame);
      if (!frame) return undefined;
    }
  }

  #pollStreams(): Uint8Array<ArrayBuffer> | undefined {
    while (this.#uncredited < CREDIT_WINDOW_BYTES) {
      const stream = this.#streams.shift();
      if (!stream) return undefined;
      const next = stream.next();
      if (next.done) continue;
      this.#streams.push(stream);
      this.#uncredited += next.value.length;
      return next.value;
    }
    return undefined;
  }
}

function* encodeAll(frames: Iterable<Frame>): Generator<Uint8Array<ArrayBuffer>, void> {
  for (const frame of frames) yield* encodeFrame(frame);
}
