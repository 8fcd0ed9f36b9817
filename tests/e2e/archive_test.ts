/** Every node at once is killed and started again: logs and cursors go on from the archive. */
import assert from "node:assert/strict";
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
