/**
 * One WebSocket for everything: all channels, and publishing.
 *
 * @module
 */
import { ERRORS, GroundwaveError } from "../../../relay/protocol/errors.ts";
import type { ErrorCode } from "../../../relay/protocol/errors.ts";
import type { Published } from "../../../relay/protocol/upstream.ts";
import { type ErrorFrame, errorOf, type Frame } from "../frames.ts";
import type { Platform, Socket } from "../platform.ts";
import type { Draft, Link, LinkEvents, Transport, Wanted } from "./transport.ts";

/** Silence after which the relay is asked for a sign of life; another such time without one, and the link is dead. */
const SILENCE_MS = 10_000;

/** An answer to a publish that takes longer will not come. */
const PUBLISH_MS = 15_000;

/** Bytes waiting for the network: beyond, publishing is refused. */
const MAX_BUFFERED = 8 * 1024 * 1024;

/** Longer data goes by POST: a frame may have 2 MiB, and JSON makes up to six bytes of a character. */
const MAX_TEXT_CHARS = 256 * 1024;
const MAX_BINARY_BYTES = 32 * 1024;

/** What a frame is filled with at most, but for one longer operation: well below the 10,000 operations that a relay takes. */
const FRAME_CHARS = 32 * 1024;

/** Opens a WebSocket link. */
export const websocket: Transport = (base, platform, events) =>
  new WebSocketLink(base, platform, events);

interface InFlight {
  readonly channel: string;
  resolve(published: Published): void;
  reject(error: GroundwaveError): void;
}

class WebSocketLink implements Link {
  readonly #platform: Platform;
  readonly #events: LinkEvents;
  readonly #socket: Socket;
  /** Lines for the next frames; undefined until the socket is open. */
  #queue: string[] | undefined;
  readonly #wanted = new Map<string, Wanted>();
  /** `ref` of the subscribe that a channel waits for: till then what comes belongs to an earlier one. */
  readonly #asked = new Map<string, number>();
  /** Channels of unanswered subscribes, and unanswered publishes, by `ref`. */
  readonly #subscribes = new Map<number, string>();
  readonly #publishes = new Map<number, InFlight>();
  #ref = 0;
  #state: "connecting" | "open" | "closed" = "connecting";
  #heard = true;
  #pinged = false;
  #cancelWatch: () => void;
  #lastError: GroundwaveError | undefined;

  constructor(base: URL, platform: Platform, events: LinkEvents) {
    this.#platform = platform;
    this.#events = events;
    const url = new URL("ws", base);
    url.protocol = base.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = platform.openSocket(url, "groundwave.v1", {
      open: () => this.#start(),
      text: (text) => this.#take(text),
      close: (code, reason) => this.#ended(code, reason),
    });
    this.#cancelWatch = platform.after(SILENCE_MS, () => this.#watch());
  }

