/**
 * The edge on Deno's own server: real sockets, every transport.
 *
 * @module
 */
import assert from "node:assert/strict";
import { served, type ServedEdge, servedOver, StreamReader, UPSTREAMS } from "./fixture.ts";
import type { Upstream } from "../../relay/protocol/upstream.ts";

/** Tests over each upstream what must hold over all of them. */
function over(name: string, run: (edge: ServedEdge<Upstream>) => Promise<void>): void {
  for (const [upstream, open] of Object.entries(UPSTREAMS)) {
    Deno.test(`${name}, over ${upstream}`, () => servedOver(open, run));
  }
}

const MIB = 1024 * 1024;

/** Data that has to arrive as it was sent. */
const INTACT: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
  "plain": "hello",
  "empty": "",
  "empty binary": new Uint8Array(),
  "several lines": "one\ntwo\n\nfour\n",
  "CR LF": "one\r\ntwo\r\n",
  "lone CR": "one\rtwo",
  "leading spaces": "  two spaces",
  "looks like SSE": "data: x\nid: y\n\nevent: z\n: c",
  "looks like JSON": '{"op":"ping"}\n{}',
  "emoji": "👩‍🚀🐟 größe",
  "NUL and controls": "\0\x01\x1f\x7f",
  "byte order mark": "\uFEFFmark",
  "line separators": "\u2028\u2029\u0085",
  "every byte": Uint8Array.from({ length: 256 }, (_, at) => at),
  "binary that is text": new TextEncoder().encode("text"),
  "1 MiB of text": "größe 🐟\n".repeat(MIB / 13).slice(0, MIB / 2),
  "1 MiB of binary": Uint8Array.from({ length: MIB }, (_, at) => at * 31 + (at >> 8)),
};

interface Carried {
  readonly data: string;
  readonly encoding?: string;
}

function dataOf({ data, encoding }: Carried): string | Uint8Array {
  return encoding === "base64" ? bytesOf(data) : data;
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

interface Client {
  readonly socket: WebSocket;
  /** The next line, in order. */
  next(): Promise<Record<string, unknown>>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Listens from the start: the first line may come together with the handshake. */
async function openSocket(url: string, protocol?: string): Promise<Client> {
  const socket = new WebSocket(url.replace("http", "ws"), protocol ?? []);
  const lines: Record<string, unknown>[] = [];
  const opened = Promise.withResolvers<void>(), closed = Promise.withResolvers<CloseEvent>();
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\n")) lines.push(JSON.parse(line));
    wake();
  };
  socket.onopen = () => opened.resolve();
  socket.onclose = (event) => {
    opened.resolve();
    closed.resolve(event);
    wake();
  };
  await opened.promise;
  return {
    socket,
    closed: closed.promise.then(({ code, reason }) => ({ code, reason })),
    async next() {
      while (lines.length === 0) {
        assert.notEqual(socket.readyState, WebSocket.CLOSED, "closed while waiting");
        await new Promise<void>((resolve) => wake = resolve);
      }
      return lines.shift() ?? {};
    },
  };
}

function post(url: string, data: string | Uint8Array<ArrayBuffer>): Promise<Response> {
  const type = typeof data === "string" ? "text/plain" : "application/octet-stream";
  return fetch(`${url}/publish/a`, {
    method: "POST",
    body: data,
    headers: { "content-type": type },
  });
}

over("data arrives intact over every transport", async ({ url }) => {
  const json = new StreamReader(await fetch(`${url}/sse?channel=a&format=json`));
  const raw = new StreamReader(await fetch(`${url}/sse?channel=a`));
  const { socket, next: nextLine, closed } = await openSocket(
    `${url}/ws?channel=a`,
    "groundwave.v1",
  );
  assert.equal(socket.protocol, "groundwave.v1");
  assert.equal((await nextLine()).op, "subscribed");
  let { id: after } = await json.next() ?? {};
  await raw.next();
  for (const [name, data] of Object.entries(INTACT)) {
    const response = await post(url, data);
    assert.equal(response.status, 200, name);
    await response.body?.cancel();
    const polled = await (await fetch(`${url}/poll?channel=a&after=${after}`)).json();
    after = polled.cursor;
    assert.deepEqual(polled.messages.map(dataOf), [data], `${name} by poll`);
    const line = await nextLine();
    assert.deepEqual(dataOf(line as unknown as Carried), data, `${name} by WebSocket`);
    const block = await json.next();
    assert.deepEqual(dataOf(JSON.parse(block?.data ?? "")), data, `${name} by SSE`);
    const plain = await raw.next();
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const got = plain?.event === "groundwave.base64"
      ? bytesOf(plain.data ?? "")
      : new TextEncoder().encode(plain?.data);
    assert.deepEqual(got, bytes, `${name} by raw SSE`);
  }
  socket.close();
  await closed;
  await json.cancel();
  await raw.cancel();
});

over("data published by WebSocket arrives intact", async ({ url }) => {
  const { socket, next: nextLine, closed } = await openSocket(`${url}/ws?channel=a`);
  await nextLine();
  for (const [name, data] of Object.entries(INTACT)) {
    const carried = typeof data === "string" ? { data } : {
      data: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join("")),
      encoding: "base64",
    };
    socket.send(JSON.stringify({ op: "publish", channel: "a", ...carried, ref: name }));
    const lines = [await nextLine(), await nextLine()];
    const message = lines.find(({ op }) => op === "message");
    assert.deepEqual(dataOf(message as unknown as Carried), data, name);
    assert.ok(lines.some(({ op, ref }) => op === "published" && ref === name));
  }
  socket.close();
  await closed;
});

