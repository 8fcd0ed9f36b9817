/**
 * Connections of subscribers, by SSE and by WebSocket: as plain as can be, so that what is noted is what came.
 *
 * @module
 */
import { blocks } from "../../support/subscribers.ts";

/** What a node says of a channel (INTERFACE, WebSocket). */
export interface Frame {
  readonly op: string;
  readonly channel: string;
  readonly [field: string]: unknown;
}

export interface LinkOptions {
  /** Of the node, without a slash at the end. */
  readonly url: string;
  readonly channels: readonly string[];
  /** Where to go on in a channel; empty: at what comes now. */
  readonly cursorOf: (channel: string) => string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Takes every frame; of a stream of several channels each cursor counts for all. */
  readonly take: (frame: Frame) => void;
}

/** Resolves when it has ended, by whomever. */
export type Link = (options: LinkOptions) => Promise<void>;

export const bySse: Link = async ({ url, channels, cursorOf, signal, take }) => {
  const query = new URLSearchParams(channels.map((channel) => ["channel", channel]));
  query.set("format", "json");
  const cursor = cursorOf(channels[0] ?? "");
  try {
    const headers = cursor ? { "last-event-id": cursor } : [];
    const response = await fetch(`${url}/sse?${query}`, { headers, signal });
    if (!response.ok || !response.body) return await response.body?.cancel();
    for await (const { id, event, data } of blocks(response.body)) {
      if (signal.aborted) return;
      if (data !== undefined) take({ op: event, ...JSON.parse(data) });
      if (id === undefined) continue;
      const op = data === undefined ? "subscribed" : "cursor";
      for (const channel of channels) take({ op, channel, cursor: id });
    }
  } catch {
    // However it ended: the subscriber comes back.
  }
};

export const byWebSocket: Link = ({ url, channels, cursorOf, signal, take }) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, "groundwave.v1");
  socket.onopen = () => {
    for (const channel of signal.aborted ? [] : channels) {
      const after = cursorOf(channel);
      socket.send(JSON.stringify({ op: "subscribe", channel, ...after ? { after } : {} }));
    }
  };
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\n")) if (!signal.aborted) take(JSON.parse(line));
  };
  socket.onclose = socket.onerror = () => resolve();
  signal.addEventListener("abort", () => {
    socket.close();
    resolve();
  });
  return promise;
};
