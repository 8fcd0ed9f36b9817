/**
 * What the ways to a relay have in common. A transport makes one connection and says when it is over; whether to try
 * again, when and how is decided above it.
 *
 * @module
 */
import type { Cursor } from "../../../relay/protocol/cursor.ts";
import type { GroundwaveError } from "../../../relay/protocol/errors.ts";
import type { Published } from "../../../relay/protocol/upstream.ts";
import type { ChannelFrame } from "../frames.ts";
import type { Platform } from "../platform.ts";

/** The ways to a relay. */
export type TransportName = "websocket" | "sse" | "poll";

/** A channel that the client wants, and where it stands there. Read when it is asked for, not before. */
export interface Wanted {
  readonly channel: string;
  /** What to ask for: a cursor, `earliest`, or undefined for what comes from now on. */
  readonly after: string | undefined;
  /** Where it stands, once a relay has said so. */
  readonly cursor: Cursor | undefined;
}

/** A publish, ready to send. */
export interface Draft {
  readonly channel: string;
  readonly data: string | Uint8Array;
  /** `event`, `ack`, `key` and `after`, those that are given. */
  readonly options: Readonly<Record<string, string>>;
}

/** What a link tells. Nothing comes after `closed`, nor after the client closed it. */
export interface LinkEvents {
  /** The relay has answered: the way is open. */
  opened(): void;
  frame(frame: ChannelFrame): void;
  /** This channel cannot be had, whatever the connection. */
  refused(channel: string, error: GroundwaveError): void;
  /** It is over. `final`: the relay asked not to come back. */
  closed(error: GroundwaveError, final: boolean): void;
}

/** One connection. Channels may be asked for before it is open. */
export interface Link {
  subscribe(wanted: Wanted): void;
  unsubscribe(channel: string): void;
  /** Publishes over this connection; undefined where it does not carry this draft. */
  publish(draft: Draft): Promise<Published> | undefined;
  /** Ends it. Idempotent. */
  close(): void;
}

/** Opens a link to the relay at `base`, a URL that ends with `/`. */
export type Transport = (base: URL, platform: Platform, events: LinkEvents) => Link;
