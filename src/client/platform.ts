/**
 * What the client needs of the machine it runs on: handed in, so that tests hand in their own.
 *
 * @module
 */

/** What a socket tells. `close` comes once, last. */
export interface SocketEvents {
  /** The handshake is done. */
  open(): void;
  /** A text frame came. */
  text(text: string): void;
  /** It is over: close code and reason. */
  close(code: number, reason: string): void;
}

/** The part of a WebSocket that the client uses. */
export interface Socket {
  /** Bytes given to `send` that have not left yet. */
  readonly bufferedAmount: number;
  /** Sends a text frame. */
  send(text: string): void;
  /** Begins the closing handshake. */
  close(): void;
}

/** The machine the client runs on. */
export interface Platform {
  /** As the global `fetch`. */
  fetch(url: URL, init?: RequestInit): Promise<Response>;
  /** Opens a WebSocket with a subprotocol. */
  openSocket(url: URL, protocol: string, events: SocketEvents): Socket;
  /** Calls `fn` once after `ms` milliseconds; the answer cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
  /** Calls `fn` whenever the machine finds itself back on a network; the answer ends that. */
  online(fn: () => void): () => void;
}

/** Browsers, workers, Deno, Bun, and Node from 22 on. */
export const webPlatform: Platform = {
  fetch: (url, init) => fetch(url, init),
  /** Opens a WebSocket with a subprotocol. */
  openSocket(url, protocol, events) {
    const socket = new WebSocket(url, protocol);
    let ended = false;
    socket.onopen = () => events.open();
    socket.onmessage = ({ data }) => {
      if (typeof data === "string" && !ended) events.text(data);
    };
    // Some runtimes report the same end twice.
    socket.onclose = ({ code, reason }) => {
      if (!ended) events.close(code, reason);
      ended = true;
    };
    return socket;
  },
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  // Node has no such events.
  online(fn) {
    globalThis.addEventListener?.("online", fn);
    return () => globalThis.removeEventListener?.("online", fn);
  },
};
