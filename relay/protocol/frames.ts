/**
 * What the two sides of a peer session say to each other (`Frame` of `groundwave.proto`). Who dials asks, who accepts
 * answers. A frame is its length in four bytes, big-endian, and a Protobuf message.
 *
 * @module
 */
import type { ErrorCode } from "./errors.ts";
import type { AgedMessage, CatchUp, Standing } from "./log/catch_up.ts";
import type { Origin, Range, Vector } from "./message.ts";
import type { Draft, Published } from "./upstream.ts";

/** Version of the session protocol. Relays of different versions do not ask each other. */
export const SESSION_VERSION = 1;

/** Bytes of a frame at most, without its length. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/** Bytes of the length that precedes each frame. */
export const FRAME_HEADER_BYTES = 4;

/** Bytes of a nonce. */
export const NONCE_BYTES = 16;

/** The first frame of each side of a session. */
export interface Hello {
  readonly type: "hello";
  readonly version: number;
  readonly origin: Origin;
  readonly node: string;
  /** Random, from a relay that has a group key; absent from one that has none. */
  readonly nonce?: Uint8Array;
}

/** Proves that its sender has a key of the group, see `challenge.ts`. */
export interface Proof {
  readonly type: "proof";
  readonly keyId: number;
  readonly mac: Uint8Array;
}

/** The last frame: the session is over, and why, for people. */
export interface Bye {
  readonly type: "bye";
  readonly reason: string;
  /** Something is wrong with the other side, or between the two: asking again at once is in vain. */
  readonly fault: boolean;
}

/** Every origin that the sender heard of within 24 h, and how long ago, in milliseconds. */
export interface OriginsFrame {
  readonly type: "origins";
  readonly heard: readonly { readonly origin: Origin; readonly ageMs: number }[];
}

/** The asker has taken so many more bytes of catch-ups. */
export interface Credit {
  readonly type: "credit";
  readonly bytes: number;
}

/** What is asked carries the asker's choice of an id, 32 bits; its answer carries it too. */
interface WithId<Type extends string> {
  readonly type: Type;
  readonly id: number;
}

/** Asks for what the asker lacks: a subscription from a vector that ends when it has caught up. */
export interface Pull extends WithId<"pull"> {
  /** Every slot of these groups, from nothing where `slots` does not name it. */
  readonly groups: readonly number[];
  /** Slots and where the asker stands in each. */
  readonly slots: ReadonlyMap<number, Standing>;
}

/** One slot's part of the answer to a pull. */
export interface CatchUpFrame extends WithId<"catch_up"> {
  readonly catchUp: CatchUp;
}

/** The pull named is answered. */
export interface PullDone extends WithId<"pull_done"> {
  /** By group asked for, where the answerer's own stream stood before it answered: what is beyond comes by multicast. */
  readonly positions: ReadonlyMap<number, number>;
}

/** Where a relay stands in one slot. */
export interface DigestEntry {
  readonly slot: number;
  readonly vector: Vector;
  /** What it has marked as lost. */
  readonly lost: readonly Range[];
}

/** Where a relay stands (DESIGN "Anti-entropy"). */
export interface Digest {
  /** Groups that it hears now. */
  readonly groups: readonly number[];
  /** Slots in which the other side is not known yet to lack nothing. */
  readonly entries: readonly DigestEntry[];
  /** Slots of the other side's last digest in which the sender lacks nothing. */
  readonly equal: readonly number[];
}

/** A digest, and the answer to one. */
export interface DigestFrame extends WithId<"digest"> {
  readonly digest: Digest;
}

/** Messages for a custodian to hold. */
export interface Push extends WithId<"push"> {
  readonly messages: readonly AgedMessage[];
}

/** Whether the answerer is a ready custodian of everything pushed, and holds it. */
export interface Held extends WithId<"held"> {
  readonly held: boolean;
}

/** A draft for the answerer to publish. Only positions of the channel's slot travel in its `after`. */
export interface Publish extends WithId<"publish"> {
  readonly draft: Draft;
}

/** It is published. */
export interface PublishedFrame extends WithId<"published"> {
  readonly published: Published;
}

/** The request named failed. */
export interface Failed extends WithId<"failed"> {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** Asks for the answerer's table of slots and groups. */
export type TableAsk = WithId<"table_ask">;

/** A table of slots and groups. */
export interface TableFrame extends WithId<"table"> {
  readonly epoch: number;
  /** Two bytes for each slot, big-endian: its group. */
  readonly entries: Uint8Array;
}

/** Asks whether the other side lives. */
export type Ping = WithId<"ping">;

/** It does. */
export type Pong = WithId<"pong">;

/** What is asked for. */
export type Request = Pull | DigestFrame | Push | Publish | TableAsk | Ping;

/** What ends a request. */
export type Answer = PullDone | DigestFrame | Held | PublishedFrame | TableFrame | Failed | Pong;

export type Frame =
  | Hello
  | Proof
  | Bye
  | OriginsFrame
  | Credit
  | CatchUpFrame
  | Request
  | Answer;

/** Field numbers of the `Frame` message. */
export const FRAME_TAGS = {
  hello: 1,
  pull: 2,
  catch_up: 3,
  pull_done: 4,
  origins: 5,
  proof: 6,
  bye: 7,
  credit: 8,
  digest: 9,
  push: 10,
  held: 11,
  publish: 12,
  published: 13,
  failed: 14,
  ping: 15,
  pong: 16,
  table_ask: 17,
  table: 18,
} as const satisfies Record<Frame["type"], number>;
