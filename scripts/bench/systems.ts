/**
 * Groundwave and Socket.IO as a bench meets them: two servers of one cluster, to publish at the one and subscribe at the
 * other.
 *
 * @module
 */
import type { ServerProcess } from "../../tests/support/node_process.ts";
import { openSocket, type RawSocket } from "./raw_socket.ts";

/** Two servers of one kind. */
export interface System {
  readonly name: "groundwave" | "socket_io";
  /** Where a channel is published to by the body of a POST. */
  publishTo(channel: string): URL;
  /** Where `{"messages":[{"channel","data"},…]}` is published to. */
  readonly batchTo: URL;
  /** The same, answered when both servers hold all of it; not where that cannot be had. */
  readonly replicatedBatchTo?: URL;
  /** Subscribes at the other server by WebSocket; resolves when that stands. `take` gets the raw bytes of frames. */
  subscribe(channels: readonly string[], take: (bytes: Uint8Array) => void): Promise<RawSocket>;
  /** The data of the messages in a frame. */
  dataIn(frame: string): readonly string[];
}

type Servers = readonly [publish: ServerProcess, subscribe: ServerProcess];

export function groundwaveSystem([one, other]: Servers): System {
  return {
    name: "groundwave",
    publishTo: (channel) => new URL(`${reach(one)}/publish/${channel}?ack=accepted`),
    batchTo: new URL(`${reach(one)}/publish?ack=accepted`),
    replicatedBatchTo: new URL(`${reach(one)}/publish?ack=replicated`),
    async subscribe(channels, take) {
      const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
      const url = new URL(`${reach(other)}/ws?${query}`);
      return await joined(url, `"op":"subscribed"`, channels.length, undefined, take);
    },
    dataIn: (frame) =>
      frame.split("\n").map((line) => JSON.parse(line)).filter(({ op }) => op === "message")
        .map(({ data }) => data),
  };
}

export function socketIoSystem([one, other]: Servers): System {
  return {
    name: "socket_io",
    publishTo: (channel) => new URL(`${one.url}/publish/${channel}`),
    batchTo: new URL(`${one.url}/publish`),
    async subscribe(channels, take) {
      const query = `EIO=4&transport=websocket&channels=${channels}`;
      const url = new URL(`${other.url}/socket.io/?${query}`);
      // Engine.IO opens by itself, Socket.IO when it is asked to.
      return await joined(url, `42["joined"]`, 1, "40", take);
    },
    dataIn: (frame) => frame.startsWith(`42["message"`) ? [JSON.parse(frame.slice(2))[1]] : [],
  };
}

function reach({ url }: ServerProcess): string {
  return url.replace("localhost", "127.0.0.1");
}

/** Opens a socket and sends what it has to; resolves when the server has said `sign` so many times. */
async function joined(
  url: URL,
  sign: string,
  times: number,
  hello: string | undefined,
  take: (bytes: Uint8Array) => void,
): Promise<RawSocket> {
  const standing = Promise.withResolvers<void>(), decoder = new TextDecoder("latin1");
  let text = "", stands = false;
  const socket = await openSocket(url, (bytes) => {
    if (stands) return take(bytes);
    text += decoder.decode(bytes);
    stands = text.split(sign).length > times;
    if (stands) standing.resolve();
  });
  if (hello !== undefined) await socket.send(hello);
  await standing.promise;
  return socket;
}
