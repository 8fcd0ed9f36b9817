import assert from "node:assert/strict";
import { ByteCounter, FrameReader, openSocket } from "../../scripts/bench/raw_socket.ts";
import { seededRandom } from "../support/random.ts";

const MARK = "~".charCodeAt(0);

/** A server's text frame (RFC 6455 §5.2). */
function frame(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text), { length } = payload;
  if (length < 126) return Uint8Array.of(0x81, length, ...payload);
  if (length < 65536) return Uint8Array.of(0x81, 126, length >> 8, length & 255, ...payload);
  return Uint8Array.of(0x81, 127, 0, 0, 0, 0, 0, length >> 16, length >> 8, length, ...payload);
}

/** Lengths of each form; 32382 has the mark in its head. */
const TEXTS = ["", "~", "ab~", `${"x".repeat(200)}~`, "~".padEnd(32_382, "y"), "z".repeat(70_000)];

Deno.test("frames are taken apart, and marks in them counted, however they come", () => {
  const bytes = Uint8Array.from(TEXTS.flatMap((text) => [...frame(text)]));
  const random = seededRandom(1);
  for (let round = 0; round < 20; round++) {
    const texts: string[] = [], reader = new FrameReader((text) => texts.push(text));
    let marks = 0;
    const counter = new ByteCounter(MARK, (times) => void (marks += times));
    for (let from = 0; from < bytes.length;) {
      const to = from + 1 + Math.floor(random() ** 4 * 30_000);
      reader.push(bytes.subarray(from, to));
      counter.push(bytes.subarray(from, to));
      from = to;
    }
    assert.deepEqual(texts, TEXTS);
    assert.equal(marks, 4);
  }
});

Deno.test("a socket by hand talks with a server, and one that is refused says why", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      if (request.headers.get("upgrade") === null) return new Response("", { status: 400 });
      if (new URL(request.url).pathname !== "/ws") return new Response("", { status: 404 });
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`${data} ${data.length}`);
      return response;
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const answers: string[] = [], done = Promise.withResolvers<void>();
  const reader = new FrameReader((text) => {
    answers.push(text);
    if (answers.length === 2) done.resolve();
  });
  const socket = await openSocket(new URL(`${url}/ws`), (bytes) => reader.push(bytes));
  await socket.send("a");
  await socket.send("b".repeat(300));
  await done.promise;
  socket.close();
  assert.deepEqual(answers, ["a 1", `${"b".repeat(300)} 300`]);
  await assert.rejects(openSocket(new URL(`${url}/other`), () => {}), /404/);
});
