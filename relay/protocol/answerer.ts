/**
 * The answering side of a peer session, who accepted.
 *
 * @module
 */
import type { FrameLimits } from "./frame_reader.ts";
import {
  type Answer,
  type CatchUpFrame,
  type Frame,
  MAX_FRAME_BYTES,
  type OriginsFrame,
  type PullDone,
  type Request,
} from "./frames.ts";
import type { HandshakeOptions } from "./handshake.ts";
import { MAX_REQUESTS, MAX_REQUESTS_WEIGHT, Session, weightOf } from "./session.ts";
import { SessionError } from "./session_error.ts";

/** Who has not said who it is by then is a stranger. */
export const HANDSHAKE_MS = 5000;

/** A session in which nothing is asked for so long is closed; it is opened anew when needed. */
const IDLE_MS = 60_000;

/** The largest requests are pulls and digests of all slots, and pushes, whose weight is bounded too. */
const REQUEST_LIMITS: FrameLimits = {
  frameBytes: MAX_FRAME_BYTES,
  long: ["pull", "digest", "push"],
  unfinishedBytes: 2 * MAX_REQUESTS_WEIGHT,
};

/** Answers one peer; what it asks comes as events. */
export class Answerer extends Session {
  /** By id, what unanswered requests weigh. */
  readonly #unanswered = new Map<number, number>();
  readonly #events: Request[] = [];
  #weight = 0;
  #deadlineMs: number;

  constructor(options: Omit<HandshakeOptions, "role" | "expected">, nowMs: number) {
    super({ ...options, role: "answerer" }, REQUEST_LIMITS);
    this.#deadlineMs = nowMs + HANDSHAKE_MS;
  }

  /** Bytes of catch-ups on their way that the asker has not taken. */
  get uncreditedBytes(): number {
    return this.outbox.uncreditedBytes;
  }

  /** What is asked next, oldest first. Each is answered once, in any order. */
  pollEvent(): Request | undefined {
    return this.#events.shift();
  }

  /** Says whom this relay has heard of. */
  tell(origins: OriginsFrame): void {
    if (!this.ended) this.outbox.send(origins);
  }

  /** Answers a request. In vain when the session is over. */
  answer(answer: Answer): void {
    if (this.ended) return;
    this.#release(answer.id);
    this.outbox.send(answer);
  }

  /** Answers a pull, with frames that are made as they are sent. */
  answerPull(id: number, frames: Iterable<CatchUpFrame | PullDone>): void {
    if (!this.ended) this.outbox.stream(this.#untilDone(id, frames));
  }

  nextTimeoutMs(): number | undefined {
    return this.ended ? undefined : this.#deadlineMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    this.end(new SessionError("silent", this.isOpen ? "nothing was asked" : "no greeting in time"));
  }

  protected handleOpen(): void {
    // Requests follow.
  }

  protected handleHeard(nowMs: number): void {
    if (this.isOpen) this.#deadlineMs = nowMs + IDLE_MS;
  }

  protected handleFrame(frame: Frame): void {
    switch (frame.type) {
      case "credit":
        this.outbox.credit(frame.bytes);
        break;
      case "pull":
      case "digest":
      case "push":
      case "publish":
      case "table_ask":
      case "ping":
        this.#accept(frame);
        break;
      default:
        throw new SessionError("protocol", `a peer that asks does not send ${frame.type}`);
    }
  }

  protected handleEnd(): void {
    this.#unanswered.clear();
    this.#events.length = 0;
  }

  #accept(request: Request): void {
    if (this.#unanswered.has(request.id)) {
      throw new SessionError("protocol", `request ${request.id} is not answered yet`);
    }
    const weight = weightOf(request), first = this.#unanswered.size === 0;
    const tooHeavy = !first && this.#weight + weight > MAX_REQUESTS_WEIGHT;
    // What the asker does not read it has no answer to.
    if (this.#unanswered.size + this.outbox.waiting >= MAX_REQUESTS || tooHeavy) {
      throw new SessionError("protocol", "it asks for too much at once");
    }
    this.#unanswered.set(request.id, weight);
    this.#weight += weight;
    this.#events.push(request);
  }

  *#untilDone(
    id: number,
    frames: Iterable<CatchUpFrame | PullDone>,
  ): Generator<CatchUpFrame | PullDone, void> {
    for (const frame of frames) {
      // The asker, once it has it, may ask with the same id again.
      if (frame.type === "pull_done") this.#release(id);
      yield frame;
    }
  }

  #release(id: number): void {
    this.#weight -= this.#unanswered.get(id) ?? 0;
    this.#unanswered.delete(id);
  }
}
