/**
 * `GET /sse`: channels as an event stream.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Sink, StreamEvent, Subscription } from "../../relay/protocol/upstream.ts";
import { answer, NO_STORE } from "./answer.ts";
import type { Connection, Place } from "./connections.ts";
import type { Core, Handler } from "./core.ts";
import { demandSubscribe } from "./grants.ts";
import { Query } from "./query.ts";
import { errorBlock, type Format, keepAliveBlock, memoLast } from "./render.ts";
import { openingBlock, sseRenderer } from "./render.ts";
import { parse, present, sseQuery } from "./schema.ts";
import { Turn, TURN_CHARS } from "./turn.ts";

const TYPE = "text/event-stream";
/** nginx would gather events otherwise. */
const HEADERS = { ...NO_STORE, "X-Accel-Buffering": "no" };

/** When readers are told to come back, in milliseconds: somewhere in so long from the least on. */
const RETRY_MS = { least: 1000, spread: 2000 };

/** What all readers of one format share: each event is rendered, and each chunk put together, once for all of them. */
interface Blocks {
  readonly render: (event: StreamEvent) => string;
  readonly turn: Turn;
  readonly encode: (text: string) => Uint8Array<ArrayBuffer>;
}

function blocksOf(core: Core, format: Format): Blocks {
  const encoder = new TextEncoder();
  return {
    render: sseRenderer(format, core.json),
    turn: new Turn(core.host, ""),
    encode: memoLast((text: string) => encoder.encode(text)),
  };
}

export function sseHandler(core: Core): Handler {
  const formats = { raw: blocksOf(core, "raw"), json: blocksOf(core, "json") };
  return async (c) => {
    const query = new Query(c.req.raw.url);
    const { channels, after, format } = parse(
      sseQuery,
      present({
        channels: query.channels(core.limits.channels),
        // An empty one is what browsers send before they have any.
        after: c.req.raw.headers.get("last-event-id") || query.one("after"),
        format: query.one("format"),
      }),
    );
    demandSubscribe(await core.grants.of(c.req.raw), channels);
    if (c.req.raw.method === "HEAD") return answer(null, TYPE, HEADERS);
    const blocks = formats[format ?? (channels.length > 1 ? "json" : "raw")];
    const place = core.connections.admit("sse", c.env.remoteAddress);
    const reader = new SseReader(core, blocks, place);
    try {
      const subscription = await core.upstream.subscribe({ channels, start: after }, reader);
      return answer(reader.stream(subscription), TYPE, HEADERS);
    } catch (thrown) {
      place.release();
      throw thrown;
    }
  };
}

/**
 * One reader's stream. Events go into its queue with each turn while that has room: a pull for each would cost a promise
 * per delivery, and a chunk for each more than the reader can make up for in a burst. Once it is full the subscription
 * rests until the runtime pulls.
 */
class SseReader implements Sink, Connection {
  readonly #core: Core;
  readonly #blocks: Blocks;
  readonly #place: Place;
  readonly #flush = () => this.#send();
  /** What leaves with the turn. */
  #pending = "";
  #deferred = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #subscription: Subscription | undefined;
  #error: GroundwaveError | undefined;
  #ended = false;
  /** Since when nothing is taken; undefined while there is room. A subscription is born resting. */
  #restingSinceMs: number | undefined;
  /** Whether anything was written since the last tick: cheaper than a look at the clock for each message. */
  #wrote = true;
  #silentSinceMs: number;

  constructor(core: Core, blocks: Blocks, place: Place) {
    this.#core = core;
    this.#blocks = blocks;
    this.#place = place;
    this.#restingSinceMs = this.#silentSinceMs = core.host.nowMs();
  }

  /** @throws {GroundwaveError} if the subscription has ended by now. */
  stream(subscription: Subscription): ReadableStream<Uint8Array> {
    this.#subscription = subscription;
    this.#place.take(this);
    if (this.#error) throw this.#error;
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        const retryMs = RETRY_MS.least + RETRY_MS.spread * this.#core.host.random();
        this.#write(openingBlock(Math.round(retryMs), subscription.cursor()));
      },
      pull: () => this.#resume(),
      cancel: () => this.#release(),
    }, { highWaterMark: this.#core.limits.sseBytes, size: (chunk) => chunk.byteLength });
  }

  event(event: StreamEvent): boolean {
    if (this.#ended || !this.#controller) return false;
    this.#write(this.#blocks.render(event));
    if (event.type === "message") this.#core.counters.deliveries.sse++;
    if ((this.#controller.desiredSize ?? 0) > this.#pending.length) return true;
    this.#restingSinceMs = this.#core.host.nowMs();
    return false;
  }

  closed(error: GroundwaveError): void {
    this.end(error);
  }

  tick(nowMs: number): void {
    const { slowReaderMs, keepAliveMs } = this.#core.limits;
    if (this.#restingSinceMs !== undefined) {
      if (nowMs - this.#restingSinceMs >= slowReaderMs) this.end(slowReader(slowReaderMs));
    } else if (this.#wrote) {
      this.#wrote = false;
      this.#silentSinceMs = nowMs;
    } else if (nowMs - this.#silentSinceMs >= keepAliveMs && this.#subscription) {
      this.#write(keepAliveBlock(this.#subscription.cursor()));
    }
  }

  end(error: GroundwaveError): void {
    if (this.#ended) return;
    this.#error = error;
    this.#core.counters.errors.add(error.code);
    this.#write(errorBlock(error));
    this.#send();
    // Writing to a client that has just gone may cancel the stream on the spot.
    if (this.#ended) return;
    this.#controller?.close();
    this.#release();
  }

  #write(block: string): void {
    const { turn } = this.#blocks;
    this.#wrote = true;
    this.#pending = turn.join(this.#pending, block);
    if (this.#pending.length >= TURN_CHARS) {
      this.#send();
    } else if (!this.#deferred) {
      this.#deferred = true;
      turn.defer(this.#flush);
    }
  }

  #send(): void {
    this.#deferred = false;
    if (this.#pending === "" || this.#ended) return;
    const pending = this.#pending;
    this.#pending = "";
    this.#controller?.enqueue(this.#blocks.encode(pending));
  }

  #resume(): void {
    if (this.#restingSinceMs === undefined || this.#ended) return;
    this.#restingSinceMs = undefined;
    this.#subscription?.resume();
  }

  #release(): void {
    this.#ended = true;
    this.#subscription?.close();
    this.#place.release();
  }
}

function slowReader(ms: number): GroundwaveError {
  return new GroundwaveError("slow_reader", `nothing was taken for ${ms / 1000} s`);
}
