import assert from "node:assert/strict";
import { metric } from "../support/node_metrics.ts";
import {
  freeGroupPort,
  type ServerProcess,
  startNode,
  startServer,
} from "../support/node_process.ts";
import { lossOfAll } from "../support/pgm_faults.ts";
import type { Loss } from "../support/pgm_faults.ts";
import { type Subscriber, transports } from "../support/subscribers.ts";
import type { LossyNodeConfig } from "./lossy_node.ts";

/** Runs `body` beside two nodes of one LAN. */
async function withNodes(
  start: (groupPort: number, index: number) => Promise<ServerProcess>,
  body: (urls: readonly [string, string]) => Promise<void>,
): Promise<void> {
  const groupPort = freeGroupPort();
  const nodes = await Promise.all([start(groupPort, 0), start(groupPort, 1)]);
  try {
    const [a, b] = nodes;
    assert.ok(a && b);
    await Promise.all([ready(a.url), ready(b.url)]);
    await body([a.url, b.url]);
  } finally {
    await Promise.all(nodes.map((node) => node.end()));
  }
}

/** Resolves once a node knows who else is on the LAN. */
async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const response = await fetch(`${url}/readyz`);
    await response.body?.cancel();
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} is not ready`);
}

const lossless = (groupPort: number) =>
  startNode("dev", "--port", "0", "--group-port", String(groupPort), "--group-count", "4");

const lossy = (loss: Loss) => (groupPort: number, index: number) => {
  const config: LossyNodeConfig = { groupPort, seed: index + 1, loss };
  return startServer("tests/e2e/lossy_node.ts", JSON.stringify(config));
};

async function post(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const headers: HeadersInit = typeof body === "string"
    ? {}
    : { "content-type": "application/octet-stream" };
  const response = await fetch(`${url}/publish/news`, { method: "POST", body, headers });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer.id;
}

/** Origin and seq of an id or of an SSE cursor's message: the data says it, `<node>:<n>`. */
function check(subscriber: Subscriber, each: number): void {
  const next = new Map<string, number>();
  for (const { data } of subscriber.messages) {
    const [from = "", n] = String(data).split(":");
    assert.equal(Number(n), next.get(from) ?? 0, `${subscriber.transport}: order of ${from}`);
    next.set(from, Number(n) + 1);
  }
  assert.deepEqual([...next.values()], [each, each], subscriber.transport);
  assert.deepEqual(subscriber.others, [], subscriber.transport);
}

/** Publishes `each` messages to both nodes while every transport follows on both, and checks what came. */
async function exchange(urls: readonly [string, string], each: number): Promise<void> {
  const subscribers = await Promise.all(
    urls.flatMap((url) => Object.values(transports).map((subscribe) => subscribe(url, "news"))),
  );
  try {
    await Promise.all(urls.map(async (url, node) => {
      for (let n = 0; n < each; n++) await post(url, `${node}:${n}`);
    }));
    await Promise.all(subscribers.map((subscriber) => subscriber.until(2 * each)));
    for (const subscriber of subscribers) check(subscriber, each);
  } finally {
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
  }
}

Deno.test("10,000 messages reach every transport of both nodes, in order, each once", () =>
  withNodes(lossless, (urls) => exchange(urls, 5000)));

/** An {@link exchange} in which multicast repaired every loss itself, and no relay had to ask a peer for messages. */
async function exchangeByMulticast(urls: readonly [string, string], each: number): Promise<void> {
  await exchange(urls, each);
  for (const url of urls) {
    assert.ok(await metric({ url }, "backbone_nak_sent_total") > 0, "NAKs were sent");
    assert.equal(await metric({ url }, "relay_unrepaired_total"), 0, "not repaired");
    assert.equal(await metric({ url }, 'relay_received_total{result="held"}'), 0, "held");
  }
}

Deno.test("so they do when a tenth of all datagrams is lost, by NAKs alone", () =>
  withNodes(lossy(lossOfAll(0.1)), (urls) => exchangeByMulticast(urls, 5000)));

Deno.test("the same exchange fails when no NAK arrives", () =>
  withNodes(lossy({ ...lossOfAll(0.1), nak: 1 }), async (urls) => {
    await assert.rejects(
      exchangeByMulticast(urls, 500),
      /no more|order|not repaired|not_replicated/,
    );
  }));

Deno.test("a subscriber goes on at the other node exactly after its last id", () =>
  withNodes(lossless, async ([a, b]) => {
    for (const [name, subscribe] of Object.entries(transports)) {
      const first = await subscribe(a, "news");
      const other = await subscribe(b, "news");
      for (let n = 0; n < 20; n++) await post(n % 2 ? a : b, `${name} ${n}`);
      await Promise.all([first.until(20), other.until(20)]);
      await Promise.all([first.close(), other.close()]);
      for (let n = 20; n < 30; n++) await post(n % 2 ? a : b, `${name} ${n}`);
      // A WebSocket's cursor is the one it began with, merged with the ids that followed.
      const last = name === "ws"
        ? [first.cursor, ...first.messages.map(({ id }) => id)].join(",")
        : first.cursor;
      const second = await subscribe(b, "news", last);
      await second.until(10);
      const rest = second.messages.map(({ data }) => String(data)).toSorted();
      assert.deepEqual(rest, Array.from({ length: 10 }, (_, i) => `${name} ${20 + i}`), name);
      assert.deepEqual(second.others, [], name);
      await second.close();
    }
  }));

const MIB = 1024 * 1024;
const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);
const intact: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
  "several lines": "one\ntwo\n\nfour\n",
  "CR LF": "one\r\ntwo\rthree",
  nothing: "",
  "no bytes": new Uint8Array(),
  "leading spaces": "  two\n three",
  emoji: "🌊 and 👩‍👩‍👧 and é",
  "a NUL": "a\0b",
  "a byte order mark": "\ufefftext",
  "line separators": "a\u2028b\u2029c\u0085d",
  "what looks like SSE": "data: x\nid: 7\nevent: gap\n\n: comment",
  "1 MiB of text": "0123456789abc\né".repeat(MIB / 16),
  "every byte": everyByte,
  "1 MiB of bytes": Uint8Array.from({ length: MIB }, (_, i) => (i * 31) >> 3),
};

Deno.test("data arrives intact on every transport of both nodes", () =>
  withNodes(lossless, async (urls) => {
    const subscribers = await Promise.all(
      urls.flatMap((url) => Object.values(transports).map((subscribe) => subscribe(url, "news"))),
    );
    let count = 0;
    for (const [what, data] of Object.entries(intact)) {
      await post(urls[0], data);
      count += 1;
      for (const subscriber of subscribers) {
        await subscriber.until(count);
        const got = subscriber.messages[count - 1]?.data;
        // Raw SSE carries as bytes what its lines cannot.
        const same = typeof data === "string" && got instanceof Uint8Array
          ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(got)
          : got;
        assert.deepEqual(same, data, `${what} by ${subscriber.transport}`);
      }
    }
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
  }));
