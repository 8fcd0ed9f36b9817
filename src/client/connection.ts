/**
 * Keeps a link to a relay: which transport, when to try again, and when to stop.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { backoffMs } from "./backoff.ts";
import type { ChannelFrame } from "./frames.ts";
import type { Platform } from "./platform.ts";
import { responseError } from "./transports/http.ts";
import type { Link, Transport, TransportName } from "./transports/transport.ts";

/** `waiting`: the connection was lost, or could not be made, and is tried again before long. */
export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/** A link that has lived so long counts as stable: the next wait is short again. */
const STABLE_MS = 10_000;

/** Failures to open in a row, with the relay otherwise within reach, that speak against a transport. */
const STRIKES = 2;

/** How long the relay may take to say that it is there. */
const PROBE_MS = 5000;

/** What a connection tells. */
export interface ConnectionEvents {
  /** A new link: it must be told which channels are wanted. */
  linked(link: Link): void;
  frame(frame: ChannelFrame): void;
  refused(channel: string, error: GroundwaveError): void;
  changed(state: ConnectionState): void;
}

/** A way to a relay and its name. */
export type NamedTransport = readonly [name: TransportName, open: Transport];

/** One lasting connection, over one link after another. */
export class Connection {
  /** Why there is no link, while there is none. */
  error: GroundwaveError | undefined;
  #state: ConnectionState = "connecting";
  #link: Link | undefined;
  /** Index of the transport in use; what worked is tried first. */
  #choice = 0;
  #strikes = 0;
  #attempt = 0;
  #cancelTimer: () => void = () => {};
  /** Who waits for the end of `connecting`. */
  readonly #waiting: (() => void)[] = [];
  readonly #cancelOnline: () => void;

  constructor(
    private readonly base: URL,
    private readonly transports: readonly [NamedTransport, ...NamedTransport[]],
    private readonly platform: Platform,
    private readonly events: ConnectionEvents,
  ) {
    this.#cancelOnline = platform.online(() => this.#online());
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get transport(): TransportName {
    return this.#transport[0];
  }

  /** The link, open or about to be. */
  get link(): Link | undefined {
    return this.#link;
  }

  get #transport(): NamedTransport {
    return this.transports[this.#choice] ?? this.transports[0];
  }

  /** Resolves once it is known whether the present attempt leads to a connection. Bounded by the transports' patience. */
  settled(): Promise<void> {
    if (this.#state !== "connecting") return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Makes the first link, and every later one. */
  connect(): void {
    this.#cancelTimer();
    this.#become("connecting");
    const [, open] = this.#transport;
    try {
      this.#link = open(this.base, this.platform, {
        opened: () => this.#opened(),
        frame: (frame) => this.events.frame(frame),
        refused: (channel, error) => this.events.refused(channel, error),
        closed: (error, final) => void this.#lost(error, final),
      });
    } catch (cause) {
      const error = new GroundwaveError("unavailable", "this transport cannot be used here", {
        cause,
      });
      // Not at once: the caller has no client yet.
      return queueMicrotask(() => void this.#lost(error, false));
    }
    this.events.linked(this.#link);
  }

  /** Ends it for good. Idempotent. */
  close(error?: GroundwaveError): void {
    if (this.#state === "closed") return;
    this.#cancelTimer();
    this.#cancelOnline();
    this.#link?.close();
    this.#link = undefined;
    this.error = error;
    this.#become("closed");
  }

  #opened(): void {
    this.#strikes = 0;
    this.error = undefined;
    this.#cancelTimer = this.platform.after(STABLE_MS, () => this.#attempt = 0);
    this.#become("open");
  }

  async #lost(error: GroundwaveError, final: boolean): Promise<void> {
    if (this.#state === "closed") return;
    if (final) return this.close(error);
    const opening = this.#state === "connecting";
    this.#cancelTimer();
    this.#link = undefined;
    this.error = error;
    const attempt = this.#attempt++;
    this.#become("waiting");
    const refusal = opening ? await this.#judge() : undefined;
    // Meanwhile it may have been closed, or hurried on by the network's return.
    if (this.#state !== "waiting" || this.#attempt !== attempt + 1) return;
    const { retryAfterS = 0 } = (refusal ?? error).options;
    const waitMs = Math.max(backoffMs(attempt, () => this.platform.random()), 1000 * retryAfterS);
    this.#cancelTimer = this.platform.after(waitMs, () => this.connect());
  }

  /**
   * A transport that does not open is given up for the next one, but only while the relay can be reached otherwise: an
   * outage is not its fault. Answers why the relay cannot be reached, if so.
   */
  async #judge(): Promise<GroundwaveError | undefined> {
    const refusal = await this.#probe();
    if (refusal || this.#state !== "waiting") return refusal;
    if (++this.#strikes >= STRIKES) {
      this.#choice = (this.#choice + 1) % this.transports.length;
      this.#strikes = 0;
    }
  }

  async #probe(): Promise<GroundwaveError | undefined> {
    const abort = new AbortController();
    const cancel = this.platform.after(PROBE_MS, () => abort.abort());
    this.#cancelTimer = () => {
      cancel();
      abort.abort();
    };
    try {
      const response = await this.platform.fetch(new URL("readyz", this.base), {
        signal: abort.signal,
        cache: "no-store",
      });
      if (!response.ok) return await responseError(response);
      await response.body?.cancel();
      return undefined;
    } catch (cause) {
      return new GroundwaveError("unavailable", "the relay cannot be reached", { cause });
    } finally {
      cancel();
    }
  }

  /** Another network is another chance, also for a transport that the last one did not let through. */
  #online(): void {
    if (this.#state !== "waiting") return;
    this.#choice = this.#strikes = 0;
    this.connect();
  }

  #become(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state !== "connecting") this.#waiting.splice(0).forEach((resolve) => resolve());
    this.events.changed(state);
  }
}
