/**
 * What an edge needs of a relay. One contract suite (`tests/relay/protocol/upstream_contract.ts`) runs over every
 * implementation: in-process in `relay/`, over a WebSocket in `src/edge/` once the edge link exists.
 *
 * Guarantees of every implementation:
 *
 * 1. A subscription delivers each message at most once, in order per origin, and exactly from its cursor on, or it
 *    announces a gap first.
 * 2. Nothing is delivered before the first `resume()`, and nothing after `close()` or `closed`.
 * 3. Every cursor handed out continues exactly after what was delivered before it, on any relay.
 * 4. A sink that answers false gets nothing more until `resume()`; its subscription then costs constant memory.
 * 5. Every failure is a {@link GroundwaveError} of the table.
 *
 * @module
 */
import type { Cursor } from "./cursor.ts";
import { GroundwaveError } from "./errors.ts";
import type { Message, Range } from "./message.ts";

/** How far a publish has come when it is answered, weakest first. */
export type AckLevel = "accepted" | "replicated" | "archived";

/** A message before a relay gave it origin and seq. */
export interface Draft {
  /** A valid name, see `checkChannel`. */
  readonly channel: string;
  /** A string is text (well-formed Unicode), bytes are binary; at most 1 MiB. */
  readonly data: string | Uint8Array;
  /** An event name that is not reserved, see `checkEvent`; absent: the browser's `message`. */
  readonly event?: string;
  /** What it answers; only positions of the channel's own slot count. */
  readonly after?: Cursor;
  /** Idempotency key: the same again on this channel answers the first id. */
  readonly key?: string;
  /** One order for all publishers of the slot that ask for it. */
  readonly order?: "total";
  /** The level that must be reached; absent: `replicated`, or `accepted` on a relay that has long been alone. */
  readonly ack?: AckLevel;
}

/** The answer to a publish: only the level named is promised. */
export interface Published {
  /** The message's id. */
  readonly id: string;
  /** Where it was published. */
  readonly channel: string;
  /** The level reached. */
  readonly ack: AckLevel;
}

/** What became of a draft that was published with others. */
export type Outcome = Published | GroundwaveError;

/** What becomes of a publish, which then never fails. */
export async function outcomeOf(publishing: Promise<Published>): Promise<Outcome> {
  try {
    return await publishing;
  } catch (thrown) {
    return GroundwaveError.from(thrown);
  }
}

/** Why a reader is told of a gap. */
export type GapReason = "expired" | "lost" | "lagged" | "unknown";

/** A message reached the reader. Readers at one place share one object, so renderings of it can be kept. */
export interface MessageEvent {
  /** Tells it from the other events. */
  readonly type: "message";
  /** Shared with other readers: not to be changed. */
  readonly message: Message;
  /** The reader's cursor after this message. Read it before the sink returns, or not at all. */
  readonly cursor: string;
}

/** Messages the reader does not get. */
export interface GapEvent {
  /** Tells it from the other events. */
  readonly type: "gap";
  /** Of the reader's channels, the one in which something is missing. */
  readonly channel: string;
  /** `expired`: dropped by retention. `lost`: no relay has it. `lagged`: dropped before the reader came to it. `unknown`: nobody can tell what of this. */
  readonly reason: GapReason;
  /** What is known to be missing, or with `unknown` may be; empty where that may be anything. */
  readonly missing: readonly Range[];
  /** The reader's cursor after the gap. */
  readonly cursor: string;
}

/** The relay cannot tell for now (`stale`), or can tell again (`fresh`), whether the reader has everything. */
export interface StaleEvent {
  /** Tells it from the other events. */
  readonly type: "stale" | "fresh";
  /** Of the reader's channels, the one that it is about. */
  readonly channel: string;
}

/** What a subscription delivers. */
export type StreamEvent = MessageEvent | GapEvent | StaleEvent;

/** Where a subscription's events go. */
export interface Sink {
  /** Takes one event, at once. False: it was taken, but no more until `resume()`. */
  event(event: StreamEvent): boolean;
  /** The subscription ended from the relay's side, with `draining`, `slow_reader` and the like. */
  closed(error: GroundwaveError): void;
}

/** Where a subscription starts: what comes from now on, all that is held, or after a cursor. */
export type Start = "live" | "earliest" | Cursor;

/** What to follow, and from where. */
export interface SubscribeRequest {
  /** 1 to 1000 valid channel names, without repetition. */
  readonly channels: readonly string[];
  /** One start for all of them. */
  readonly start: Start;
}

/** One reader. It is born paused: call {@link Subscription.resume} when its sink is ready. */
export interface Subscription {
  /** False exactly when the first events are gaps. True for a live or earliest start. */
  readonly recovered: boolean;
  /** The reader's cursor where it stands now. */
  cursor(): string;
  /** The sink has room (again). Idempotent. */
  resume(): void;
  /** Ends it. Idempotent. */
  close(): void;
}

/** What to read, from where, and how much. */
export interface ReadRequest extends SubscribeRequest {
  /** At most so many messages. */
  readonly limit: number;
}

/** A stretch of history: events in order, and the cursor after the last of them. It may end with a gap behind messages. */
export interface Page {
  /** Oldest first. */
  readonly events: readonly StreamEvent[];
  /** Where the next page starts. */
  readonly cursor: string;
}

/** Whether traffic should come here, and if not, why. */
export interface Readiness {
  /** True exactly if there are no reasons against. */
  readonly ready: boolean;
  /** Short sentences for an operator. */
  readonly reasons: readonly string[];
  /** The same about what is amiss, but no reason against. */
  readonly notes: readonly string[];
}

/** One figure for `/metrics`, named `groundwave_<subsystem>_<name>` in base units. */
export interface Metric {
  /** Counters end in `_total`. */
  readonly name: string;
  /** One sentence, the same for all figures of a name. */
  readonly help: string;
  /** Counters only rise while the process lives. */
  readonly type: "counter" | "gauge";
  /** Now. */
  readonly value: number;
  /** What tells figures of one name apart. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A relay, as an edge sees it. */
export interface Upstream {
  /** The serving relay, for people. */
  readonly node: { readonly id: string; readonly origin: string; readonly region: string };
  /**
   * Publishes; resolves at the level reached.
   * @throws {GroundwaveError} `window_full`, `key_conflict`, `unavailable`, `draining`: nothing was published. `not_replicated`,
   * `not_archived`: it may still arrive, unless the message says otherwise.
   */
  publish(draft: Draft): Promise<Published>;
  /**
   * Publishes several as {@link publish} would one after the other, each for itself; resolves when it is known what became
   * of all of them, in their order. Never rejects.
   */
  publishAll(drafts: readonly Draft[]): Promise<readonly Outcome[]>;
  /** Waits until the slots are synced. @throws {GroundwaveError} `unavailable`, `draining`. */
  subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription>;
  /** What is held, at once. @throws {GroundwaveError} `unavailable`, `draining`. */
  read(request: ReadRequest): Promise<Page>;
  /** Whether traffic should come here. */
  readiness(): Readiness;
  /** What the relay counts. */
  metrics(): readonly Metric[];
}
