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
import { errorBlock, keepAliveBlock, openingBlock, sseRenderer } from "./render.ts";
import { parse, present, sseQuery } from "./schema.ts";

const TYPE = "text/event-stream";
/** nginx would gather events otherwise. */
const HEADERS = { ...NO_STORE, "X-Accel-Buffering": "no" };

/** Reconnection times are spread over half to one and a half of the middle. */
const JITTER_FLOOR = 0.5;

type Render = ReturnType<typeof sseRenderer>;

export function sseHandler(core: Core): Handler {
  const renderers = { raw: sseRenderer("raw", core.json), json: sseRenderer("json", core.json) };
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
    const render = renderers[format ?? (channels.length > 1 ? "json" : "raw")];
    const place = core.connections.admit("sse", c.env.remoteAddress);
    const reader = new SseReader(core, render, place);
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
 * One reader's stream. Events go straight into its queue while that has room: a pull for each would cost a promise per
 * delivery. Once it is full the subscription rests until the runtime pulls.
 */
class SseReader implements Sink, Connection {
  readonly #core: Core;
  readonly #render: Render;
  readonly #place: Place;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #subscription: Subscription | undefined;
  #error: GroundwaveError | undefined;
  #ended = false;
  /** Since when nothing is taken; undefined while there is room. A subscription is born resting. */
  #restingSinceMs: number | undefined;
  /** Whether anything was written since the last tick: cheaper than a look at the clock for each message. */
  #wrote = true;
  #silentSinceMs: number;

  constructor(core: Core, render: Render, place: Place) {
    this.#core = core;
    this.#render = render;
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
        const retryMs = this.#core.retryMs * (JITTER_FLOOR + this.#core.host.random());
        this.#write(openingBlock(Math.round(retryMs), subscription.cursor()));
      },
      pull: () => this.#resume(),
      cancel: () => this.#release(),
    }, { highWaterMark: this.#core.limits.sseBytes, size: (chunk) => chunk.byteLength });
  }

  event(event: StreamEvent): boolean {
    if (this.#ended || !this.#controller) return false;
    this.#controller.enqueue(this.#render(event));
    this.#wrote = true;
    if (event.type === "message") this.#core.counters.deliveries.sse++;
    if ((this.#controller.desiredSize ?? 0) > 0) return true;
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
    // Writing to a client that has just gone may cancel the stream on the spot.
    if (this.#ended) return;
    this.#controller?.close();
    this.#release();
  }

  #write(block: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(block));
    this.#wrote = true;
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
