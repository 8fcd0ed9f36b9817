/** Requests as no client library makes them, over real sockets. */
import assert from "node:assert/strict";
import { served } from "./fixture.ts";

const MIB = 1024 * 1024;

Deno.test("a target without a path is answered by the table", () =>
  served(async ({ server: { port } }) => {
    for (const target of ["CONNECT h:80", "GET http://h?channel=/sse"]) {
      const answer = await talk(port, `${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1.1 40[45] .*\{"error":\{"code":/s, target);
    }
  }));

Deno.test("a Host that is none does not choose the route", () =>
  served(async ({ server: { port } }) => {
    for (const host of ["a/sse?channel=b", "a?", "a#b", "a\\b", "a b", "a\tb"]) {
      const answer = await talk(
        port,
        `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        "}}",
      );
      assert.match(answer, /^HTTP\/1.1 400 /, host);
    }
    for (const host of ["a", "a:1", "[::1]:8000"]) {
      const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      assert.match(await talk(port, request), /^HTTP\/1.1 200 /, host);
    }
  }));

Deno.test("raw targets keep dot segments, and raw UTF-8 is taken", () =>
  served(async ({ server }) => {
    const channels: [string, string][] = [
      ["/publish/a/../b", "a/../b"],
      ["/publish/%2e%2e/x", "../x"],
      ["/publish/..", ".."],
      ["/publish/é", "é"],
      ["/publish//", "/"],
    ];
    for (const [target, channel] of channels) {
      const text = await talk(
        server.port,
        `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`,
      );
      assert.equal(JSON.parse(text.split("\r\n\r\n")[1] ?? "").channel, channel);
    }
  }));

Deno.test("a body over the limit is refused from its header, and one that grows while it grows", () =>
  served(async ({ server }) => {
    const declared = await talk(
      server.port,
      `POST /publish/a HTTP/1.1\r\nHost: x\r\nContent-Length: ${MIB + 1}\r\n\r\n`,
      "too_large",
    );
    assert.match(declared, /^HTTP\/1\.1 413 /);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    const growing = await talk(
      server.port,
      `POST /publish/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${
        chunk.repeat(20)
      }`,
      "too_large",
    );
    assert.match(growing, /^HTTP\/1\.1 413 /);
  }));

/** Sends `request` as it is; the answer up to its end, or to where `last` appears. */
async function talk(port: number, request: string, last?: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const writing = (async () => {
    const bytes = new TextEncoder().encode(request);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  })().catch(() => {}); // the server may hang up before it has read everything
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
    if (last && text.includes(last)) break;
  }
  await writing;
  connection.close();
  return text;
}
