/**
 * What the edge needs of the runtime it happens to run on. An adapter implements it; nothing else in the edge may
 * know time, chance or a socket's origin.
 *
 * @module
 */

/** A server's WebSocket, the same on every runtime. */
export interface EdgeSocket {
  /** Bytes handed to `send` that have not left the process. */
  readonly bufferedAmount: number;
  /** Sends a text frame. Without effect when the socket is not open. */
  send(text: string): void;
  /** Begins the closing handshake. Idempotent. */
  close(code: number, reason: string): void;
}

/** What a socket reports. */
export interface SocketEvents {
  /** The handshake is done. Called once, before anything else, unless it failed. */
  open(socket: EdgeSocket): void;
  /** A whole frame: its text, or undefined for a binary one. */
  frame(text: string | undefined): void;
  /** The socket is gone, or never opened. Called exactly once, and nothing after it. */
  closed(): void;
}

export interface Host {
  /** Monotonic milliseconds; the zero is arbitrary. */
  nowMs(): number;
  /** Calls `fn` once after `ms` milliseconds; the answer cancels it and may be called any number of times. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` once whatever else is due in this turn of the event loop has had its go; at most a moment later. */
  soon(fn: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** Accepts a WebSocket handshake, with the subprotocol `protocol` if one is given; the answer to it. */
  upgradeWebSocket(request: Request, protocol: string | undefined, events: SocketEvents): Response;
}

/** What a request does not say about itself. */
export interface RequestInfo {
  /** IP address of the peer; read at once or not at all, since runtimes forget it. */
  readonly remoteAddress: string;
}
