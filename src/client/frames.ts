/**
 * What a relay says to a client, the same objects on every transport (INTERFACE, WebSocket).
 *
 * @module
 */
import { type ErrorCode, ERRORS, GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Range } from "../../relay/protocol/message.ts";
import type { AckLevel, GapReason } from "../../relay/protocol/upstream.ts";

/** A message as it travels. */
export interface MessageFrame {
  readonly op: "message";
  readonly channel: string;
  readonly id: string;
  readonly data: string;
  readonly event?: string;
  readonly time: number;
  readonly encoding?: "base64";
}

/** Messages that the reader does not get. */
export interface GapFrame {
  readonly op: "gap";
  readonly channel: string;
  readonly reason: GapReason;
  readonly missing: readonly Range[];
  readonly cursor: string;
}

/** A subscription stands; `ref` is that of its subscribe. */
export interface SubscribedFrame {
  readonly op: "subscribed";
  readonly channel: string;
  readonly cursor: string;
  readonly ref?: number;
}

/** What concerns one channel. */
export type ChannelFrame =
  | MessageFrame
  | GapFrame
  | SubscribedFrame
  | { readonly op: "cursor"; readonly channel: string; readonly cursor: string }
  | { readonly op: "stale" | "fresh"; readonly channel: string };

/** Everything a relay says over a WebSocket. */
export type Frame =
  | ChannelFrame
  | { readonly op: "unsubscribed"; readonly channel: string }
  | { readonly op: "published"; readonly ref: number; readonly id: string; readonly ack: AckLevel }
  | ErrorFrame
  | { readonly op: "pong" };

/** Something was refused; `ref` names what, if it had one. */
export interface ErrorFrame {
  readonly op: "error";
  readonly code: string;
  readonly message: string;
  readonly ref?: number;
}

/** The data of a message as it was published. */
export function dataOf(frame: MessageFrame): string | Uint8Array {
  if (frame.encoding !== "base64") return frame.data;
  return Uint8Array.from(atob(frame.data), (char) => char.charCodeAt(0));
}

/** An error that a relay named. A code of a newer relay counts as `internal`. */
export function errorOf(
  { code, message }: { readonly code: string; readonly message: string },
  retryAfterS?: number,
): GroundwaveError {
  const known = Object.hasOwn(ERRORS, code) ? code as ErrorCode : "internal";
  return new GroundwaveError(known, message, retryAfterS === undefined ? {} : { retryAfterS });
}
