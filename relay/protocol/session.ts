/**
 * What both sides of a peer session have in common: the handshake, frames in, frames out, and an end with a reason.
 *
 * A machine: after each input poll events, then transmit what {@link Session.pollTransmit} gives, and again after each
 * write; call {@link Session.handleTimeout} when {@link Session.nextTimeoutMs} says. Once {@link Session.ended} is set, transmit
 * what is left and close the connection.
 *
 * @module
 */
import { type FrameLimits, FrameReader } from "./frame_reader.ts";
import type { Bye, Frame, Hello, Request } from "./frames.ts";
import { Handshake, type HandshakeOptions } from "./handshake.ts";
import { Outbox } from "./outbox.ts";
import { SessionError } from "./session_error.ts";

/** A greeting or a proof is short; nothing longer is read of a stranger. */
const HANDSHAKE_LIMITS: FrameLimits = { frameBytes: 1024, long: [], unfinishedBytes: 0 };

/**
 * Requests of one session at most that are not answered yet, and what they weigh, see {@link weightOf}: several batches of
 * drafts that another relay gives their place, and whatever relays ask each other besides.
 */
export const MAX_REQUESTS = 8192;
export const MAX_REQUESTS_WEIGHT = 32 * 1024 * 1024;

/** What a request weighs beyond the data that it carries. */
const REQUEST_WEIGHT = 1024;

/** About how many bytes a request takes at both ends until it is answered. */
export function weightOf(request: Request): number {
  if (request.type === "publish") return REQUEST_WEIGHT + request.draft.data.length;
  if (request.type !== "push") return REQUEST_WEIGHT;
  return request.messages.reduce((sum, { message }) => sum + message.data.length, REQUEST_WEIGHT);
}

/** One side of a session. */
export abstract class Session {
  protected readonly outbox: Outbox = new Outbox();
  protected readonly reader: FrameReader = new FrameReader(HANDSHAKE_LIMITS);
  readonly #handshake: Handshake;
  readonly #limits: FrameLimits;
  #ended: SessionError | undefined;

  /** @param limits of what the other side sends once it is known. */
  constructor(options: HandshakeOptions, limits: FrameLimits) {
    this.#handshake = new Handshake(options);
    this.#limits = limits;
    for (const frame of this.#handshake.begin()) this.outbox.send(frame);
  }

  /** Why it is over; undefined while it is not. */
  get ended(): SessionError | undefined {
    return this.#ended;
  }

  /** Both sides know whom they talk to. */
  get isOpen(): boolean {
    return this.#handshake.isOpen;
  }

  /** The other side, see {@link Handshake.peer}. */
  get peer(): Hello | undefined {
    return this.#handshake.peer;
  }

  /** Bytes of the connection. They may be reused after the call. */
  handleBytes(bytes: Uint8Array, nowMs: number): void {
    if (this.#ended) return;
    const { frames } = this.reader;
    try {
      for (const frame of this.reader.push(bytes)) {
        this.#take(frame);
        if (this.#ended) return;
      }
      // Who sends a byte now and then says nothing.
      if (this.reader.frames > frames) this.handleHeard(nowMs);
    } catch (error) {
      this.end(SessionError.from(error));
    }
  }

  /** The connection is over, or could not be had. */
  handleClosed(cause?: unknown): void {
    const message = cause instanceof Error ? cause.message : "the peer closed the session";
    this.#finish(new SessionError("closed", message, cause), undefined);
  }

  /** Ends it, and tells the other side why. Idempotent. */
  end(error: SessionError): void {
    const reason = error.message.replaceAll(CONTROLS, " ").slice(0, MAX_REASON_CHARS);
    this.#finish(error, { type: "bye", reason, fault: error.isFault });
  }

  /** The next bytes for the connection; undefined: none for now. */
  pollTransmit(): Uint8Array | undefined {
    return this.outbox.poll();
  }

  /** When {@link handleTimeout} is due; undefined: not until something happens. */
  abstract nextTimeoutMs(): number | undefined;
  /** Time has passed. */
  abstract handleTimeout(nowMs: number): void;
  /** The session is open now. */
  protected abstract handleOpen(): void;
  /** A frame of an open session. @throws {SessionError} if it must not be sent. */
  protected abstract handleFrame(frame: Frame): void;
  /** The other side said something: a frame, or a part of a long one. */
  protected abstract handleHeard(nowMs: number): void;
  /** It is over. Called once. */
  protected abstract handleEnd(error: SessionError): void;

  #take(frame: Frame): void {
    if (frame.type === "bye") {
      const kind = frame.fault ? "refused" : "closed";
      this.#finish(new SessionError(kind, `the peer says: ${frame.reason}`), undefined);
    } else if (this.#handshake.isOpen) {
      this.handleFrame(frame);
    } else {
      for (const answer of this.#handshake.handle(frame)) this.outbox.send(answer);
      if (!this.#handshake.isOpen) return;
      this.reader.setLimits(this.#limits);
      this.handleOpen();
    }
  }

  #finish(error: SessionError, bye: Bye | undefined): void {
    if (this.#ended) return;
    this.#ended = error;
    this.outbox.endWith(bye);
    this.handleEnd(error);
  }
}

const MAX_REASON_CHARS = 300;

/** What no frame carries in a text. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;
