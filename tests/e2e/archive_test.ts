/** Every node at once is killed and started again: logs and cursors go on from the archive. */
import assert from "node:assert/strict";
import { amount } from "../support/soak.ts";
import { startRedis } from "../support/redis_server.ts";
import { freeGroupPort, type ServerProcess, startNode } from "../support/node_process.ts";

interface Page {
  readonly messages: readonly { readonly id: string; readonly data: string }[];
  readonly cursor: string;
  readonly gap?: unknown;
}

/** Nodes that keep archives at `places`, in turn. */
async function startAll(places: readonly string[], more: readonly string[]) {
  const nodes: ServerProcess[] = [];
  try {
    for (const place of places) {
      const archive = ["--archive", place, ...more];
      const address = ["--host", "127.0.0.1", "--interface", "127.0.0.1", "--port", "0"];
      nodes.push(await startNode("serve", "--anonymous", "all", ...address, ...archive));
    }
  } catch (error) {
    await killAll(nodes);
    throw error;
  }
  return nodes;
}

async function killAll(nodes: readonly ServerProcess[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.end("SIGKILL")));
}

async function publish({ url }: ServerProcess, target: string, data: string): Promise<string> {
  const response = await fetch(`${url}/publish/${target}`, { method: "POST", body: data });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body.id;
}

async function history({ url }: ServerProcess, query: string): Promise<Page> {
  const response = await fetch(`${url}/history?channel=news&${query}`);
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
}

