/**
 * What SSE and long poll share: they only read, and all channels at once by one cursor.
 *
 * A channel that has no cursor yet is admitted first, by a page of its own that gives it one; an error then is that
 * channel's and nobody else's. After that one request follows all channels from the place where they meet.
 *
 * @module
 */
import { encodeCursor } from "../../../relay/protocol/cursor.ts";
import { GroundwaveError } from "../../../relay/protocol/errors.ts";
import { meet } from "../bookmark.ts";
import { type ChannelFrame, errorOf, type GapFrame, type MessageFrame } from "../frames.ts";
import type { Platform } from "../platform.ts";
import type { Link, LinkEvents, Transport, Wanted } from "./transport.ts";

/** How long a relay may take to begin an answer. */
export const ANSWER_MS = 10_000;

/** Channels admitted at the same time; browsers make no more connections to one host. */
const ADMISSIONS = 6;

/** Follows admitted channels, one at least, until that fails. */
export type Follow = (run: Run, wanted: readonly Wanted[]) => Promise<never>;

/** A transport that reads by HTTP, in the way that `follow` says. */
export function httpTransport(follow: Follow): Transport {
  return (base, platform, events) => new HttpLink(base, platform, events, follow);
}

/** One unbroken stretch of reading. When the channels change, another takes its place. */
export class Run {
  readonly #abort = new AbortController();
  #cancelTimer: () => void = () => {};
  #replaced = false;

  constructor(
    private readonly platform: Platform,
    private readonly base: URL,
    private readonly events: LinkEvents,
  ) {}

