import assert from "node:assert/strict";
import { run } from "../../src/cli/program.ts";
import { fakeTerminal, type Surroundings } from "../support/terminal.ts";

interface Seen {
  readonly path: string;
  readonly query: Record<string, string>;
  readonly type: string | null;
  readonly authorization: string | null;
  readonly body: Uint8Array;
}

/** Publishes to a node that gives `answer`; tells what it saw. */
async function publish(
  args: string[],
  {
    answer = () => Response.json({ id: "AAAAAAAA.1.1", channel: "a", ack: "accepted" }),
    base = "",
    ...rest
  }:
    & Surroundings
    & { answer?: () => Response; base?: string } = {},
) {
  const seen: Seen[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      seen.push({
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        type: request.headers.get("content-type"),
        authorization: request.headers.get("authorization"),
        body: await request.bytes(),
      });
      return answer();
    },
  );
  const terminal = fakeTerminal(rest);
  const code = await run(
    ["publish", `http://127.0.0.1:${server.addr.port}${base}`, ...args],
    terminal,
  );
  return { code, ...terminal.written, seen };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("data, channel and options arrive as given", async () => {
  const options = ["--event", "tïck", "--ack=accepted", "--key", "k 1", "--after", "AAAAAAAA.1.1"];
  const { code, out, seen } = await publish(["a/../ü", " x\r\n", ...options, "--token", "T"]);
  assert.deepEqual([code, out], [0, "AAAAAAAA.1.1 accepted\n"]);
  assert.deepEqual(seen, [{
    path: "/publish",
    query: { channel: "a/../ü", event: "tïck", ack: "accepted", key: "k 1", after: "AAAAAAAA.1.1" },
    type: "text/plain; charset=utf-8",
    authorization: "Bearer T",
    body: bytes(" x\r\n"),
  }]);
});

Deno.test("empty data is data; a base path is kept", async () => {
  const { seen } = await publish(["a", ""], { base: "/relay/?x=1", input: bytes("not this") });
  assert.deepEqual([seen[0]?.path, seen[0]?.body.length], ["/relay/publish", 0]);
});

Deno.test("standard input is text if it can be, else binary", async () => {
  const text = await publish(["a"], { input: bytes("\ufeffé") });
  assert.deepEqual([text.seen[0]?.type, text.seen[0]?.body], [
    "text/plain; charset=utf-8",
    bytes("\ufeffé"),
  ]);
  const binary = await publish(["a", "-"], { input: Uint8Array.of(0, 255) });
  assert.deepEqual(binary.seen[0]?.type, "application/octet-stream");
  assert.deepEqual(binary.seen[0]?.body, Uint8Array.of(0, 255));
});

Deno.test("what the node refuses is shown as code and message", async () => {
  const body = { error: { code: "not_replicated", message: "no custodian is ready" } };
  const { code, out, err } = await publish(["a", "x"], {
    answer: () => Response.json(body, { status: 503 }),
  });
  assert.deepEqual([code, out, err], [1, "", "not_replicated: no custodian is ready\n"]);
});

Deno.test("an answer that no node gives is said to be one", async () => {
  for (
    const answer of [
      () => new Response("<html>", { status: 404 }),
      () => new Response("ok"),
      () => Response.json({ error: { code: "toString", message: "x" } }, { status: 400 }),
    ]
  ) {
    const { code, err } = await publish(["a", "x"], { answer });
    assert.equal(code, 1);
    assert.match(err, /is this a Groundwave node\?\n$/);
  }
});

Deno.test("nobody there is a failure in one line", async () => {
  const terminal = fakeTerminal();
  assert.equal(await run(["publish", "http://127.0.0.1:1", "a", "x"], terminal), 1);
  assert.match(terminal.written.err, /^no answer from http:\/\/127\.0\.0\.1:1: .*\n$/);
});
