/**
 * What a subscriber holds and is told.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Range } from "../../relay/protocol/message.ts";
import type { GapReason } from "../../relay/protocol/upstream.ts";
import { Bookmark } from "./bookmark.ts";
import { type ChannelFrame, dataOf, type GapFrame, type MessageFrame } from "./frames.ts";
import type { Wanted } from "./transports/transport.ts";

/** A message as a subscriber gets it. */
export interface Message {
  /** Unique everywhere: origin, slot and number. */
  readonly id: string;
  /** Where it was published. */
  readonly channel: string;
  /** Text or bytes, exactly as published. Data published as JSON comes as its text: `JSON.parse` it. */
  readonly data: string | Uint8Array;
  /** Name of the event, if it was published with one. */
  readonly event: string | undefined;
  /** Milliseconds since 1970 by the clock of the relay that took it. */
  readonly time: number;
}

/** Messages that this subscriber did not get and will not get. */
export interface Gap {
  /** Where it is. */
  readonly channel: string;
  /** `expired`: older than what is kept. `lost`: nobody has it. `lagged`: too slow. `unknown`: nobody can tell. */
  readonly reason: GapReason;
  /** What is missing, by origin and number; empty where nobody can tell. */
  readonly missing: readonly Range[];
}

/**
 * `joining`: asking a relay, at the start or after an interruption. `live`: up to date. `stale`: the relay cannot tell
 * whether it has everything. `closed`: ended, by {@link Subscription.close} or an error.
 */
export type SubscriptionState = "joining" | "live" | "stale" | "closed";

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Where to begin: after this cursor or message id, or with the `earliest` message held. Absent: what comes from now on. */
  readonly after?: string;
  /** Messages were missed. Without it they are missed in silence. */
  readonly onGap?: (gap: Gap) => void;
  /** Called whenever {@link Subscription.state} changes. */
  readonly onState?: (state: SubscriptionState) => void;
  /** It ended by an error, such as `forbidden`. */
  readonly onError?: (error: GroundwaveError) => void;
}

/** Takes one message. What it throws is reported as uncaught, and disturbs nobody else. */
export type MessageHandler = (message: Message) => void;

/** One subscriber of one channel. */
export class Subscription {
  readonly #feed: Feed;
  readonly #leave: () => void;
  #closed = false;

  /** @ignore Made by the client. */
  constructor(
    feed: Feed,
    readonly handler: MessageHandler,
    readonly options: SubscribeOptions,
    leave: () => void,
  ) {
    this.#feed = feed;
    this.#leave = leave;
  }

  /** What is subscribed. */
  get channel(): string {
    return this.#feed.channel;
  }

  /** Whether messages come, and all of them. */
  get state(): SubscriptionState {
    return this.#closed ? "closed" : this.#feed.state;
  }

  /** Continues exactly after the last message, on any relay, as the `after` of another subscription. */
  get cursor(): string | undefined {
    return this.#feed.bookmark.text;
  }

  /** Ends it. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.options.onState?.("closed");
  }
}

/** One channel of a client: a place in it, and everybody who listens there. */
export class Feed implements Wanted {
  readonly bookmark: Bookmark;
  readonly #subscriptions = new Set<Subscription>();
  readonly #waiting: (() => void)[] = [];
  #start: string | undefined;
  #state: SubscriptionState = "joining";

  /** @throws {GroundwaveError} `cursor_invalid`. */
  constructor(readonly channel: string, start: string | undefined) {
    this.bookmark = new Bookmark(channel);
    this.#start = start;
    if (start !== undefined && start !== "earliest") this.bookmark.skip(start);
  }

  get cursor(): Bookmark["cursor"] {
    return this.bookmark.cursor;
  }

  get after(): string | undefined {
    return this.bookmark.text ?? this.#start;
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get empty(): boolean {
    return this.#subscriptions.size === 0;
  }

  add(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
  }

  delete(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    if (this.empty) this.#settle();
  }

  /** Calls `fn` when it is no longer joining, or will not come to an end of that soon. */
  onceSettled(fn: () => void): void {
    if (this.#state === "joining") this.#waiting.push(fn);
    else fn();
  }

  /** The connection is gone. */
  interrupt(): void {
    this.#settle();
    this.become("joining");
  }

  /** What the relay says about the channel. */
  take(frame: ChannelFrame): void {
    switch (frame.op) {
      case "message":
        if (this.bookmark.take(frame.id)) this.#message(frame);
        return;
      case "gap":
        this.bookmark.replace(frame.cursor);
        return this.#gap(frame);
      case "subscribed":
      case "cursor":
        this.bookmark.replace(frame.cursor);
        if (this.#state === "joining") this.become("live");
        return;
      case "stale":
        return this.become("stale");
      case "fresh":
        return this.become("live");
    }
  }

  become(state: SubscriptionState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state !== "joining") this.#settle();
    this.#each(({ options }) => options.onState?.(state));
  }

  /** Ends every subscription. */
  fail(error: GroundwaveError | undefined): void {
    this.#each((subscription) => {
      subscription.close();
      if (error) subscription.options.onError?.(error);
    });
  }

  #settle(): void {
    for (const done of this.#waiting.splice(0)) done();
  }

  #message(frame: MessageFrame): void {
    const { id, channel, event, time } = frame;
    const message: Message = { id, channel, data: dataOf(frame), event, time };
    this.#each((subscription) => subscription.handler(message));
  }

  #gap({ channel, reason, missing }: GapFrame): void {
    this.#each(({ options }) => options.onGap?.({ channel, reason, missing }));
  }

  /** Calls each in turn, also if one throws, but none that was closed meanwhile. */
  #each(tell: (subscription: Subscription) => void): void {
    for (const subscription of [...this.#subscriptions]) {
      if (!this.#subscriptions.has(subscription)) continue;
      try {
        tell(subscription);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
