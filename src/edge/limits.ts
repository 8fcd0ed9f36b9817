/**
 * The bounds of the public interface (INTERFACE "Limits") that are the edge's own; those of names, data and cursors are
 * everybody's and stand in `relay/protocol`.
 *
 * @module
 */

export interface Limits {
  /** Bytes of one WebSocket frame in. */
  readonly frameBytes: number;
  /** Operations of one WebSocket frame in. */
  readonly frameOperations: number;
  /** Faulty operations of one frame that are answered; with the last of them the connection ends. */
  readonly frameErrors: number;
  /** Messages of one batch. */
  readonly batchMessages: number;
  /** Bytes of one batch's body. */
  readonly batchBytes: number;
  /** Bytes of all request bodies that are held at one time. */
  readonly bodiesBytes: number;
  /** How long a request body may take to arrive. */
  readonly bodyMs: number;
  /** Channels of one connection. */
  readonly channels: number;
  /** Streams of all kinds (SSE, WebSocket, waiting polls) of this process. */
  readonly connections: number;
  /** Streams from one remote address. */
  readonly connectionsPerAddress: number;
  /** Publishes of one WebSocket that are not answered yet. */
  readonly publishesInFlight: number;
  /** Bytes of messages in one answer to a poll or a look into history. */
  readonly pageBytes: number;
  /** Messages in one such answer. */
  readonly pageMessages: number;
  /** Bytes queued for an SSE reader before its subscription rests. */
  readonly sseBytes: number;
  /** Bytes queued for a WebSocket before its subscriptions rest. */
  readonly socketBytes: number;
  /** Silence after which an SSE reader gets a comment and its cursor. */
  readonly keepAliveMs: number;
  /** How often a WebSocket is told the cursors of its channels; at least every 10 min. */
  readonly cursorMs: number;
  /** How long a reader may take nothing before it is closed as slow. */
  readonly slowReaderMs: number;
  /** Over how long a drain spreads the end of its streams. */
  readonly drainMs: number;
}

const KIB = 1024, MIB = 1024 * KIB, MINUTE_MS = 60_000;

export const DEFAULT_LIMITS: Limits = {
  frameBytes: 2 * MIB,
  frameOperations: 1000,
  frameErrors: 100,
  batchMessages: 1000,
  batchBytes: 8 * MIB,
  bodiesBytes: 128 * MIB,
  bodyMs: 30_000,
  channels: 1000,
  connections: 20_000,
  connectionsPerAddress: Infinity,
  publishesInFlight: 1000,
  pageBytes: 8 * MIB,
  pageMessages: 1000,
  sseBytes: MIB,
  socketBytes: MIB,
  keepAliveMs: 15_000,
  cursorMs: 5 * MINUTE_MS,
  slowReaderMs: 10_000,
  drainMs: 2000,
};
