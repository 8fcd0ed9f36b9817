import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { subscribe } from "../../src/cli/subscribe.ts";
import { denoHost, serve } from "../../src/edge/adapters/deno.ts";
import { createEdge } from "../../src/edge/edge.ts";
import { anonymousAll, type Grants } from "../../src/edge/grants.ts";
import { MemoryUpstream } from "../support/memory_upstream.ts";
import { freeTcpPort } from "../support/redis_server.ts";
import { fakeTerminal } from "../support/terminal.ts";

/** A node whose relay is a memory, and what its requests showed as authorization. */
async function startNode() {
  const upstream = new MemoryUpstream(), authorizations: (string | null)[] = [];
  const grants: Grants = {
    of(request) {
      authorizations.push(request.headers.get("authorization"));
      return anonymousAll.of(request);
    },
  };
  const limits = { drainMs: 1 };
  const server = await serve(createEdge({ upstream, host: denoHost, grants, limits }), {
    hostname: "127.0.0.1",
    port: 0,
  });
  return {
    upstream,
    authorizations,
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.drain(),
  };
}

/** Runs `subscribe` until it was interrupted; `lines(n)` waits for so many lines of standard output. */
function follow(url: string, ...args: string[]) {
  const terminal = fakeTerminal(), { written } = terminal;
  const until = async (condition: () => boolean) => {
    for (let n = 0; !condition(); n++) {
      if (n === 2000) throw new Error(`in vain: ${JSON.stringify(written)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    terminal,
    code: subscribe.execute([url, ...args], terminal),
    until,
    async lines(n: number): Promise<string[]> {
      await until(() => written.out.split("\n").length > n);
      return written.out.trimEnd().split("\n");
    },
  };
}

const transports = ["sse", "ws"];

for (const transport of transports) {
  Deno.test(`${transport}: one channel shows its data alone`, async () => {
    await using node = await startNode();
    await node.upstream.publish({ channel: "a", data: " held " });
    const run = follow(node.url, "a", "--transport", transport, "--after", "earliest");
    await run.lines(1);
    await node.upstream.publish({ channel: "a", data: "two\nlines", event: "tick" });
    assert.deepEqual(await run.lines(3), [" held ", "two", "lines"]);
    run.terminal.interrupt();
    assert.equal(await run.code, 0);
    assert.equal(run.terminal.written.err, "");
    assert.equal(run.terminal.handlers.size, 0);
  });

  Deno.test(`${transport}: the token is shown`, async () => {
    await using node = await startNode();
    await node.upstream.publish({ channel: "a", data: "x" });
    const run = follow(node.url, "a", "--transport", transport, "--after=earliest", "--token=T");
    await run.lines(1);
    assert.deepEqual(new Set(node.authorizations), new Set(["Bearer T"]));
    run.terminal.interrupt();
    await run.code;
  });
}

Deno.test("several channels are named", async () => {
  await using node = await startNode();
  for (const channel of ["a", "b"]) await node.upstream.publish({ channel, data: channel + "!" });
  const run = follow(node.url, "a", "b", "a", "--after", "earliest");
  assert.deepEqual((await run.lines(2)).sort(), ["a: a!", "b: b!"]);
  run.terminal.interrupt();
  assert.equal(await run.code, 0);
});

Deno.test("--json shows everything, one object a line", async () => {
  await using node = await startNode();
  const { upstream } = node;
  const { id } = await upstream.publish({ channel: "a", data: "x", event: "tick" });
  await upstream.publish({ channel: "a", data: Uint8Array.of(0, 255) });
  const run = follow(node.url, "a", "--json", "--after", "earliest");
  await run.lines(2);
  upstream.emit({ type: "stale", channel: "a" });
  upstream.emit({ type: "fresh", channel: "a" });
  upstream.emit({
    type: "gap",
    channel: "a",
    reason: "lost",
    missing: [{ origin: "AAAAAAAA", from: 3, to: 4 }],
  });
  const [first, second, ...rest] = (await run.lines(5)).map((line) => JSON.parse(line));
  assert.deepEqual(first, {
    op: "message",
    id,
    channel: "a",
    data: "x",
    event: "tick",
    time: first.time,
  });
  assert.deepEqual([second.data, second.encoding], ["AP8=", "base64"]);
  assert.deepEqual(rest, [
    { op: "stale", channel: "a" },
    { op: "fresh", channel: "a" },
    { op: "gap", channel: "a", reason: "lost", missing: [{ origin: "AAAAAAAA", from: 3, to: 4 }] },
  ]);
  run.terminal.interrupt();
  assert.equal(await run.code, 0);
});

Deno.test("gaps and staleness go to standard error, away from the data", async () => {
  await using node = await startNode();
  const { upstream } = node;
  await upstream.publish({ channel: "a", data: "x" });
  const run = follow(node.url, "a", "--after", "earliest");
  await run.lines(1);
  upstream.emit({
    type: "gap",
    channel: "a",
    reason: "lost",
    missing: [{ origin: "AAAAAAAA", from: 3, to: 4 }],
  });
  upstream.emit({ type: "stale", channel: "a" });
  upstream.emit({ type: "fresh", channel: "a" });
  await run.until(() => run.terminal.written.err.includes("fresh"));
  assert.equal(run.terminal.written.err, "a: missed 2 (lost)\na: stale\na: fresh\n");
  run.terminal.interrupt();
  await run.code;
});

Deno.test("an interruption is bridged by cursor, and said", async () => {
  await using node = await startNode();
  const { upstream } = node;
  await upstream.publish({ channel: "a", data: "1" });
  const run = follow(node.url, "a", "--after", "earliest");
  await run.lines(1);
  upstream.closeAll(new GroundwaveError("unavailable", "for a moment", { retryAfterS: 0 }));
  await upstream.publish({ channel: "a", data: "2" });
  assert.deepEqual(await run.lines(2), ["1", "2"]);
  assert.match(run.terminal.written.err, /^trying again: /);
  run.terminal.interrupt();
  assert.equal(await run.code, 0);
});

for (const transport of transports) {
  Deno.test(`where nobody answers that is said, and tried again, by ${transport}`, async () => {
    const run = follow(`http://127.0.0.1:${freeTcpPort()}`, "a", "--transport", transport);
    await run.until(() => run.terminal.written.err !== "");
    assert.match(run.terminal.written.err, /^trying again: no connection\n/);
    run.terminal.interrupt();
    assert.equal(await run.code, 0);
  });
}

Deno.test("an error that trying again cannot mend ends the command", async () => {
  await using node = await startNode();
  const run = follow(node.url, "x".repeat(600));
  await assert.rejects(run.code, (error) => {
    assert(error instanceof GroundwaveError);
    assert.equal(error.code, "channel_invalid");
    return true;
  });
  assert.equal(run.terminal.handlers.size, 0);
});

Deno.test("a closed pipe ends the command", async () => {
  await using node = await startNode();
  await node.upstream.publish({ channel: "a", data: "x" });
  const terminal = fakeTerminal();
  terminal.out = () => {
    throw new Deno.errors.BrokenPipe("gone");
  };
  const code = subscribe.execute([node.url, "a", "--after", "earliest"], terminal);
  await assert.rejects(code, Deno.errors.BrokenPipe);
});
