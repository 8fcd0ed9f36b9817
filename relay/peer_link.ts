/**
 * The asking side of a peer session: dials a peer when there is something to ask, and asks it.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { FrameStream } from "./frame_stream.ts";
import type { Announcement } from "./protocol/announcement.ts";
import {
  type Frame,
  type Hello,
  type OriginsFrame,
  type Pull,
  SESSION_VERSION,
} from "./protocol/frames.ts";
import type { CatchUp } from "./protocol/log/catch_up.ts";
import { MAX_UINT32 } from "./protocol/wire.ts";
import type { PeerTransport } from "./transport.ts";

/** A peer that says nothing for so long while an answer is due is given up. */
const SILENCE_MS = 5000;

export interface LinkOptions {
  readonly clock: Clock;
  readonly transport: Pick<PeerTransport, "dial">;
  readonly hello: Hello;
  /** The origins that the peer has heard of. */
  readonly heard: (heard: OriginsFrame["heard"]) => void;
}

interface Asked {
  readonly answer: (part: CatchUp) => void;
  readonly done: PromiseWithResolvers<void>;
}

/** A session with one peer, open while something is asked and until {@link PeerLink.close}. */
export class PeerLink {
  readonly #options: LinkOptions;
  readonly #peer: Announcement;
  readonly #asked = new Map<number, Asked>();
  #stream: Promise<FrameStream> | undefined;
  #lastId = 0;
  #cancelSilence: (() => void) | undefined;
  #closed = false;

  constructor(peer: Announcement, options: LinkOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** Asks; resolves when the peer has answered all. Rejects when it cannot be reached, stalls, or speaks another version. */
  async ask(pull: Omit<Pull, "id" | "type">, answer: (part: CatchUp) => void): Promise<void> {
    if (this.#closed) throw new Error("the link is closed");
    const id = this.#lastId = this.#lastId % MAX_UINT32 + 1;
    const done = Promise.withResolvers<void>();
    this.#asked.set(id, { answer, done });
    // Sending may fail with the link, which rejects `done` too: nobody must be left without a handler meanwhile.
    done.promise.catch(() => {});
    // A wait that is on goes on: asking again is no word of the peer's.
    if (!this.#cancelSilence) this.#listenForSilence();
    const stream = this.#stream ??= this.#open();
    try {
      await (await stream).send([{ type: "pull", id, ...pull }]);
    } catch (error) {
      this.#failOf(stream, error);
    }
    await done.promise;
  }

  /** Ends the session and fails what was asked. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#fail(new Error("the link is closed"));
  }

  #open(): Promise<FrameStream> {
    const opening = this.#dial();
    // Whoever asked hears of a failure.
    opening.then((stream) => this.#receive(stream, opening), () => {});
    return opening;
  }

  async #dial(): Promise<FrameStream> {
    const { host, port } = this.#peer;
    const stream = new FrameStream(await this.#options.transport.dial(host, port));
    try {
      await stream.send([this.#options.hello]);
      return stream;
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  async #receive(stream: FrameStream, opening: Promise<FrameStream>): Promise<void> {
    try {
      for await (const frame of stream.frames()) {
        this.#listenForSilence();
        this.#take(frame);
      }
      this.#failOf(opening, new Error("the peer closed the session"));
    } catch (error) {
      this.#failOf(opening, error);
    } finally {
      stream.close();
    }
  }

  #take(frame: Frame): void {
    if (frame.type === "hello") this.#check(frame);
    else if (frame.type === "origins") this.#options.heard(frame.heard);
    else if (frame.type === "catch_up") this.#asked.get(frame.id)?.answer(frame.catchUp);
    else if (frame.type === "pull_done") {
      this.#asked.get(frame.id)?.done.resolve();
      this.#asked.delete(frame.id);
      this.#listenForSilence();
    } else throw new Error(`a peer that is asked does not send ${frame.type}`);
  }

  #check(hello: Hello): void {
    if (hello.version !== SESSION_VERSION) {
      throw new Error(`the peer speaks session version ${hello.version}, not ${SESSION_VERSION}`);
    }
    if (hello.origin !== this.#peer.origin) throw new Error("another relay answers at its address");
  }

  /** Restarts the wait for the peer's next word, if one is due. */
  #listenForSilence(): void {
    this.#cancelSilence?.();
    this.#cancelSilence = this.#asked.size === 0
      ? undefined
      : this.#options.clock.after(SILENCE_MS, () => this.#fail(new Error("the peer is silent")));
  }

  /** Fails what was asked over `stream`, unless it was given up before: what is asked over the next is not its concern. */
  #failOf(stream: Promise<FrameStream>, error: unknown): void {
    if (this.#stream === stream) this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#cancelSilence?.();
    this.#cancelSilence = undefined;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.then((open) => open.close(), () => {});
    for (const { done } of this.#asked.values()) done.reject(error);
    this.#asked.clear();
  }
}
