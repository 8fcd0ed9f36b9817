/**
 * One side of a peer session that says what a test wants, right or wrong.
 *
 * @module
 */
import { ANSWER_LIMITS, FrameReader } from "../../relay/protocol/frame_reader.ts";
import { encodeFrame } from "../../relay/protocol/frame_writer.ts";
import type { Frame } from "../../relay/protocol/frames.ts";
import type { ByteConn } from "../../relay/transport.ts";

export class FramePeer {
  readonly #conn: ByteConn;
  readonly #reader = new FrameReader({
    ...ANSWER_LIMITS,
    long: ["catch_up", "digest", "pull", "push"],
  });
  readonly #frames: Frame[] = [];
  #closed = false;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) from += await this.#conn.write(bytes.subarray(from));
  }

  async send(...frames: Frame[]): Promise<void> {
    for (const frame of frames) {
      for (const bytes of encodeFrame(frame)) await this.write(bytes);
    }
  }

  /** The next frame; undefined when the other side has closed. */
  async next(): Promise<Frame | undefined> {
    const buffer = new Uint8Array(64 * 1024);
    while (this.#frames.length === 0) {
      // A reset is an end too.
      const length = await this.#conn.read(buffer).catch(() => null);
      if (length === null) return undefined;
      this.#frames.push(...this.#reader.push(buffer.subarray(0, length)));
    }
    return this.#frames.shift();
  }

  /** Everything up to the end. */
  async rest(): Promise<Frame[]> {
    const frames = [];
    for (let frame; (frame = await this.next());) frames.push(frame);
    return frames;
  }

  /** Reads so many bytes and looks at none; how many it were before the other side closed. */
  async skip(bytes: number): Promise<number> {
    const buffer = new Uint8Array(64 * 1024);
    let skipped = 0;
    while (skipped < bytes) {
      const room = Math.min(buffer.length, bytes - skipped);
      const length = await this.#conn.read(buffer.subarray(0, room)).catch(() => null);
      if (length === null) break;
      skipped += length;
    }
    return skipped;
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}
