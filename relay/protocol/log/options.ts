/**
 * What a log is made with, and what it answers.
 *
 * @module
 */
import type { Origin } from "../message.ts";
import type { LogSink } from "./reader.ts";

/** What all logs of a relay have in common. Times are milliseconds. */
export interface LogOptions {
  /** The serving relay: every cursor names it. */
  readonly self: Origin;
  /** Messages per channel. */
  readonly maxCount: number;
  /** Age of a message, counted from its arrival in the LAN. */
  readonly maxAgeMs: number;
  /** How long a message waits for what it must follow. */
  readonly holdMs: number;
  /** How long an origin is remembered after its last message; more than `maxAgeMs`. */
  readonly forgetMs: number;
  /** Wall-clock milliseconds of the relay's last sync, written into cursors and compared with theirs. */
  asOfMs(): number;
  /** Whether this relay, or one it gossips with, has heard of the origin within `forgetMs`. */
  known(origin: Origin): boolean;
}

/** How a reader is opened. */
export interface OpenOptions {
  readonly sink: LogSink;
  /** When its cursor was in sync, if it says so. */
  readonly asOfMs?: number | undefined;
  /** Of whom its cursor cannot say where it stands: it gets nothing of them that is there already. */
  readonly cut?: ReadonlySet<Origin>;
}

/** What became of a message: in the log or beside it, there already, or waiting. */
export type Appended = "delivered" | "duplicate" | "held";
