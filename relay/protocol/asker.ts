/**
 * The asking side of a peer session, who dialled.
 *
 * @module
 */
import { ANSWER_LIMITS } from "./frame_reader.ts";
import type { Answer, CatchUpFrame, Credit, Frame, OriginsFrame, Request } from "./frames.ts";
import type { HandshakeOptions } from "./handshake.ts";
import { CREDIT_WINDOW_BYTES } from "./outbox.ts";
import { MAX_REQUESTS, MAX_REQUESTS_WEIGHT, Session, weightOf } from "./session.ts";
import { SessionError } from "./session_error.ts";
import { MAX_UINT32 } from "./wire.ts";

/** A peer that says nothing for so long while an answer is due is given up. */
export const SILENCE_MS = 5000;

/** So much is taken before the peer is told. */
const CREDIT_STEP_BYTES = CREDIT_WINDOW_BYTES / 4;

/** A request without its id. */
export type Question = Request extends infer R ? R extends Request ? Omit<R, "id"> : never : never;

/** What the peer said. */
export type AskerEvent = CatchUpFrame | OriginsFrame | Answer;

const ANSWERS: Readonly<Record<Request["type"], Answer["type"]>> = {
  pull: "pull_done",
  digest: "digest",
  push: "held",
  publish: "published",
  table_ask: "table",
  ping: "pong",
};

interface Asked {
  readonly type: Request["type"];
  readonly weight: number;
}

/** Asks one peer; what it answers comes as events. Requests may be made before the session is open. */
export class Asker extends Session {
  readonly #asked = new Map<number, Asked>();
  readonly #early: Request[] = [];
  readonly #events: AskerEvent[] = [];
  #weight = 0;
  #lastId = 0;
  #heardMs = 0;
  #takenBytes = 0;

  constructor(options: Omit<HandshakeOptions, "role">) {
    super({ ...options, role: "asker" }, ANSWER_LIMITS);
  }

  /** Asks; the answer will carry the id that this gives. Undefined: too much is unanswered already, or the session is over. */
  ask(question: Question, nowMs: number): number | undefined {
    if (this.ended || this.#asked.size >= MAX_REQUESTS) return undefined;
    const id = this.#nextId();
    const request = { ...question, id } as Request;
    const weight = weightOf(request);
    if (this.#asked.size > 0 && this.#weight + weight > MAX_REQUESTS_WEIGHT) return undefined;
    // A wait that is on goes on: asking again is no word of the peer's.
    if (this.#asked.size === 0) this.#heardMs = nowMs;
    this.#asked.set(id, { type: request.type, weight });
    this.#weight += weight;
    if (this.isOpen) this.outbox.send(request);
    else this.#early.push(request);
    return id;
  }

  /** What the peer said next, oldest first. */
  pollEvent(): AskerEvent | undefined {
    return this.#events.shift();
  }

  /** Gives back as credit what was read; whoever asks for bytes has taken the events of those before. */
  override pollTransmit(): Uint8Array | undefined {
    const taken = this.reader.catchUpBytes - this.#takenBytes;
    if (taken >= CREDIT_STEP_BYTES && !this.ended) {
      const credit: Credit = { type: "credit", bytes: taken };
      this.#takenBytes += taken;
      this.outbox.send(credit);
    }
    return super.pollTransmit();
  }

  nextTimeoutMs(): number | undefined {
    return this.#asked.size === 0 || this.ended ? undefined : this.#heardMs + SILENCE_MS;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= (this.nextTimeoutMs() ?? Infinity)) {
      this.end(new SessionError("silent", "the peer is silent"));
    }
  }

  protected handleOpen(): void {
    for (const request of this.#early.splice(0)) this.outbox.send(request);
  }

  protected handleHeard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  protected handleFrame(frame: Frame): void {
    switch (frame.type) {
      case "origins":
        break;
      case "catch_up":
        if (this.#asked.get(frame.id)?.type !== "pull") throw unasked(frame);
        break;
      case "pull_done":
      case "digest":
      case "held":
      case "published":
      case "table":
      case "failed":
      case "pong":
        this.#answered(frame);
        break;
      default:
        throw new SessionError("protocol", `a peer that is asked does not send ${frame.type}`);
    }
    this.#events.push(frame);
  }

  protected handleEnd(): void {
    this.#asked.clear();
    this.#early.length = 0;
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    if (!asked) throw unasked(answer);
    if (answer.type !== "failed" && answer.type !== ANSWERS[asked.type]) throw unasked(answer);
    this.#asked.delete(answer.id);
    this.#weight -= asked.weight;
  }

  /** Of 32 bits; the one that is found unanswered after as many others stays. */
  #nextId(): number {
    do this.#lastId = this.#lastId % MAX_UINT32 + 1; while (this.#asked.has(this.#lastId));
    return this.#lastId;
  }
}

function unasked({ type, id }: CatchUpFrame | Answer): SessionError {
  return new SessionError("protocol", `nothing was asked that ${type} ${id} answers`);
}
