/** The command as a user meets it: processes, signals, exit codes, and the lines that it tells one to try. */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { freeGroupPort, startNode } from "../support/node_process.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** A node in a cluster of its own. */
function startAlone(...args: string[]) {
  return startNode("dev", "--port", "0", "--group-port", String(freeGroupPort()), ...args);
}

/** A command that runs until it ends or is told to. */
function spawn(args: string[], stdin: "null" | "piped" = "null") {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", `${ROOT}src/main.ts`, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function groundwave(...args: string[]) {
  const { code, stdout, stderr } = await spawn(args).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** The lines of a stream, as they come. */
function lineReader(stream: ReadableStream<Uint8Array>) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    async next(): Promise<string> {
      while (!rest.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`ended after: ${rest}`);
        rest += value;
      }
      const line = rest.slice(0, rest.indexOf("\n"));
      rest = rest.slice(line.length + 1);
      return line;
    },
    cancel: () => reader.cancel(),
  };
}

Deno.test("--version and --help need no node", async () => {
  assert.deepEqual(await groundwave("--version"), {
    code: 0,
    out: `groundwave ${config.version}\n`,
    err: "",
  });
  const { code, out } = await groundwave("dev", "--help");
  assert.equal(code, 0);
  assert.match(out, /--port PORT +HTTP port; 0: any free one \(8000\)/);
});

Deno.test("a wrong flag is exit code 2", async () => {
  const { code, out, err } = await groundwave("dev", "--prot", "1");
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /did you mean --port\?/);
});

