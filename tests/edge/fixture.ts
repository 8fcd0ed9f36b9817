/**
 * An edge over an upstream, and short ways to speak to it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createEdge, type Edge, type EdgeOptions } from "../../src/edge/edge.ts";
import { denoHost, serve, type Server } from "../../src/edge/adapters/deno.ts";
import { anonymousAll } from "../../src/edge/grants.ts";
import { EventStreamParser, type StreamBlock } from "../../src/client/transports/event_stream.ts";
import type { Message } from "../../relay/protocol/message.ts";
import type { Upstream } from "../../relay/protocol/upstream.ts";
import { MemoryUpstream } from "../support/memory_upstream.ts";
import { freeLan, startTestRelay } from "../support/relays.ts";
import { FakeHost, FakeSocket, settle } from "./fake_host.ts";

export interface Fixture {
  readonly upstream: MemoryUpstream;
  readonly host: FakeHost;
  readonly edge: Edge;
  /** Asks without a network between. */
  ask(target: string, init?: RequestInit, address?: string): Promise<Response>;
  post(target: string, body?: BodyInit, headers?: Record<string, string>): Promise<Response>;
  /** Opens a WebSocket and its handshake. */
  socket(target?: string, headers?: Record<string, string>): Promise<SocketFixture>;
}

export interface SocketFixture {
  readonly socket: FakeSocket;
  /** Sends a frame; the answers that come without time passing. */
  say(...operations: unknown[]): Promise<Record<string, unknown>[]>;
  frame(text: string | undefined): Promise<Record<string, unknown>[]>;
  /** The client's end goes away. */
  leave(): void;
}

/** An edge over an upstream in memory, where time stands still. */
export function fixture(options: Partial<EdgeOptions> = {}): Fixture {
  const upstream = new MemoryUpstream(), host = new FakeHost();
  const edge = createEdge({ upstream, host, grants: anonymousAll, ...options });
  const ask: Fixture["ask"] = async (target, init, address = "192.0.2.1") =>
    await edge.fetch(new Request(`http://edge.test${target}`, init), { remoteAddress: address });
  const post: Fixture["post"] = (target, body, headers = {}) => {
    const length: Record<string, string> = typeof body === "string"
      ? { "content-length": String(new TextEncoder().encode(body).length) }
      : {};
    return ask(target, { method: "POST", body: body ?? null, headers: { ...length, ...headers } });
  };
  return {
    upstream,
    host,
    edge,
    ask,
    post,
    async socket(target = "/ws", headers = {}) {
      const response = await ask(target, { headers: { upgrade: "websocket", ...headers } });
      assert.equal(response.status, 200, await response.text());
      const socket = new FakeSocket(), events = host.upgraded?.events;
      assert.ok(events);
      let closed = false;
      const leave = () => {
        if (!closed) events.closed();
        closed = true;
      };
      socket.onClose = leave;
      events.open(socket);
      const frame = async (text: string | undefined) => {
        events.frame(text);
        await settle();
        return socket.take();
      };
      return {
        socket,
        frame,
        say: (...operations) => frame(operations.map((op) => JSON.stringify(op)).join("\n")),
        leave,
      };
    },
  };
}

/** Status and code of an answer that must be an error of the table. */
export async function errorOf(response: Response): Promise<string> {
  const text = await response.text();
  const { error } = JSON.parse(text);
  assert.equal(typeof error?.message, "string", text);
  return `${response.status} ${error.code}`;
}

/** Reads an event stream block by block. */
export class StreamReader {
  readonly #parser = new EventStreamParser();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #blocks: StreamBlock[] = [];
  /** All that came, as it came. */
  text = "";

  constructor(response: Response) {
    assert.ok(response.body);
    this.#reader = response.body.getReader();
  }

  /** The next block; undefined at the end of the stream. */
  async next(): Promise<StreamBlock | undefined> {
    while (this.#blocks.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      const text = this.#decoder.decode(value, { stream: true });
      this.text += text;
      this.#blocks.push(...this.#parser.push(text));
    }
    return this.#blocks.shift();
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** An edge on Deno's own server, on a port of the system's choice. */
export interface ServedEdge<U extends Upstream = MemoryUpstream> {
  readonly upstream: U;
  readonly server: Server;
  readonly url: string;
}

/** What an edge may stand on. */
export type OpenUpstream = () => Promise<{ upstream: Upstream; close(): Promise<void> }>;

export const UPSTREAMS: Readonly<Record<string, OpenUpstream>> = {
  memory: () => Promise.resolve({ upstream: new MemoryUpstream(), close: () => Promise.resolve() }),
  relay: () => startTestRelay(freeLan()),
};

/** Serves over an upstream in memory. */
export function served(run: (edge: ServedEdge) => Promise<void>): Promise<void> {
  const upstream = new MemoryUpstream();
  return serving(upstream, run);
}

/** Serves over any upstream, for what must hold over all of them. */
export async function servedOver(
  open: OpenUpstream,
  run: (edge: ServedEdge<Upstream>) => Promise<void>,
): Promise<void> {
  const { upstream, close } = await open();
  try {
    await serving(upstream, run);
  } finally {
    await close();
  }
}

async function serving<U extends Upstream>(
  upstream: U,
  run: (edge: ServedEdge<U>) => Promise<void>,
): Promise<void> {
  const limits = { drainMs: 10 };
  const edge = createEdge({ upstream, host: denoHost, grants: anonymousAll, limits });
  const server = await serve(edge, { hostname: "127.0.0.1", port: 0 });
  try {
    await run({ upstream, server, url: `http://127.0.0.1:${server.port}` });
  } finally {
    await server.drain();
  }
}

/** All that a test finds published on a channel. */
export async function published(upstream: MemoryUpstream, channel: string): Promise<Message[]> {
  const page = await upstream.read({ channels: [channel], start: "earliest", limit: 1000 });
  return page.events.flatMap((event) => event.type === "message" ? [event.message] : []);
}