  /** The relay has answered as it should. */
  opened(): void {
    if (!this.#replaced) this.events.opened();
  }

  tell(frame: ChannelFrame): void {
    if (!this.#replaced) this.events.frame(frame);
  }

  refuse(channel: string, error: GroundwaveError): void {
    if (!this.#replaced) this.events.refused(channel, error);
  }

  /** Asks the relay. @throws {GroundwaveError} What the relay answered. */
  async get(path: string, query: URLSearchParams, withinMs = ANSWER_MS): Promise<Response> {
    this.patience(withinMs);
    const response = await this.platform.fetch(new URL(`${path}?${query}`, this.base), {
      signal: this.#abort.signal,
      cache: "no-store",
    });
    if (!response.ok) throw await responseError(response);
    return response;
  }

  /** A page of history as frames: gaps, messages, and the cursor after them for each channel. */
  async page(query: URLSearchParams, withinMs?: number): Promise<ChannelFrame[]> {
    const response = await this.get("poll", query, withinMs);
    const { messages, cursor, gap, stale = [] } = await response.json() as Page;
    this.opened();
    const channels = query.getAll("channel");
    return [
      ...[gap ?? []].flat().map((one): GapFrame => ({ ...one, op: "gap" })),
      ...messages.map((one): MessageFrame => ({ ...one, op: "message" })),
      ...channels.map((channel) => ({ op: "cursor" as const, channel, cursor })),
      ...channels.map((channel) => ({
        op: stale.includes(channel) ? "stale" as const : "fresh" as const,
        channel,
      })),
    ];
  }

  /** From now on the relay may be silent for `ms`; then the run fails. */
  patience(ms: number): void {
    this.rest();
    if (this.#replaced) return;
    this.#cancelTimer = this.platform.after(ms, () => {
      this.#abort.abort(new GroundwaveError("unavailable", "the relay does not answer"));
    });
  }

  /** Nothing is expected of the relay. */
  rest(): void {
    this.#cancelTimer();
  }

  /** Waits, or for ever once nobody wants the run any more. */
  pause(ms: number): Promise<void> {
    this.rest();
    return new Promise((resolve) => {
      if (!this.#replaced) this.#cancelTimer = this.platform.after(ms, resolve);
    });
  }

  /** Nobody wants it any more. */
  end(): void {
    this.#replaced = true;
    this.rest();
    this.#abort.abort();
  }
}

/** What `/poll` answers. */
interface Page {
  readonly messages: readonly MessageFrame[];
  readonly cursor: string;
  readonly gap?: GapFrame | readonly GapFrame[];
  /** The channels that are stale. */
  readonly stale?: readonly string[];
}

/** A request for `wanted` from the place where they meet. */
export function queryOf(wanted: readonly Wanted[]): URLSearchParams {
  const query = new URLSearchParams();
  for (const { channel } of wanted) query.append("channel", channel);
  query.set("after", encodeCursor(meet(wanted.flatMap(({ cursor }) => cursor ? [cursor] : []))));
  return query;
}

/** The error that an answer carries; one without a body of ours comes from something between. */
export async function responseError(response: Response): Promise<GroundwaveError> {
  const retryAfter = response.headers.get("retry-after");
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  const body = await response.json().catch(() => undefined);
  const { code = "unavailable", message = `HTTP ${response.status}` } = body?.error ?? {};
  return errorOf({ code, message }, seconds >= 0 ? seconds : undefined);
}

class HttpLink implements Link {
  readonly #wanted = new Map<string, Wanted>();
  readonly #events: LinkEvents;
  #run: Run | undefined;
  #restarting = false;
  #opened = false;
  #closed = false;

  constructor(
    private readonly base: URL,
    private readonly platform: Platform,
    events: LinkEvents,
    private readonly follow: Follow,
  ) {
    this.#events = {
      opened: () => {
        if (!this.#opened) events.opened();
        this.#opened = true;
      },
      frame: (frame) => events.frame(frame),
      refused: (channel, error) => {
        this.#wanted.delete(channel);
        events.refused(channel, error);
      },
      closed: (error, final) => events.closed(error, final),
    };
    this.#restart();
  }

  subscribe(wanted: Wanted): void {
    this.#wanted.set(wanted.channel, wanted);
    this.#restart();
  }

  unsubscribe(channel: string): void {
    if (this.#wanted.delete(channel)) this.#restart();
  }

  /** Publishing is a POST here, which needs no connection. */
  publish(): undefined {
    return undefined;
  }

  close(): void {
    this.#closed = true;
    this.#run?.end();
  }

  /** Changes of one turn of the event loop make one new run. */
  #restart(): void {
    if (this.#restarting) return;
    this.#restarting = true;
    queueMicrotask(() => {
      this.#restarting = false;
      if (this.#closed) return;
      this.#run?.end();
      this.#run = new Run(this.platform, this.base, this.#events);
      void this.#read(this.#run);
    });
  }

  async #read(run: Run): Promise<void> {
    try {
      const fresh = [...this.#wanted.values()].filter(({ cursor }) => !cursor);
      for (let at = 0; at < fresh.length; at += ADMISSIONS) {
        await Promise.all(fresh.slice(at, at + ADMISSIONS).map((wanted) => admit(run, wanted)));
      }
      const wanted = [...this.#wanted.values()].filter(({ cursor }) => cursor);
      if (wanted.length > 0) return await this.follow(run, wanted);
      await (await run.get("readyz", new URLSearchParams())).body?.cancel();
      run.opened();
      run.rest();
    } catch (cause) {
      if (run !== this.#run || this.#closed) return;
      this.close();
      const error = cause instanceof GroundwaveError
        ? cause
        : new GroundwaveError("unavailable", "no connection", { cause });
      this.#events.closed(error, false);
    }
  }
}

/** Gives a channel its first cursor, or refuses it. */
async function admit(run: Run, { channel, after }: Wanted): Promise<void> {
  const query = new URLSearchParams({ channel, wait: "0" });
  if (after !== undefined) query.set("after", after);
  try {
    for (const frame of await run.page(query)) run.tell(frame);
  } catch (error) {
    if (!(error instanceof GroundwaveError) || error.class.retry !== "no") throw error;
    run.refuse(channel, error);
  }
}
