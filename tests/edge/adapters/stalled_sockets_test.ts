/**
 * Clients that stop reading, on real sockets.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dropStalled } from "../../../src/edge/adapters/stalled_sockets.ts";

const STALLED_MS = 200;
/** Fails the test long before it would hang. */
const PATIENCE_MS = 20_000;

const UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/** Asks a server for something, and reads nothing of it until the server takes the client for `gone`. */
async function stall(
  headers: string,
  answer: (request: Request, gone: () => void) => Response,
): Promise<void> {
  const { promise: gone, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error("the connection was not dropped")), PATIENCE_MS);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => answer(request, resolve),
  );
  const { port } = server.addr;
  dropStalled(port, STALLED_MS);
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await client.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n`));
    await gone;
    await assert.rejects(readAll(client), Deno.errors.ConnectionReset);
  } finally {
    clearTimeout(late);
    client.close();
    await server.shutdown();
  }
}

async function readAll(client: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1 << 20);
  while (await client.read(buffer) !== null);
}

const linux = { ignore: Deno.build.os !== "linux" };

Deno.test("a stream whose client does not read is cancelled", linux, async () => {
  await stall("", (_, gone) => {
    const chunk = new Uint8Array(1 << 16);
    const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(chunk);
    return new Response(new ReadableStream({ pull, cancel: gone }));
  });
});

Deno.test("a WebSocket whose client does not read is closed", linux, async () => {
  await stall(UPGRADE, (request, gone) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => {
      for (let n = 0; n < 16; n++) socket.send(new Uint8Array(1 << 20));
    };
    socket.onclose = gone;
    return response;
  });
});
