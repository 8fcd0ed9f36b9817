/**
 * Runs one side of a peer session over a connection.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import type { Session } from "./protocol/session.ts";
import type { ByteConn } from "./transport.ts";

const READ_BYTES = 64 * 1024;

/** A peer that does not take the last words in this time does not get them. */
const FAREWELL_MS = 500;

/** The driver of a {@link Session}. */
export class SessionDriver {
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #changed: () => void;
  #conn: ByteConn | undefined;
  #writing = false;
  #wakeMs = Infinity;
  #cancelWake = () => {};
  #cancelFarewell: (() => void) | undefined;

  /** @param changed called when there may be events, or the session has ended. */
  constructor(session: Session, clock: Clock, changed: () => void) {
    this.#session = session;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Runs until the session is over. Closes the connection. */
  async run(conn: ByteConn): Promise<void> {
    const session = this.#session, buffer = new Uint8Array(READ_BYTES);
    this.#conn = conn;
    this.kick();
    try {
      while (!session.ended) {
        const length = await conn.read(buffer);
        if (length === null) session.handleClosed();
        else session.handleBytes(buffer.subarray(0, length), this.#clock.nowMs());
        this.#changed();
        this.kick();
      }
    } catch (cause) {
      this.closed(cause);
    }
  }

  /** The connection is over, or could not be had. */
  closed(cause: unknown): void {
    this.#session.handleClosed(cause);
    this.#changed();
    this.kick();
  }

  /** To be called after whatever else was done with the session: sends what there is, and sees to its time. */
  kick(): void {
    if (this.#conn && !this.#writing) void this.#write(this.#conn);
    if (this.#session.ended) this.#farewell();
    else this.#arm();
  }

  async #write(conn: ByteConn): Promise<void> {
    this.#writing = true;
    try {
      for (let bytes; (bytes = this.#session.pollTransmit());) await writeAll(conn, bytes);
    } catch (cause) {
      this.closed(cause);
    } finally {
      this.#writing = false;
    }
    if (this.#session.ended) this.#close();
  }

  #farewell(): void {
    this.#cancelWake();
    if (!this.#conn || !this.#writing) this.#close();
    else this.#cancelFarewell ??= this.#clock.after(FAREWELL_MS, () => this.#close());
  }

  #close(): void {
    this.#cancelFarewell?.();
    this.#conn?.close();
    this.#conn = undefined;
  }

  /** Timers are set anew only where the session is due earlier: each word of the peer puts it off. */
  #arm(): void {
    const dueMs = this.#session.nextTimeoutMs() ?? Infinity;
    if (dueMs >= this.#wakeMs) return;
    this.#cancelWake();
    this.#wakeMs = dueMs;
    this.#cancelWake = this.#clock.after(dueMs - this.#clock.nowMs(), () => {
      this.#wakeMs = Infinity;
      this.#session.handleTimeout(this.#clock.nowMs());
      if (this.#session.ended) this.#changed();
      this.kick();
    });
  }
}

async function writeAll(conn: ByteConn, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length;) from += await conn.write(bytes.subarray(from));
}
