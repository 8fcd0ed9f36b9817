/** Levels, keys and total order by HTTP, across nodes that are processes of their own and may be killed. */
import assert from "node:assert/strict";
import { custodiansReady, metric } from "../support/node_metrics.ts";
import { freeGroupPort, type ServerProcess, startNode } from "../support/node_process.ts";
import { type Subscriber, transports } from "../support/subscribers.ts";

const GROUPS = 4;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: {
    readonly id?: string;
    readonly ack?: string;
    readonly error?: { readonly code: string; readonly message: string };
    readonly results?: readonly Answer["body"][];
  };
}

async function post(
  { url }: ServerProcess,
  target: string,
  body: string,
  headers: HeadersInit = {},
): Promise<Answer> {
  const response = await fetch(url + target, { method: "POST", body, headers });
  const retryAfter = response.headers.get("retry-after");
  return { status: response.status, retryAfter, body: await response.json() };
}

/** Repeats a publish until it is answered well; what came before must only say that it was too early. */
async function insist(node: ServerProcess, target: string, body: string): Promise<Answer> {
  for (let tries = 0;; tries++) {
    const answer = await post(node, target, body);
    if (answer.status === 200 || tries === 40) return answer;
    assert.equal(answer.status, 503, JSON.stringify(answer.body));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function withNodes(
  count: number,
  body: (nodes: readonly ServerProcess[]) => Promise<void>,
): Promise<void> {
  const cluster = ["dev", "--port", "0", "--group-port", String(freeGroupPort())];
  const nodes: ServerProcess[] = [];
  try {
    for (let n = 0; n < count; n++) {
      nodes.push(await startNode(...cluster, "--group-count", String(GROUPS)));
    }
    await custodiansReady(nodes, GROUPS);
    await body(nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  }
}

/** The node that sequences a channel: the one whose count of published messages rises. */
async function sequencerOf(
  nodes: readonly ServerProcess[],
  channel: string,
): Promise<ServerProcess> {
  const counts = () => Promise.all(nodes.map((node) => metric(node, "relay_published_total")));
  const [any] = nodes, before = await counts();
  assert.ok(any);
  await post(any, `/publish/${channel}?order=total`, "x");
  const after = await counts();
  const sequencer = nodes.find((_, n) => after[n] !== before[n]);
  assert.ok(sequencer);
  return sequencer;
}

Deno.test("a key is one message on every node, also once the node that sequenced it is killed", () =>
  withNodes(3, async (nodes) => {
    const target = "/publish/news?key=order-17", answers: Answer[] = [];
    for (const node of nodes) answers.push(await post(node, target, "x"));
    const [id] = answers.map(({ body }) => body.id);
    assert.ok(id);
    for (const { body } of answers) assert.deepEqual([body.id, body.ack], [id, "replicated"]);
    const sequencer = await sequencerOf(nodes, "news");
    await sequencer.end("SIGKILL");
    for (const node of nodes) {
      if (node === sequencer) continue;
      assert.equal((await insist(node, target, "x")).body.id, id);
      const conflict = await post(node, target, "y");
      assert.deepEqual([conflict.status, conflict.body.error?.code], [409, "key_conflict"]);
    }
  }));

Deno.test("a batch is answered per item, at its level, with keys and without", () =>
  withNodes(2, async ([a]) => {
    assert.ok(a);
    const item = (n: number) => ({
      channel: `c${n % 7}`,
      data: n,
      ...n % 3 ? {} : { key: `k${n}` },
    });
    const batch = { messages: Array.from({ length: 1000 }, (_, n) => item(n)), ack: "replicated" };
    const publish = () =>
      post(a, "/publish", JSON.stringify(batch), { "content-type": "application/json" });
    const first = (await publish()).body.results ?? [],
      second = (await publish()).body.results ?? [];
    assert.equal(first.length, 1000);
    for (const [n, { id, ack, error }] of first.entries()) {
      assert.equal(ack, "replicated", JSON.stringify(error));
      assert.equal(second[n]?.id === id, n % 3 === 0);
    }
  }));

Deno.test("total order is the same for every reader of publishers on different nodes", () =>
  withNodes(3, async (nodes) => {
    const subscribers: Subscriber[] = [];
    try {
      for (const node of nodes) {
        for (const subscribe of Object.values(transports)) {
          subscribers.push(await subscribe(node.url, "news"));
        }
      }
      await Promise.all(nodes.map(async (node, n) => {
        for (let m = 0; m < 50; m++) {
          const { body } = await post(node, "/publish/news?order=total", `${n}:${m}`);
          assert.equal(body.ack, "replicated", JSON.stringify(body));
        }
      }));
      await Promise.all(subscribers.map((subscriber) => subscriber.until(150)));
      const orders = subscribers.map(({ messages }) => messages.map(({ data }) => data));
      for (const order of orders) assert.deepEqual(order, orders[0]);
    } finally {
      await Promise.all(subscribers.map((subscriber) => subscriber.close()));
    }
  }));

Deno.test("a node whose partner is killed says 503 and when to retry, never less than was asked for", () =>
  withNodes(2, async ([a, b]) => {
    assert.ok(a && b);
    await b.end("SIGKILL");
    const { status, retryAfter, body } = await post(a, "/publish/news?ack=replicated", "x");
    assert.deepEqual([status, retryAfter, body.error?.code], [503, "1", "not_replicated"]);
    assert.match(body.error?.message ?? "", /may still arrive/);
    const less = await post(a, "/publish/news?ack=accepted", "x");
    assert.equal(less.body.ack, "accepted");
    const archived = await post(a, "/publish/news?ack=archived", "x");
    assert.deepEqual([archived.status, archived.body.error?.code], [503, "not_archived"]);
  }));
