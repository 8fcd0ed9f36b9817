/**
 * The reader of one channel on a WebSocket.
 *
 * @module
 */
import type { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Sink, StreamEvent, Subscription } from "../../relay/protocol/upstream.ts";
import type { Ref } from "./schema.ts";

/** What a reader needs of its connection. */
export interface Reading {
  /** Gives an event to the socket. False: no more for now. */
  deliver(event: StreamEvent): boolean;
  /** The subscription ended from the relay's side. */
  end(error: GroundwaveError): void;
}

/** One channel's reader. */
export class SocketReader implements Sink {
  subscription: Subscription | undefined;
  /** Whether it was unsubscribed. Before it had its subscription, that answered its `ref` as well. */
  dropped = false;

  constructor(readonly connection: Reading, readonly ref: Ref | undefined) {}

  event(event: StreamEvent): boolean {
    return this.connection.deliver(event);
  }

  closed(error: GroundwaveError): void {
    this.connection.end(error);
  }
}
