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
      if (wait === 0 || c.req.raw.method === "HEAD" || held.events.some(isNews)) {
        return answerPage(core, held);
      }
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

/** Reads a page; one over the bound of bytes is read again, as short as keeps it. */
async function read(core: Core, request: ReadRequest): Promise<Page> {
  const page = await core.upstream.read(request);
  let bytes = 0, messages = 0;
  for (const event of page.events) {
    bytes += weight(event);
    if (bytes > core.limits.pageBytes && messages > 0) {
      return await core.upstream.read({ ...request, limit: messages });
    }
    if (event.type === "message") messages++;
  }
  return page;
}

/** Characters or bytes of the event's data: enough to bound an answer, not to measure it. */
function weight(event: StreamEvent): number {
  return event.type === "message" ? event.message.data.length : 0;
}

/** Whether there is a reason to answer; staleness alone says nothing that a poll could carry. */
function isNews({ type }: StreamEvent): boolean {
  return type === "message" || type === "gap";
}

function answerPage(core: Core, { events, cursor }: Page): Response {
  const messages: string[] = [], gaps: string[] = [];
  for (const event of events) {
    if (event.type === "message") messages.push(core.json(event));
    else if (event.type === "gap") gaps.push(core.json(event));
  }
  core.counters.deliveries.poll += messages.length;
  // One gap is an object, as on the other transports; several, of several channels, are an array.
  const gap = gaps.length === 0 ? "" : `,"gap":${gaps.length === 1 ? gaps[0] : `[${gaps}]`}`;
  const body = `{"messages":[${messages}],"cursor":${JSON.stringify(cursor)}${gap}}`;
  return answer(body, "application/json", NO_STORE);
}

/** A poll that found nothing and waits for the first event, and for what comes with it. */
class Waiter implements Sink, Connection {
  readonly #core: Core;
  readonly #events: StreamEvent[] = [];
  readonly #done = Promise.withResolvers<void>();
  #weight = 0;

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
      return { events: this.#events, cursor: subscription.cursor() };
    } finally {
      cancel();
      signal.removeEventListener("abort", gone);
      subscription.close();
    }
  }

  event(event: StreamEvent): boolean {
    this.#events.push(event);
    this.#weight += weight(event);
    // Whoever waits goes on when this turn is over, so that what arrives together is answered together.
    if (isNews(event)) this.#done.resolve();
    const { pageMessages, pageBytes } = this.#core.limits;
    return this.#events.length < pageMessages && this.#weight < pageBytes;
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
