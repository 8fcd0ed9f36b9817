/**
 * `GET /poll` and `GET /history`: what is held as one JSON answer, at once or when there is something.
 *
 * @module
 */
import type { GroundwaveError } from "../../relay/protocol/errors.ts";
import type {
  Page,
  ReadRequest,
  Sink,
  StreamEvent,
  SubscribeRequest,
} from "../../relay/protocol/upstream.ts";
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { answer, NO_STORE } from "./answer.ts";
import type { Connection } from "./connections.ts";
import type { Core, EdgeContext, Handler } from "./core.ts";
import { demandSubscribe } from "./grants.ts";
import { Query } from "./query.ts";
import { historyQuery, parse, pollQuery, present } from "./schema.ts";

export function historyHandler(core: Core): Handler {
  return async (c) => {
    const { channels, after, limit } = parse(historyQuery, readerInput(core, c, "limit"));
    demandSubscribe(await core.grants.of(c.req.raw), channels);
    return answerPage(core, await read(core, { channels, start: after, limit }));
  };
}

export function pollHandler(core: Core): Handler {
  return async (c) => {
    const { channels, after, wait } = parse(pollQuery, readerInput(core, c, "wait"));
    demandSubscribe(await core.grants.of(c.req.raw), channels);
    const place = core.connections.admit("poll", c.env.remoteAddress);
    try {
      const limit = core.limits.pageMessages;
      const held = await read(core, { channels, start: after, limit });
      const news = held.events.some(({ type }) => type === "message" || type === "gap");
      if (wait === 0 || c.req.raw.method === "HEAD" || news) return answerPage(core, held);
      const waiter = new Waiter(core), start = parseCursor(held.cursor);
      place.take(waiter);
      return answerPage(
        core,
        await waiter.wait({ channels, start }, wait * 1000, c.req.raw.signal),
      );
    } finally {
      place.release();
    }
  };
}

function readerInput(core: Core, c: EdgeContext, more: string): Record<string, unknown> {
  const query = new Query(c.req.raw.url);
  return present({
    channels: query.channels(core.limits.channels),
    after: query.one("after"),
    [more]: query.one(more),
  });
}

/**
 * Reads a page, again and shorter until it fits. A gap stands before the messages of its page: the answer names both
 * apart, and the gap's cursor covers what came before it.
 */
async function read(core: Core, request: ReadRequest): Promise<Page> {
  for (let { limit } = request;;) {
    const page = await core.upstream.read({ ...request, limit });
    const fitting = messagesBeforeCut(page.events, core.limits.pageBytes);
    if (fitting === undefined) return page;
    limit = fitting;
  }
}

/** How many messages may be kept; undefined if nothing has to be cut. At least one is kept. */
function messagesBeforeCut(events: readonly StreamEvent[], maxBytes: number): number | undefined {
  let bytes = 0, messages = 0;
  for (const event of events) {
    bytes += weight(event);
    if (messages > 0 && (bytes > maxBytes || event.type === "gap")) return messages;
    if (event.type === "message") messages++;
  }
  return undefined;
}

/** Characters or bytes of the event's data: enough to bound an answer, not to measure it. */
function weight(event: StreamEvent): number {
  return event.type === "message" ? event.message.data.length : 0;
}

function answerPage(core: Core, { events, cursor }: Page): Response {
  const messages: string[] = [], gaps: string[] = [], stale = new Set<string>();
  for (const event of events) {
    if (event.type === "message") messages.push(core.json(event));
    else if (event.type === "gap") gaps.push(core.json(event));
    else if (event.type === "stale") stale.add(event.channel);
    else stale.delete(event.channel);
  }
  core.counters.deliveries.poll += messages.length;
  // One gap is an object, as on the other transports; several, of several channels, are an array.
  const gap = gaps.length === 0 ? "" : `,"gap":${gaps.length === 1 ? gaps[0] : `[${gaps}]`}`;
  const staleness = stale.size === 0 ? "" : `,"stale":${JSON.stringify([...stale])}`;
  const body = `{"messages":[${messages}],"cursor":${JSON.stringify(cursor)}${gap}${staleness}}`;
  return answer(body, "application/json", NO_STORE);
}

/** A poll that is stale is answered after this, so that its reader hears of it in time, and not much more often. */
const STALE_ANSWER_MS = 2000;

/** A poll that found nothing and waits for the first event, and for what comes with it. */
class Waiter implements Sink, Connection {
  readonly #core: Core;
  readonly #events: StreamEvent[] = [];
  readonly #done = Promise.withResolvers<void>();
  /** After the last event taken. */
  #cursor: string | undefined;
  #messages = 0;
  #bytes = 0;
  #cancelStale: (() => void) | undefined;

  constructor(core: Core) {
    this.#core = core;
    // It may fail before anybody waits for it.
    this.#done.promise.catch(() => {});
  }

  /** Until something came, `waitMs` have passed, the client has gone or the relay drains. */
  async wait(request: SubscribeRequest, waitMs: number, signal: AbortSignal): Promise<Page> {
    const subscription = await this.#core.upstream.subscribe(request, this);
    const cancel = this.#core.host.after(waitMs, this.#done.resolve);
    const gone = () => this.#done.resolve();
    signal.addEventListener("abort", gone);
    if (signal.aborted) gone();
    try {
      subscription.resume();
      await this.#done.promise;
      return { events: this.#events, cursor: this.#cursor ?? subscription.cursor() };
    } finally {
      cancel();
      this.#cancelStale?.();
      signal.removeEventListener("abort", gone);
      subscription.close();
    }
  }

  event(event: StreamEvent): boolean {
    if (event.type !== "message" && event.type !== "gap") {
      this.#events.push(event);
      this.#cancelStale ??= this.#core.host.after(STALE_ANSWER_MS, this.#done.resolve);
      return true;
    }
    // As in a page a gap comes first; what the next poll asks for, it is told again.
    if (event.type === "gap" && this.#messages > 0) return false;
    this.#events.push(event);
    this.#cursor = event.cursor;
    if (event.type === "message") this.#messages++;
    this.#bytes += weight(event);
    // Whoever waits goes on when this turn is over, so that what arrives together is answered together.
    this.#done.resolve();
    const { pageMessages, pageBytes } = this.#core.limits;
    return this.#messages < pageMessages && this.#bytes < pageBytes;
  }

  closed(error: GroundwaveError): void {
    this.#done.reject(error);
  }

  tick(): void {}

  /** A drain is no failure of a poll: it gets its answer early. */
  end(): void {
    this.#done.resolve();
  }
}
