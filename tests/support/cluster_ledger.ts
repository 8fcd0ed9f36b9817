/**
 * What happened to a cluster, as its users saw it: what was answered, what every subscriber got, and what went wrong on
 * purpose. Times are milliseconds of any one clock; the simulator and the chaos run both write it.
 *
 * @module
 */
import type { Range, Vector } from "../../relay/protocol/message.ts";
import type { AckLevel, GapReason } from "../../relay/protocol/upstream.ts";

/** One attempt to publish. What is published twice under one key has the same data. */
export interface Publish {
  /** Unique, but for attempts with the same key. */
  readonly data: string;
  readonly channel: string;
  /** Where it was attempted. */
  readonly node: string;
  readonly atMs: number;
  readonly key?: string;
  readonly order?: "total";
  /** What it must follow: positions of its slot, which its publisher had from its own subscription. */
  readonly after?: Vector;
  answer?: Answer;
}

/** How an attempt was answered; without an answer nobody knows. */
export type Answer =
  | { readonly atMs: number; readonly id: string; readonly level: AckLevel }
  | { readonly atMs: number; readonly code: string };

/** What a subscriber saw, in order. */
export type Seen =
  /** It was connected; `fresh` without a cursor. */
  | {
    readonly type: "opened";
    readonly atMs: number;
    readonly node: string;
    readonly fresh: boolean;
  }
  | { readonly type: "closed"; readonly atMs: number }
  | {
    readonly type: "message";
    readonly atMs: number;
    readonly id: string;
    readonly channel: string;
    readonly data: string;
    /** Length of the cursor that came with it; 0 if nobody looked. */
    readonly cursorChars: number;
  }
  | {
    readonly type: "gap";
    readonly atMs: number;
    readonly channel: string;
    readonly reason: GapReason;
    /** Empty where nobody can tell. */
    readonly missing: readonly Range[];
  }
  | { readonly type: "stale" | "fresh"; readonly atMs: number; readonly channel: string };

/** One subscriber over all its connections. */
export interface Subscriber {
  readonly name: string;
  readonly channels: readonly string[];
  /** It takes its time: that it is behind is its own doing. */
  readonly slow: boolean;
  readonly seen: Seen[];
}

/**
 * What was done to the cluster. A crash lasts until it is re-replicated, or for no time; a goodbye too. A standstill is a
 * pause that excuses nothing but that the node itself is late: it is short, and the wires are sound. A silence lasts from
 * when a machine's network goes to its crash. An archive is one that cannot be used or is slow, a loss what its store lost.
 */
export interface Fault {
  readonly kind:
    | "crash"
    | "leave"
    | "cut"
    | "pause"
    | "standstill"
    | "tables"
    | "archive"
    | "loss"
    | "silence";
  readonly node: string;
  readonly fromMs: number;
  toMs: number;
}

/** What a relay had of a channel when all was quiet. */
export interface Stand {
  readonly node: string;
  readonly channel: string;
  /** Whether it hears the channel, or has of it only what it published itself. */
  readonly hears: boolean;
  readonly ids: readonly string[];
  /** Of the channel's slot. */
  readonly vector: Vector;
}

/** What catch-ups brought to one relay over its whole life. */
export interface Fetch {
  readonly node: string;
  /** Each counts as often as it came. */
  readonly messages: number;
}

/** What the archive had when no relay ran any more. */
export interface Kept {
  readonly atMs: number;
  readonly ids: readonly string[];
}

/** A relay began. */
export interface Started {
  readonly node: string;
  readonly atMs: number;
}

/** The whole record. */
export interface Ledger {
  readonly publishes: Publish[];
  readonly subscribers: Subscriber[];
  readonly faults: Fault[];
  /** When everything answered `replicated` was seen to be on two live relays again, at least. */
  readonly wholeMs: number[];
  /** At the end, of the relays that live. */
  readonly stands: Stand[];
  readonly kept: Kept[];
  /** Empty if nobody looked. */
  readonly starts: Started[];
  /** Of relays that ended. Empty if nobody looked. */
  readonly fetches: Fetch[];
  /** Of a channel. */
  readonly retention: { readonly maxCount: number; readonly maxAgeMs: number };
  endMs: number;
}

export function newLedger(retention: Ledger["retention"]): Ledger {
  return {
    publishes: [],
    subscribers: [],
    faults: [],
    wholeMs: [],
    stands: [],
    kept: [],
    starts: [],
    fetches: [],
    retention,
    endMs: 0,
  };
}
