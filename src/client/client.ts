/**
 * The client: channels in, publishes out, over whatever connection there is.
 *
 * @module
 */
import { encodeCursor, mergeCursors } from "../../relay/protocol/cursor.ts";
import { checkData } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { AckLevel, Published } from "../../relay/protocol/upstream.ts";
import { Connection, type ConnectionState, type NamedTransport } from "./connection.ts";
import { messagesOf } from "./messages.ts";
import { type Platform, webPlatform } from "./platform.ts";
import { post } from "./publish.ts";
import {
  Feed,
  type Message,
  type MessageHandler,
  type SubscribeOptions,
  Subscription,
} from "./subscription.ts";
import { poll } from "./transports/poll.ts";
import { sse } from "./transports/sse.ts";
import type { Draft, Transport, TransportName } from "./transports/transport.ts";
import { websocket } from "./transports/websocket.ts";

const TRANSPORTS: Readonly<Record<TransportName, Transport>> = { websocket, sse, poll };

/** Publishes without an answer: beyond, publishing is refused. */
const MAX_IN_FLIGHT = 500;

/** How long a publish waits for a subscription of its channel. A relay may have to fetch history from others first. */
const JOIN_MS = 3000;

/** What can be published: text and bytes (buffers and views) as they are, anything else as its JSON text. */
export type Data = string | number | boolean | null | object;

/** Options of a connection. */
export interface ConnectOptions {
  /** Which transports to use, the preferred one first. Default: `websocket`, `sse`, `poll`. */
  readonly transports?: readonly TransportName[];
  /** Called whenever {@link Client.state} changes. */
  readonly onState?: (state: ConnectionState) => void;
  /** The machine to run on; for tests. */
  readonly platform?: Platform;
}

/** Options of a publish. */
export interface PublishOptions {
  /** Name of the event, as `EventSource` knows it. */
  readonly event?: string;
  /** How far it must have come to be answered. Absent: as far as the relay can promise now. */
  readonly ack?: AckLevel;
  /** Idempotency key: with it the same publish can be repeated. */
  readonly key?: string;
  /**
   * What must come before it: a cursor or message ids. Absent: all that this client got in the channel's slot, so that an answer
   * never overtakes its question. Null: nothing.
   */
  readonly after?: string | null;
}

/**
 * A client of one relay, or of several behind one address. It reconnects by itself, each time exactly after the last
 * message it got. Make one with {@link connect}.
 */
export class Client {
  readonly #base: URL;
  readonly #platform: Platform;
  readonly #connection: Connection;
  readonly #feeds = new Map<string, Feed>();
  #inFlight = 0;