/** The messages after a cursor, none of them missing, once there are as many: what one node has, others fetch soon. */
async function exactly(
  node: ServerProcess,
  query: string,
  count: number,
): Promise<readonly string[]> {
  for (let tries = 0;; tries++) {
    const { messages, gap } = await history(node, query);
    assert.equal(gap, undefined);
    if (messages.length >= count || tries === 200) return messages.map(({ data }) => data).sort();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function goesOn(places: readonly string[], more: readonly string[]): Promise<void> {
  const cluster = [...more, "--group-port", `${freeGroupPort()}`, "--group-count", "4"];
  let nodes = await startAll(places, cluster);
  try {
    const [a, b] = nodes;
    assert.ok(a && b);
    const empty = await history(b, "after=earliest");
    await publish(a, "news?ack=archived", "1");
    await publish(b, "news?ack=archived", "2");
    assert.deepEqual(await exactly(a, "after=earliest", 2), ["1", "2"]);
    const { cursor } = await history(a, "after=earliest");
    assert.deepEqual(await exactly(b, `after=${cursor}`, 0), []);
    const keyed = await publish(b, "news?ack=archived&key=k", "3");
    const before = await publish(a, "news?ack=archived", "4");
    await killAll(nodes);

    nodes = await startAll(places, cluster);
    const [c, d] = nodes;
    assert.ok(c && d);
    for (const node of nodes) {
      assert.deepEqual(await exactly(node, `after=${cursor}`, 2), ["3", "4"]);
      assert.deepEqual(await exactly(node, "after=earliest", 4), ["1", "2", "3", "4"]);
      // A cursor that names relays which published nothing before it.
      assert.equal((await exactly(node, `after=${empty.cursor}`, 4)).length, 4);
    }
    const id = await publish(d, "news?ack=archived", "5");
    assert.match(id, /\.1$/);
    assert.notEqual(id.slice(0, 8), before.slice(0, 8));
    assert.deepEqual(await exactly(c, `after=${cursor}`, 3), ["3", "4", "5"]);
    // The key is known from the archive.
    assert.equal(await publish(c, "news?ack=archived&key=k", "3"), keyed);
  } finally {
    await killAll(nodes);
  }
}

Deno.test("two nodes with files of SQLite are killed at once: cursors go on exactly", async () => {
  const dir = await Deno.makeTempDir({ prefix: "groundwave-archive-" });
  try {
    await goesOn([`sqlite:${dir}/a.db`, `sqlite:${dir}/b.db`], []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** The library lets go of its sockets some milliseconds after it was told to; here it runs in the nodes alone. */
Deno.test("two nodes that share an archive in Redis are killed at once: cursors go on exactly", async () => {
  await using redis = await startRedis();
  await goesOn(["redis", "redis"], ["--redis", `redis://${redis.address}`]);
});

/** What a publish is answered: the level reached, or the error's code. */
async function answer({ url }: ServerProcess, target: string): Promise<string> {
  const response = await fetch(`${url}/publish/${target}`, { method: "POST", body: "x" });
  const { ack, error } = await response.json();
  if (response.status !== 200) assert.ok(response.headers.get("retry-after"));
  return ack ?? error.code;
}

async function metrics({ url }: ServerProcess): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** Repeats a publish until it is answered so. */
async function until(node: ServerProcess, target: string, expected: string): Promise<void> {
  for (let tries = 0; await answer(node, target) !== expected; tries++) {
    assert.ok(tries < 200, `never ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test("a Redis that hangs costs archived publishes alone; one that is back empty gets all that is held", async () => {
  await using first = await startRedis();
  const cluster = ["--redis", `redis://${first.address}`, "--group-port", `${freeGroupPort()}`];
  let nodes = await startAll(["redis"], cluster);
  try {
    const [node] = nodes;
    assert.ok(node);
    await publish(node, "news?ack=archived", "1");
    first.signal("SIGSTOP");
    await until(node, "other?ack=archived", "not_archived");
    assert.equal(await answer(node, "news?ack=accepted"), "accepted");
    const ready = await (await fetch(`${node.url}/readyz`)).text();
    assert.match(ready, /archive: /);
    assert.match(await metrics(node), /^groundwave_archive_up 0$/m);
    await using _second = await first.restart();
    await until(node, "other?ack=archived", "archived");
    assert.match(node.written.err, /the archive is written again/);
    const held = await exactly(node, "after=earliest", 2);
    while (!/^groundwave_archive_slots_due 0$/m.test(await metrics(node)));
    await killAll(nodes);
    nodes = await startAll(["redis"], cluster);
    const [next] = nodes;
    assert.ok(next);
    assert.deepEqual(await exactly(next, "after=earliest", held.length), held);
  } finally {
    await killAll(nodes);
  }
});

Deno.test("a place that cannot be an archive ends the start with a line that says why", async () => {
  const path = await Deno.makeTempFile({ prefix: "groundwave-archive-" });
  try {
    await Deno.writeTextFile(path, "dear diary ".repeat(1000));
    const group = ["--group-port", `${freeGroupPort()}`];
    await assert.rejects(startAll([`sqlite:${path}`], group), /--archive.*no archive, or damaged/);
    await assert.rejects(startAll(["redis"], group), /--archive redis: needs --redis/);
    await assert.rejects(startAll(["floppy"], group), /redis, or sqlite: and the path of a file/);
  } finally {
    await Deno.remove(path);
  }
});

/** Publishes until the node is gone, and notes the ids that are answered as archived. */
async function publishAll({ url }: ServerProcess, writer: number, kept: string[]): Promise<void> {
  for (let n = 0;; n++) {
    try {
      const target = `${url}/publish/news?ack=archived`;
      const response = await fetch(target, { method: "POST", body: `${writer}.${n}` });
      const { id } = await response.json();
      if (response.status === 200) kept.push(id);
    } catch {
      return;
    }
  }
}

/** Kills a node at any moment, again and again: it has whatever it has answered as archived. */
async function keepsItsWord(place: string, more: readonly string[]): Promise<void> {
  const cluster = [...more, "--group-port", `${freeGroupPort()}`], kept: string[] = [];
  let nodes: readonly ServerProcess[] = [];
  try {
    for (let round = 0; round < amount(3, 30); round++) {
      nodes = await startAll([place], cluster);
      const [node] = nodes;
      assert.ok(node);
      const { messages, gap } = await history(node, "after=earliest&limit=1000");
      assert.equal(gap, undefined);
      const there = new Set(messages.map(({ id }) => id));
      // What retention has dropped is the oldest.
      assert.deepEqual(kept.slice(-500).filter((id) => !there.has(id)), []);
      const writers = Array.from({ length: 8 }, (_, writer) => publishAll(node, writer, kept));
      await until(node, "other?ack=archived", "archived");
      await new Promise((resolve) => setTimeout(resolve, 100 * round));
      await killAll(nodes);
      await Promise.all(writers);
    }
    assert.ok(kept.length > 0);
  } finally {
    await killAll(nodes);
  }
}

Deno.test("killed at any moment, a node has in its file whatever it has answered as archived", async () => {
  const dir = await Deno.makeTempDir({ prefix: "groundwave-archive-" });
  try {
    await keepsItsWord(`sqlite:${dir}/a.db`, []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("killed at any moment, a node has in Redis whatever it has answered as archived", async () => {
  await using redis = await startRedis();
  await keepsItsWord("redis", ["--redis", `redis://${redis.address}`]);
});
