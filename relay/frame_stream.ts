/**
 * Frames over one connection.
 *
 * @module
 */
import { type FrameLimits, FrameReader } from "./protocol/frame_reader.ts";
import { encodeFrame } from "./protocol/frame_writer.ts";
import type { Frame } from "./protocol/frames.ts";
import type { ByteConn } from "./transport.ts";

const READ_BYTES = 64 * 1024;

/** Reads and writes {@link Frame}s; what is sent goes out in the order of the calls. */
export class FrameStream {
  readonly #conn: ByteConn;
  #sending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  /** Sends frames; resolves when the connection has taken them. The frames are encoded only as they are taken. */
  send(frames: Iterable<Frame>): Promise<void> {
    const sent = this.#sending.then(() => this.#write(frames));
    // One failed send closes the connection; later ones fail by themselves.
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /**
   * The frames as they come, until either side closes.
   * @throws {DecodeError}
   */
  async *frames(limits?: FrameLimits): AsyncGenerator<Frame, void> {
    const reader = new FrameReader(limits);
    const buffer = new Uint8Array(READ_BYTES);
    for (let length; (length = await this.#read(buffer)) !== null;) {
      yield* reader.push(buffer.subarray(0, length));
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) return null;
    try {
      return await this.#conn.read(buffer);
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  async #write(frames: Iterable<Frame>): Promise<void> {
    for (const frame of frames) {
      for (const bytes of encodeFrame(frame)) await this.#writeAll(bytes);
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) from += await this.#conn.write(bytes.subarray(from));
  }
}
