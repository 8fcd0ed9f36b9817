/**
 * The edge on Deno: its clock, its WebSockets, its server.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Edge } from "../edge.ts";
import type { EdgeSocket, Host, RequestInfo, SocketEvents } from "../host.ts";
import { Listener, type ListenerOptions } from "./listener.ts";

/** After so many seconds without a sign of life a WebSocket is dropped; half of it brings a ping. */
const SOCKET_IDLE_S = 30;
/** How long a stopping server waits for answers that are under way. */
const STOP_MS = 1500;

export const denoHost: Host = {
  nowMs: () => performance.now(),
  after(ms, fn) {
    const id = setTimeout(fn, ms);
    return () => clearTimeout(id);
  },
  soon: (fn) => void setImmediate(fn),
  random: () => Math.random(),
  upgradeWebSocket(request, protocol, events) {
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: SOCKET_IDLE_S,
      ...protocol !== undefined && { protocol },
    });
    connect(socket, events);
    return response;
  },
};

function connect(socket: WebSocket, events: SocketEvents): void {
  const edgeSocket: EdgeSocket = {
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close(code, reason) {
      if (socket.readyState <= WebSocket.OPEN) socket.close(code, reason);
    },
  };
  let closed = false; // after an idle timeout Deno reports the end twice
  socket.onopen = () => events.open(edgeSocket);
  socket.onmessage = ({ data }) => {
    if (!closed) events.frame(typeof data === "string" ? data : undefined);
  };
  socket.onclose = () => {
    if (closed) return;
    closed = true;
    events.closed();
  };
}

export interface Server {
  readonly hostname: string;
  /** The port that is really listened on. */
  readonly port: number;
  /**
   * Ends streams in waves, lets answers under way finish, then stops. Bounded in time: what hangs then hangs until the
   * process exits. Idempotent.
   */
  drain(): Promise<void>;
}

/** Serves `edge` over HTTP/1.1. @throws {Deno.errors.AddrInUse} if the port is taken. */
export function serve(edge: Edge, options: ListenerOptions): Promise<Server> {
  const listener = new Listener(
    options,
    (request, info) => edge.fetch(request, new ConnectionInfo(info)),
  );
  const stop = async () => {
    await edge.drain();
    // It waits for whoever does not read its answer, for ever.
    await new Promise<void>((resolve) => {
      const cancel = denoHost.after(STOP_MS, resolve);
      void listener.stop().then(cancel).then(resolve);
    });
  };
  let stopping: Promise<void> | undefined;
  const { hostname, port } = listener.address;
  return Promise.resolve({ hostname, port, drain: () => stopping ??= stop() });
}

/** Looks the address up only for whom it matters. */
class ConnectionInfo implements RequestInfo {
  readonly #info: Deno.ServeHandlerInfo;

  constructor(info: Deno.ServeHandlerInfo) {
    this.#info = info;
  }

  get remoteAddress(): string {
    const address = this.#info.remoteAddr;
    return "hostname" in address ? address.hostname : "";
  }
}