  subscribe(wanted: Wanted): void {
    this.#wanted.set(wanted.channel, wanted);
    if (this.#queue) this.#ask(wanted);
  }

  unsubscribe(channel: string): void {
    if (this.#wanted.delete(channel)) this.#send({ op: "unsubscribe", channel });
  }

  publish({ channel, data, options }: Draft): Promise<Published> | undefined {
    const carried = carry(data);
    if (this.#state !== "open" || !carried) return undefined;
    if (this.#socket.bufferedAmount > MAX_BUFFERED) {
      return Promise.reject(new GroundwaveError("window_full", "the network is too slow"));
    }
    const ref = ++this.#ref;
    return new Promise<Published>((resolve, reject) => {
      const cancel = this.#platform.after(PUBLISH_MS, () => {
        this.#publishes.delete(ref);
        reject(unanswered());
      });
      this.#publishes.set(ref, {
        channel,
        resolve: (published) => (cancel(), resolve(published)),
        reject: (error) => (cancel(), reject(error)),
      });
      this.#send({ op: "publish", channel, ...carried, ...options, ref });
    });
  }

  close(): void {
    if (this.#finish()) this.#socket.close();
  }

  #start(): void {
    if (this.#state === "closed") return;
    this.#queue = [];
    for (const wanted of this.#wanted.values()) this.#ask(wanted);
    // Something must come back before this counts as open: some proxies accept sockets and swallow what they carry.
    this.#send({ op: "ping" });
  }

  #ask({ channel, after }: Wanted): void {
    const ref = ++this.#ref;
    this.#subscribes.set(ref, channel);
    this.#asked.set(channel, ref);
    this.#send({ op: "subscribe", channel, after, ref });
  }

  /** Operations of one turn of the event loop share frames. */
  #send(operation: Readonly<Record<string, unknown>>): void {
    if (!this.#queue) return;
    this.#queue.push(JSON.stringify(operation));
    if (this.#queue.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#state === "closed" || !this.#queue) return;
    const lines = this.#queue.splice(0);
    let frame = "";
    try {
      for (const line of lines) {
        if (frame !== "" && frame.length + line.length > FRAME_CHARS) {
          this.#socket.send(frame);
          frame = "";
        }
        frame += frame === "" ? line : `\n${line}`;
      }
      this.#socket.send(frame);
    } catch (cause) {
      // Some runtimes throw when the socket is closing; others wait for the close to be told.
      this.#fail(new GroundwaveError("unavailable", "the connection was lost", { cause }));
    }
  }

  #take(text: string): void {
    if (this.#state === "closed") return;
    this.#heard = true;
    if (this.#state === "connecting") {
      this.#state = "open";
      this.#events.opened();
    }
    for (const line of text.split("\n")) {
      if (this.#isClosed() || line === "") continue;
      try {
        this.#frame(JSON.parse(line) as Frame);
      } catch (cause) {
        const error = new GroundwaveError("internal", "the relay sent what is no frame", { cause });
        if (this.#finish()) this.#events.closed(error, false);
        return this.#socket.close();
      }
    }
  }

  #frame(frame: Frame): void {
    this.#lastError = undefined;
    switch (frame.op) {
      case "published": {
        const { ref, id, ack } = frame;
        const inFlight = this.#settle(ref);
        return inFlight?.resolve({ id, channel: inFlight.channel, ack });
      }
      case "error":
        return this.#refused(frame);
      case "subscribed":
        if (frame.ref !== undefined) this.#subscribes.delete(frame.ref);
        if (this.#asked.get(frame.channel) === frame.ref) this.#asked.delete(frame.channel);
        break;
      case "unsubscribed":
      case "pong":
        return;
    }
    if (this.#wanted.has(frame.channel) && !this.#asked.has(frame.channel)) {
      this.#events.frame(frame);
    }
  }

  #refused(frame: ErrorFrame): void {
    const error = errorOf(frame);
    if (frame.ref === undefined) {
      this.#lastError = error;
      return;
    }
    const channel = this.#subscribes.get(frame.ref);
    if (channel === undefined) return this.#settle(frame.ref)?.reject(error);
    this.#subscribes.delete(frame.ref);
    if (!this.#wanted.has(channel)) return;
    if (error.class.retry === "no") {
      this.#wanted.delete(channel);
      return this.#events.refused(channel, error);
    }
    this.#fail(error);
  }

  #settle(ref: number): InFlight | undefined {
    const inFlight = this.#publishes.get(ref);
    this.#publishes.delete(ref);
    return inFlight;
  }

  /** Timers sleep with the machine, so two checks in a row without a sign of life are counted, not milliseconds. */
  #watch(): void {
    if (this.#heard && this.#queue) {
      this.#heard = this.#pinged = false;
    } else if (this.#queue && !this.#pinged) {
      this.#pinged = true;
      this.#send({ op: "ping" });
    } else {
      return this.#fail(new GroundwaveError("unavailable", "the relay does not answer"));
    }
    this.#cancelWatch = this.#platform.after(SILENCE_MS, () => this.#watch());
  }

  #fail(error: GroundwaveError): void {
    if (!this.#finish()) return;
    this.#socket.close();
    this.#events.closed(error, false);
  }

  #ended(code: number, reason: string): void {
    const error = this.#lastError ?? closeError(code, reason);
    if (this.#finish()) this.#events.closed(error, code >= 4500 && code < 5000);
  }

  /** Rejects what waits for an answer. False: it was closed before. */
  #finish(): boolean {
    if (this.#state === "closed") return false;
    this.#state = "closed";
    this.#cancelWatch();
    for (const inFlight of this.#publishes.values()) inFlight.reject(unanswered());
    this.#publishes.clear();
    return true;
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }
}

/** Data as a frame has it; undefined if it is too much for one. */
function carry(data: string | Uint8Array): { data: string; encoding?: "base64" } | undefined {
  if (typeof data === "string") return data.length > MAX_TEXT_CHARS ? undefined : { data };
  if (data.length > MAX_BINARY_BYTES) return undefined;
  return { data: btoa(String.fromCharCode(...data)), encoding: "base64" };
}

/** The relay may have taken it, or not: only the caller can tell whether twice is worse than never. */
function unanswered(): GroundwaveError {
  return new GroundwaveError(
    "unavailable",
    "the connection was lost before the answer: the message may or may not have been published",
  );
}

function closeError(code: number, reason: string): GroundwaveError {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  const known = codes.find((name) => name === reason) ??
    codes.find((name) => ERRORS[name].close === code);
  // Up to 1006 a code says no more than that.
  const lost = code > 1006 ? `the connection was closed (${code})` : "no connection";
  return new GroundwaveError(known ?? "unavailable", reason || lost);
}