  /** @ignore Use {@link connect}. */
  constructor(url: string | URL, options: ConnectOptions) {
    this.#base = new URL(url);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#platform = options.platform ?? webPlatform;
    this.#connection = new Connection(
      this.#base,
      named(options.transports ?? ["websocket", "sse", "poll"]),
      this.#platform,
      {
        linked: (link) => this.#feeds.forEach((feed) => link.subscribe(feed)),
        frame: (frame) => this.#feeds.get(frame.channel)?.take(frame),
        refused: (channel, error) => this.#feeds.get(channel)?.fail(error),
        changed: (state) => {
          this.#changed(state);
          options.onState?.(state);
        },
      },
    );
    this.#connection.connect();
  }

  /** `connecting`, `open`, `waiting` to try again, or `closed` for good. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The transport in use, or tried next. */
  get transport(): TransportName {
    return this.#connection.transport;
  }

  /** Why there is no connection; undefined while there is one. */
  get error(): GroundwaveError | undefined {
    return this.#connection.error;
  }

  /**
   * Subscribes to a channel, from now on or from `after` on. Several subscriptions of one channel share one stream.
   *
   * @example
   * ```ts
   * import { connect } from "http://localhost:8000/client.js";
   *
   * const client = connect("http://localhost:8000");
   * const news = client.subscribe("news", (message) => console.log(message.data), {
   *   after: localStorage.getItem("cursor") ?? "earliest",
   *   onGap: (gap) => console.warn("missed some", gap.missing),
   * });
   * addEventListener("pagehide", () => localStorage.setItem("cursor", news.cursor ?? "earliest"));
   * ```
   * @throws {GroundwaveError} `cursor_invalid`; `bad_request` for `after` on a channel that is subscribed already.
   */
  subscribe(
    channel: string,
    handler: MessageHandler,
    options: SubscribeOptions = {},
  ): Subscription {
    if (this.state === "closed") throw new GroundwaveError("unavailable", "the client is closed");
    const feed = this.#feeds.get(channel) ?? this.#open(channel, options.after);
    if (!feed.empty && options.after !== undefined) {
      throw new GroundwaveError(
        "bad_request",
        `"${channel}" is subscribed already: another place in it needs another client`,
      );
    }
    const subscription = new Subscription(feed, handler, options, () => {
      feed.delete(subscription);
      if (!feed.empty) return;
      this.#feeds.delete(channel);
      this.#connection.link?.unsubscribe(channel);
    });
    feed.add(subscription);
    return subscription;
  }

  /**
   * Subscribes for as long as a loop runs. A loop that falls 1000 messages behind ends with `slow_reader`.
   *
   * @example
   * ```ts
   * import { connect } from "http://localhost:8000/client.js";
   *
   * const client = connect("http://localhost:8000");
   * for await (const message of client.messages("news", { after: "earliest" })) {
   *   console.log(message.data);
   *   if (message.event === "end") break;
   * }
   * client.close();
   * ```
   * @throws {GroundwaveError} What {@link Client.subscribe} throws, and what ended the subscription.
   */
  messages(channel: string, options: SubscribeOptions = {}): AsyncGenerator<Message, void> {
    return messagesOf((handler, all) => this.subscribe(channel, handler, all), options);
  }

  /**
   * Publishes to a channel. Over the connection if there is one, else by POST; after the subscriptions of the channel
   * stand, so that this client hears itself. Never sent twice: where no answer
   * came, the message may or may not have been published, and the error says so.
   *
   * @example
   * ```ts
   * import { connect } from "http://localhost:8000/client.js";
   *
   * const client = connect("http://localhost:8000");
   * const { id, ack } = await client.publish("news", { title: "hello" }, { event: "article" });
   * console.log(id, ack);
   * client.close();
   * ```
   * @throws {GroundwaveError} Of the table; `error.class.retry` says whether trying again can help.
   */
  async publish(channel: string, data: Data, options: PublishOptions = {}): Promise<Published> {
    const carried = carriedBy(data);
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      throw new GroundwaveError("window_full", "too many publishes wait for an answer");
    }
    this.#inFlight++;
    try {
      await this.#connection.settled();
      await this.#joined(channel);
      if (this.state === "closed") throw new GroundwaveError("unavailable", "the client is closed");
      return await this.#send(channel, carried, options);
    } finally {
      this.#inFlight--;
    }
  }

  /** Ends the connection and every subscription. Idempotent. */
  close(): void {
    this.#connection.close();
  }

  /** Until this client hears what it publishes, if it is about to. */
  #joined(channel: string): Promise<void> {
    const feed = this.state === "open" ? this.#feeds.get(channel) : undefined;
    if (feed?.state !== "joining") return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#platform.after(JOIN_MS, resolve);
      feed.onceSettled(() => {
        cancel();
        resolve();
      });
    });
  }

  #send(channel: string, data: string | Uint8Array, options: PublishOptions): Promise<Published> {
    const { after = this.#behind(channel), ...given } = options;
    const present = Object.entries({ ...given, after })
      .filter((entry): entry is [string, string] => typeof entry[1] === "string");
    const draft: Draft = { channel, data, options: Object.fromEntries(present) };
    return this.#connection.link?.publish(draft) ?? post(this.#base, this.#platform, draft);
  }

  #open(channel: string, after: string | undefined): Feed {
    const feed = new Feed(channel, after);
    this.#feeds.set(channel, feed);
    this.#connection.link?.subscribe(feed);
    return feed;
  }

  /** All that was got in the slot of `channel`, over whichever channels. */
  #behind(channel: string): string | undefined {
    const slot = slotOf(channel);
    const cursors = [...this.#feeds.values()].flatMap(({ bookmark }) =>
      bookmark.slot === slot && bookmark.cursor ? [bookmark.cursor] : []
    );
    return cursors.length > 0 ? encodeCursor(cursors.reduce(mergeCursors)) : undefined;
  }

  #changed(state: ConnectionState): void {
    for (const feed of this.#feeds.values()) {
      if (state === "closed") feed.fail(this.error);
      else if (state !== "open") feed.interrupt();
    }
  }
}

/**
 * Connects to a relay.
 *
 * @example
 * ```ts
 * import { connect } from "http://localhost:8000/client.js";
 *
 * const client = connect("http://localhost:8000");
 * client.subscribe("news", (message) => console.log(message.data));
 * await client.publish("news", "hello");
 * ```
 * @param url where the relay answers; what is below that path is the interface.
 * @throws {TypeError} if `url` is none.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

/** Data as it travels. @throws {GroundwaveError} `too_large`, `encoding_invalid`, `bad_request`. */
function carriedBy(data: Data): string | Uint8Array {
  const carried = typeof data === "string"
    ? data
    : ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : JSON.stringify(data);
  if (carried === undefined) throw new GroundwaveError("bad_request", "the data has no JSON text");
  checkData(carried);
  return carried;
}

function named(names: readonly TransportName[]): [NamedTransport, ...NamedTransport[]] {
  const [first = "websocket", ...rest] = names;
  const name = (name: TransportName): NamedTransport => [name, TRANSPORTS[name]];
  return [name(first), ...rest.map(name)];
}
