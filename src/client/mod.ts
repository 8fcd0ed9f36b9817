/**
 * The Groundwave client for browsers, workers, Deno, Bun and Node: subscribe and publish, over WebSocket, Server-Sent
 * Events or long poll, whichever gets through. After an interruption it goes on exactly after the last message, on any
 * relay; what could not be had is announced as a gap.
 *
 * A relay serves it as one module at `/client.js`.
 *
 * @example
 * ```html
 * <script type="module">
 *   import { connect } from "http://localhost:8000/client.js";
 *
 *   const client = connect("http://localhost:8000");
 *   client.subscribe("news", (message) => console.log(message.data));
 *   await client.publish("news", "hello");
 * </script>
 * ```
 *
 * @module
 */
export { Client, connect } from "./client.ts";
export type { ConnectOptions, Data, PublishOptions } from "./client.ts";
export type { ConnectionState } from "./connection.ts";
export type { Platform, Socket, SocketEvents } from "./platform.ts";
export { Subscription } from "./subscription.ts";
export type {
  Gap,
  Message,
  MessageHandler,
  SubscribeOptions,
  SubscriptionState,
} from "./subscription.ts";
export type { TransportName } from "./transports/transport.ts";
export { ERRORS, GroundwaveError } from "../../relay/protocol/errors.ts";
export type { ErrorBody, ErrorClass, ErrorCode } from "../../relay/protocol/errors.ts";
export type { Origin, Range, Seq } from "../../relay/protocol/message.ts";
export type { AckLevel, GapReason, Published } from "../../relay/protocol/upstream.ts";