Deno.test("dev says where to look, and its curl lines work", async () => {
  const node = await startAlone();
  const lines = node.written.out;
  assert.match(
    lines,
    new RegExp(
      `^groundwave ${config.version.replaceAll(".", "\\.")}, node \\S+ \\(origin \\S{8}\\)`,
    ),
  );
  const port = Number(new URL(node.url).port);
  assert(port > 0);
  assert(lines.includes(`deno task dev --port ${port + 1}`));
  const [, publishUrl = ""] = /curl -d hello (\S+)/.exec(lines) ?? [];
  const [, sseUrl = ""] = /curl -N '(\S+)'/.exec(lines) ?? [];
  const stream = await fetch(sseUrl);
  assert(stream.body);
  const events = lineReader(stream.body);
  const published = await (await fetch(publishUrl, { method: "POST", body: "hello" })).json();
  assert.equal(published.channel, "news");
  while (await events.next() !== "data: hello");
  await events.cancel();
  assert.match(await (await fetch(`${node.url}/`)).text(), /<!doctype html>/i);
  await node.end();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} drains an open stream and ends with 0`, async () => {
    const node = await startAlone();
    const stream = await fetch(`${node.url}/sse?channel=a`);
    const rest = stream.text();
    const { code } = await node.end(signal);
    assert.equal(code, 0, node.written.err);
    assert.match(await rest, /draining/);
    assert.match(node.written.err, /info {2}draining.*\n(.*\n)*.*info {2}ended\n$/);
  });
}

Deno.test("a taken port is named, with the next one, and is exit code 1", async () => {
  const node = await startAlone();
  const port = Number(new URL(node.url).port);
  const second = await groundwave(
    "dev",
    "--port",
    String(port),
    "--group-port",
    String(freeGroupPort()),
  );
  assert.deepEqual([second.code, second.out], [1, ""]);
  assert.match(
    second.err,
    new RegExp(`port ${port} is taken on 127\\.0\\.0\\.1; try --port ${port + 1}\n$`),
  );
  await node.end();
});

Deno.test("a lack of descriptors ends neither the node nor its streams", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const node = await startAlone();
  const { body } = await fetch(`${node.url}/sse?channel=a`);
  assert.ok(body);
  const stream = lineReader(body);
  const args = ["--pid", String(node.pid), "--nofile=128"];
  assert.ok((await new Deno.Command("prlimit", { args }).output()).success);
  const crowd: Deno.Conn[] = [], port = Number(new URL(node.url).port);
  for (let n = 0; !node.written.err.includes("cannot accept connections"); n++) {
    assert.ok(n < 1000, node.written.err);
    const connected = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    if (connected) crowd.push(connected);
    else await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const connection of crowd) connection.close();
  const publish = () => fetch(`${node.url}/publish/a`, { method: "POST", body: "still here" });
  let answer = await publish().catch(() => undefined);
  for (let n = 0; !answer && n < 100; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = await publish().catch(() => undefined);
  }
  assert.equal((await answer?.json())?.ack, "accepted");
  while (!(await stream.next()).includes("still here"));
  await stream.cancel();
  assert.equal((await node.end()).code, 0);
});

Deno.test("groups beyond the last multicast address are exit code 2", async () => {
  const groups = ["--group-base", "239.255.255.250", "--group-count", "32"];
  const { code, err } = await groundwave("dev", "--port", "0", ...groups);
  assert.equal(code, 2);
  assert.match(
    err,
    /--group-base and --group-count: 239\.255\.255\.250 and 32 more are no groups\n/,
  );
});

Deno.test("an interface that is not this machine's is named, and is exit code 1", async () => {
  const { code, err } = await groundwave("dev", "--port", "0", "--interface", "192.0.2.1");
  assert.equal(code, 1);
  assert.match(err, /--interface 192\.0\.2\.1/);
});

/** `serve` in a cluster of its own, on loopback. */
function startServe(...args: string[]) {
  const place = ["--host", "127.0.0.1", "--interface", "127.0.0.1", "--port", "0"];
  const group = ["--group-port", String(freeGroupPort())];
  return startNode("serve", ...place, ...group, "--anonymous", "all", ...args);
}

Deno.test("serve --anonymous all serves, says where to look, and logs json when told", async () => {
  const node = await startServe("--log=json");
  assert.match(node.written.out, new RegExp(`curl -d hello ${node.url}/publish/news`));
  assert.equal((await (await fetch(`${node.url}/healthz`)).json()).status, "ok");
  await node.end();
  const entries = node.written.err.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(entries.find(({ message }) => message === "accepting")?.url, node.url);
});

Deno.test("serve takes 100 streams from one address, dev more", async () => {
  for (const [start, refused] of [[startServe, 1], [startAlone, 0]] as const) {
    const node = await start();
    const streams = await Promise.all(
      Array.from({ length: 101 }, () => fetch(`${node.url}/sse?channel=news`)),
    );
    assert.equal(streams.filter(({ status }) => status === 429).length, refused);
    await Promise.all(streams.map(({ body }) => body?.cancel()));
    await node.end();
  }
});

Deno.test("publish on one node reaches subscribe on the other, by either transport", async () => {
  const cluster = ["dev", "--port", "0", "--group-port", String(freeGroupPort())];
  const [one, other] = await Promise.all([
    startNode(...cluster, "--id", "one"),
    startNode(...cluster, "--id", "other"),
  ]);
  const followers = ["sse", "ws"].map((transport) => {
    const child = spawn([
      ...["subscribe", other.url, "news", "--after", "earliest", "--json"],
      ...["--transport", transport],
    ]);
    return { child, lines: lineReader(child.stdout), errors: new Response(child.stderr).text() };
  });
  const { code, out, err } = await groundwave("publish", one.url, "news", "hello", "--event=tick");
  assert.deepEqual([code, err], [0, ""]);
  const [id, ack] = out.trimEnd().split(" ");
  // `replicated` once the node has found the other.
  assert.match(String(ack), /^(accepted|replicated)$/);
  for (const { child, lines, errors } of followers) {
    const { time: _, ...message } = JSON.parse(await lines.next());
    assert.deepEqual(message, { op: "message", id, channel: "news", data: "hello", event: "tick" });
    child.kill("SIGINT");
    assert.equal((await child.status).code, 0);
    await lines.cancel();
    assert.equal(await errors, "");
  }
  await Promise.all([one.end(), other.end()]);
  assert.match(one.written.err, /peer joined .*id=other/);
  assert.match(other.written.err, /peer joined .*id=one/);
});

Deno.test("publish reads standard input, and shows the node's errors by code", async () => {
  const node = await startAlone();
  const child = spawn(["publish", node.url, "news"], "piped");
  const writer = child.stdin.getWriter();
  await writer.write(Uint8Array.of(0, 255));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  const [id] = new TextDecoder().decode(stdout).split(" ");
  const held = await (await fetch(`${node.url}/history?channel=news&after=earliest`)).json();
  assert.deepEqual(
    held.messages.map(({ id, data, encoding }: Record<string, string>) => [id, data, encoding]),
    [
      [id, "AP8=", "base64"],
    ],
  );
  const refused = await groundwave("publish", node.url, "news", "x", "--ack", "replicated");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^not_replicated: .+\n$/);
  const reserved = await groundwave("publish", node.url, "news", "x", "--event", "gap");
  assert.match(reserved.err, /^event_reserved: .+\n$/);
  await node.end();
});

Deno.test("subscribe survives a restart of its node and ends when its reader does", async () => {
  const group = String(freeGroupPort());
  const first = await startNode("dev", "--port", "0", "--group-port", group);
  const { port } = new URL(first.url);
  const child = spawn(["subscribe", first.url, "news", "--after", "earliest"]);
  const lines = lineReader(child.stdout), errors = new Response(child.stderr).text();
  const publish = (url: string, body: string) =>
    fetch(`${url}/publish/news`, { method: "POST", body });
  await (await publish(first.url, "before")).body?.cancel();
  assert.equal(await lines.next(), "before");
  await first.end("SIGKILL");
  const second = await startNode("dev", "--port", port, "--group-port", group);
  await (await publish(second.url, "after")).body?.cancel();
  assert.equal(await lines.next(), "after");
  await lines.cancel();
  await (await publish(second.url, "unheard")).body?.cancel();
  assert.equal((await child.status).code, 0);
  assert.match(await errors, /trying again: /);
  await second.end();
});
