/**
 * The asking side of peer sessions: dials a peer when there is something to ask, and asks it.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { Asker, type Question } from "./protocol/asker.ts";
import type { Announcement } from "./protocol/announcement.ts";
import type { SessionCredentials } from "./protocol/challenge.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { Answer, Failed, Hello, OriginsFrame } from "./protocol/frames.ts";
import type { CatchUp } from "./protocol/log/catch_up.ts";
import { SessionError } from "./protocol/session_error.ts";
import { SessionDriver } from "./session_driver.ts";
import type { PeerTransport } from "./transport.ts";

/** Where a peer is, and who. */
export type PeerAddress = Pick<Announcement, "origin" | "node" | "host" | "port">;

export interface LinkOptions {
  readonly clock: Clock;
  readonly transport: Pick<PeerTransport, "dial">;
  /** What this relay says first, made anew for each session. */
  readonly hello: () => Hello;
  readonly credentials: SessionCredentials | undefined;
  /** The origins that the peer has heard of. */
  readonly heard: (heard: OriginsFrame["heard"]) => void;
}

/** What ends a request well. */
export type Answered = Exclude<Answer, Failed>;

interface Asked {
  readonly catchUp: (part: CatchUp) => void;
  readonly done: PromiseWithResolvers<Answered>;
}

/** One session, from the dialling on. */
export class PeerSession {
  readonly #asker: Asker;
  readonly #driver: SessionDriver;
  readonly #options: LinkOptions;
  readonly #asked = new Map<number, Asked>();
  readonly #over: (error: SessionError) => void;

  /** @param over called once when it has ended. */
  constructor(peer: PeerAddress, options: LinkOptions, over: (error: SessionError) => void) {
    const { clock, hello, credentials } = options;
    this.#options = options;
    this.#over = over;
    this.#asker = new Asker({ hello: hello(), credentials, expected: peer.origin });
    this.#driver = new SessionDriver(this.#asker, clock, () => this.#drain());
    void this.#run(peer);
  }

  /**
   * Asks; resolves with the answer.
   * @throws {GroundwaveError} `window_full` if too much is unanswered, or what the peer answered.
   * @throws {SessionError} if the session ends before.
   */
  ask(question: Question, catchUp: (part: CatchUp) => void): Promise<Answered> {
    const id = this.#asker.ask(question, this.#options.clock.nowMs());
    if (id === undefined) return Promise.reject(this.#asker.ended ?? full());
    const done = Promise.withResolvers<Answered>();
    this.#asked.set(id, { catchUp, done });
    this.#driver.kick();
    return done.promise;
  }

  /** Both sides know whom they talk to, or did when it ended. */
  get isOpen(): boolean {
    return this.#asker.isOpen;
  }

  /** Ends the session and fails what was asked. Idempotent. */
  close(error: SessionError): void {
    this.#asker.end(error);
    this.#drain();
    this.#driver.kick();
  }

  async #run({ host, port }: PeerAddress): Promise<void> {
    try {
      await this.#driver.run(await this.#options.transport.dial(host, port));
    } catch (cause) {
      this.#driver.closed(cause);
    }
  }

  #drain(): void {
    for (let event; (event = this.#asker.pollEvent());) {
      if (event.type === "origins") this.#options.heard(event.heard);
      else if (event.type === "catch_up") this.#merge(event.id, event.catchUp);
      else this.#settle(event);
    }
    const { ended } = this.#asker;
    if (!ended) return;
    for (const { done } of this.#asked.values()) done.reject(ended);
    this.#asked.clear();
    this.#over(ended);
  }

  #merge(id: number, catchUp: CatchUp): void {
    const asked = this.#asked.get(id);
    try {
      asked?.catchUp(catchUp);
    } catch (error) {
      // Whoever asked cannot take it: what else is asked goes on.
      asked?.done.reject(error);
    }
  }

  #settle(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (answer.type === "failed") asked?.done.reject(errorOf(answer));
    else asked?.done.resolve(answer);
  }
}

/** A peer that would not talk to us is not asked again for so long. */
const REFUSED_MS = 30_000;

/** A peer that cannot be reached for so long has not merely ended or begun: it would have left the view. */
const UNREACHED_MS = 5000;

export interface PeerLinkOptions extends LinkOptions {
  /** Told why the peer is not asked for a while: it would not talk to us, or we not to it. */
  readonly refused: (error: SessionError) => void;
  /** A session failed before it was open. Once for each stretch of such failures `lasting` is set: an operator should know. */
  readonly unreached: (error: SessionError, lasting: boolean) => void;
  /** It has been reached again after that. */
  readonly reached: () => void;
}

/** What one peer is asked over: a session while there is one, a new one when there is something to ask. */
export class PeerLink {
  readonly #peer: PeerAddress;
  readonly #options: PeerLinkOptions;
  #session: PeerSession | undefined;
  #refusal: { readonly error: SessionError; readonly untilMs: number } | undefined;
  /** Since when no session could be had, and whether that was told. */
  #unreached: { readonly sinceMs: number; told: boolean } | undefined;
  #closed = false;

  constructor(peer: PeerAddress, options: PeerLinkOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** A session is open. */
  get isOpen(): boolean {
    return this.#session?.isOpen ?? false;
  }

  /** See {@link PeerSession.ask}. Rejects at once where the peer would not talk to us a moment ago. */
  ask(question: Question, catchUp: (part: CatchUp) => void = () => {}): Promise<Answered> {
    if (this.#closed) return Promise.reject(closed());
    const refusal = this.#refusal;
    if (refusal && this.#options.clock.nowMs() < refusal.untilMs) {
      return Promise.reject(refusal.error);
    }
    this.#session ??= this.#open();
    const answer = this.#session.ask(question, catchUp);
    answer.then(() => this.#reach(), () => {});
    return answer;
  }

  /** Ends the session and fails what was asked. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#session?.close(closed());
    this.#session = undefined;
  }

  #open(): PeerSession {
    const begunMs = this.#options.clock.nowMs();
    const session = new PeerSession(this.#peer, this.#options, (error) => {
      if (this.#session === session) this.#session = undefined;
      if (this.#closed) return;
      if (error.isFault) this.#refuse(error);
      else if (!session.isOpen) this.#miss(error, begunMs);
    });
    return session;
  }

  #miss(error: SessionError, begunMs: number): void {
    const unreached = this.#unreached ??= { sinceMs: begunMs, told: false };
    const lasting = this.#options.clock.nowMs() - unreached.sinceMs >= UNREACHED_MS;
    this.#options.unreached(error, lasting && !unreached.told);
    unreached.told ||= lasting;
  }

  #reach(): void {
    if (this.#unreached?.told) this.#options.reached();
    this.#unreached = undefined;
  }

  #refuse(error: SessionError): void {
    this.#refusal = { error, untilMs: this.#options.clock.nowMs() + REFUSED_MS };
    this.#options.refused(error);
  }
}

function closed(): SessionError {
  return new SessionError("closed", "the link is closed");
}

function full(): GroundwaveError {
  const message = "the relay that gives this its place has too much to do";
  return new GroundwaveError("window_full", message, { retryAfterS: 1 });
}

function errorOf({ code, message, retryAfterS }: Failed): GroundwaveError {
  return new GroundwaveError(code, message, retryAfterS === undefined ? {} : { retryAfterS });
}