over("the runtime's own EventSource understands the stream", async ({ url }) => {
  const source = new EventSource(`${url}/sse?channel=a`);
  await new Promise((resolve) => source.onopen = resolve);
  const events: [string, string][] = [];
  const all = new Promise<void>((resolve) => {
    const take = ({ type, data }: MessageEvent) => {
      if (events.push([type, data]) === 4) resolve();
    };
    for (const type of ["message", "tick", "groundwave.base64"]) {
      source.addEventListener(type, take);
    }
  });
  await fetch(`${url}/publish/a`, { method: "POST", body: "two\nlines" }).then(discard);
  await fetch(`${url}/publish/a?event=tick`, { method: "POST", body: " x" }).then(discard);
  await fetch(`${url}/publish/a`, { method: "POST", body: "" }).then(discard);
  await post(url, new Uint8Array([0])).then(discard);
  await all;
  source.close();
  assert.deepEqual(events, [
    ["message", "two\nlines"],
    ["tick", " x"],
    ["message", ""],
    ["groundwave.base64", "AA=="],
  ]);
});

Deno.test("readers that go away release everything", () =>
  served(async ({ url, upstream }) => {
    const abort = new AbortController();
    const stream = await fetch(`${url}/sse?channel=a`, { signal: abort.signal });
    const { socket, next: nextLine, closed } = await openSocket(`${url}/ws?channel=a`);
    await nextLine();
    const poll = fetch(`${url}/poll?channel=a`, { signal: abort.signal });
    await until(() => upstream.subscriptions === 3);
    abort.abort();
    await stream.body?.cancel().catch(() => {});
    await poll.catch(() => {});
    socket.close();
    await closed;
    await until(() => upstream.subscriptions === 0);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.equal(metrics.match(/^groundwave_edge_connections\{.*\} 0$/gm)?.length, 3);
  }));

Deno.test("a frame over the limit closes with 4513, a binary one with 4500", () =>
  served(async ({ url }) => {
    for (
      const [code, frame] of [
        [4513, "x".repeat(2 * MIB + 1)],
        [4500, new Uint8Array(3)],
        [4500, "{"],
      ] as const
    ) {
      const { socket, closed } = await openSocket(`${url}/ws`);
      socket.send(frame);
      assert.equal((await closed).code, code);
    }
  }));

Deno.test("a drain ends all streams, answers what is under way, and frees the port", () =>
  served(async ({ url, server, upstream }) => {
    const stream = new StreamReader(await fetch(`${url}/sse?channel=a`));
    const { next: nextLine, closed } = await openSocket(`${url}/ws?channel=a`);
    await nextLine();
    const gate = Promise.withResolvers<void>();
    upstream.gate = gate.promise;
    const publish = fetch(`${url}/publish/a`, { method: "POST", body: "last" });
    while ((await stream.next())?.data !== "last");
    const draining = server.drain();
    assert.equal((await stream.next())?.event, "error");
    assert.equal(await stream.next(), undefined);
    assert.deepEqual(await closed, { code: 4001, reason: "draining" });
    gate.resolve();
    assert.equal((await (await publish).json()).channel, "a");
    await draining;
    Deno.listen({ hostname: "127.0.0.1", port: server.port }).close();
  }));

async function discard(response: Response): Promise<void> {
  await response.body?.cancel();
}

/** Asks until it is so: for what the runtime does at its own time and tells nobody. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
