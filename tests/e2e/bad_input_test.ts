/**
 * What an operator may get wrong in a cluster, and what a stranger on the LAN may send: each has a line in the log that says
 * so, and does what the table in ARCHITECTURE.md promises. Redis in other bad states: `redis_nodes_test.ts`.
 */
import assert from "node:assert/strict";
import { openBackbone } from "../../backbone/endpoint.ts";
import { systemClock } from "../../backbone/clock.ts";
import { encodeAnnouncement } from "../../relay/protocol/announcement.ts";
import { newOrigin } from "../../relay/new_names.ts";
import { announcement } from "../support/announcement.ts";
import { eventually } from "../support/eventually.ts";
import { custodiansReady, metric } from "../support/node_metrics.ts";
import {
  freeGroupPort,
  type ServerProcess,
  startNode,
  startServer,
} from "../support/node_process.ts";
import { transports } from "../support/subscribers.ts";

const GROUPS = 4;
const TEN_MINUTES_MS = 600_000;

function args(groupPort: number, ...more: string[]): string[] {
  const groups = ["--group-port", `${groupPort}`, "--group-count", `${GROUPS}`];
  const place = ["--port", "0", "--host", "127.0.0.1", "--interface", "127.0.0.1"];
  return ["serve", "--anonymous", "all", ...place, ...groups, ...more];
}

/** Runs `body` beside nodes, and ends them. */
async function withNodes(
  starts: readonly Promise<ServerProcess>[],
  body: (...nodes: ServerProcess[]) => Promise<void>,
): Promise<void> {
  const started = await Promise.allSettled(starts);
  const nodes = started.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  try {
    for (const one of started) if (one.status === "rejected") throw one.reason;
    await body(...nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.end()));
  }
}

async function publish({ url }: ServerProcess, data: string, query = "") {
  const response = await fetch(`${url}/publish/news${query}`, { method: "POST", body: data });
  return { status: response.status, ...await response.json() };
}

async function said(node: ServerProcess, what: RegExp): Promise<void> {
  await eventually(() => what.test(node.written.err), `${what} in the log`);
}

async function originOf(node: ServerProcess): Promise<string> {
  const pattern = /origin=(?<origin>\S+) url/;
  await said(node, pattern);
  return pattern.exec(node.written.err)?.groups?.["origin"] ?? "";
}

/** Something on the LAN that announces itself as a relay would, twice a second. */
async function announcing(
  groupPort: number,
  more: Parameters<typeof announcement>[1],
): Promise<AsyncDisposable> {
  const origin = newOrigin(), { clock, random } = { clock: systemClock, random: Math.random };
  const lan = { groupBase: "239.192.7.0", groupCount: GROUPS, groupPort, interface: "127.0.0.1" };
  const backbone = await openBackbone({ ...lan, origin, clock, random, warn: () => {} }, {
    message: () => {},
    lost: () => {},
    acknowledged: () => {},
  });
  const say = () => void backbone.send(0, encodeAnnouncement(announcement(origin, more)));
  const timer = setInterval(say, 500);
  say();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await backbone.close();
    },
  };
}

Deno.test("two nodes of one id: both say so, and work as two", () => {
  const groupPort = freeGroupPort();
  const start = () => startNode(...args(groupPort, "--id", "twin"));
  return withNodes([start(), start()], async (a, b) => {
    await custodiansReady([a, b], GROUPS);
    for (const node of [a, b]) await said(node, /warn .*two relays have one id: give each its own/);
    for (const [n, node] of [a, b].entries()) {
      const { status, ack } = await publish(node, "x", `?key=${n}`);
      assert.deepEqual([status, ack], [200, "replicated"]);
    }
    const { id } = await publish(b, "x", "?key=0");
    assert.equal(id, (await publish(a, "x", "?key=0")).id);
  });
});

for (const keyed of [true, false]) {
  Deno.test(`clocks ten minutes apart ${keyed ? "with" : "without"} a group key: both say so, nothing is lost`, async () => {
    const key = await Deno.makeTempFile(), groupPort = freeGroupPort();
    await Deno.writeTextFile(key, `1:${"ab".repeat(32)}`);
    const flags = args(groupPort, ...keyed ? ["--group-key-file", key] : []);
    const late = startServer("tests/e2e/skewed_node.ts", `${-TEN_MINUTES_MS}`, ...flags);
    try {
      await withNodes([startNode(...flags), late], async (a, b) => {
        await custodiansReady([a, b], GROUPS);
        for (const node of [a, b]) await said(node, /warn .*clocks are apart/);
        const subscribe = transports["sse raw"];
        assert.ok(subscribe);
        const first = await subscribe(a.url, "news");
        for (const [n, node] of [a, b, a, b].entries()) {
          assert.equal((await publish(node, `${n}`)).ack, "replicated");
        }
        await first.until(4);
        await first.close();
        assert.equal((await publish(b, "4")).ack, "replicated");
        // The cursor is of ten minutes from now.
        const second = await subscribe(b.url, "news", first.cursor);
        await second.until(1);
        assert.deepEqual([second.messages.map(({ data }) => data), second.others], [["4"], []]);
        await second.close();
      });
    } finally {
      await Deno.remove(key);
    }
  });
}

Deno.test("a relay of another version or region is named; another version is not there, and harms nobody", () => {
  const groupPort = freeGroupPort();
  return withNodes([startNode(...args(groupPort))], async (node) => {
    await using _ = await announcing(groupPort, { version: 99, ready: [1, 2, 3, 4] });
    await said(node, /warn .*relay of another version.*version=99/);
    assert.equal(await metric(node, "relay_peers"), 0);
    assert.deepEqual((await publish(node, "x")).ack, "accepted");
    await using __ = await announcing(groupPort, { region: "moon" });
    await said(node, /warn .*relay of another region.*region=moon/);
  });
});

Deno.test("nobody without the key is a custodian, whatever it announces: its group stays unreplicated", async () => {
  const key = await Deno.makeTempFile(), groupPort = freeGroupPort();
  await Deno.writeTextFile(key, `1:${"ab".repeat(32)}`);
  try {
    await withNodes([startNode(...args(groupPort, "--group-key-file", key))], async (node) => {
      const origin = await originOf(node), ready = [1, 2, 3, 4];
      await using _ = await announcing(groupPort, { ready, holds: ready, hears: [origin] });
      const refused = "backbone_dropped_unauthenticated_total";
      await eventually(async () => await metric(node, refused) > 3, "the packets to be refused");
      assert.equal(await metric(node, "relay_peers"), 0);
      await said(node, /warn .*packets without the group key are dropped: has a node none/);
      const { status, error } = await publish(node, "x", "?ack=replicated");
      assert.deepEqual([status, error.code], [503, "not_replicated"]);
    });
  } finally {
    await Deno.remove(key);
  }
});

Deno.test("nodes of different keys, or one without: each says so, and is as if alone", async () => {
  const dir = await Deno.makeTempDir(), groupPort = freeGroupPort();
  const keyFile = async (name: string, text: string) => {
    await Deno.writeTextFile(`${dir}/${name}`, text);
    return ["--group-key-file", `${dir}/${name}`];
  };
  const one = await keyFile("one", `1:${"ab".repeat(32)}`);
  const same = await keyFile("same", `1:${"cd".repeat(32)}`);
  const other = await keyFile("other", `2:${"ab".repeat(32)}`);
  const starts = [one, same, other, []].map((flags) => startNode(...args(groupPort, ...flags)));
  try {
    await withNodes(starts, async (...nodes) => {
      const [a, b, c, none] = nodes;
      assert.ok(a && b && c && none);
      await said(none, /warn .*others on the LAN have a group key and this relay has none/);
      for (const node of [a, b, c]) {
        await said(node, /warn .*packets without the group key are dropped/);
        await said(node, /warn .*packets of another group key are dropped|is another are dropped/);
      }
      await said(a, /warn .*the same number and is another are dropped/);
      for (const node of nodes) {
        assert.equal(await metric(node, "relay_peers"), 0);
        assert.equal((await publish(node, "x")).ack, "accepted");
      }
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("without a key a relay that only says that it is ready makes no publish `replicated`, and is named when it cannot be reached", () => {
  const groupPort = freeGroupPort();
  return withNodes([startNode(...args(groupPort))], async (node) => {
    const origin = await originOf(node), ready = [1, 2, 3, 4];
    await using _ = await announcing(groupPort, { ready, holds: ready, hears: [origin] });
    await eventually(async () => await metric(node, "relay_peers") === 1, "the liar in view");
    const { status, error } = await publish(node, "x", "?ack=replicated");
    assert.deepEqual([status, error.code], [503, "not_replicated"]);
    await said(node, /warn .*is heard, but cannot be reached by TCP/);
    assert.equal((await publish(node, "y", "?ack=accepted")).status, 200);
  });
});

/** What stands where Redis should. */
const NO_REDIS: Readonly<Record<string, string>> = {
  "speaks HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n",
  "speaks garbage": "\x00\xff\x13\r\n*9999999\r\n",
  "answers errors": "-ERR not today\r\n".repeat(100),
  "wants a password": "-NOAUTH Authentication required.\r\n".repeat(100),
};

for (const [what, answer] of Object.entries(NO_REDIS)) {
  Deno.test(`a Redis that ${what} is said to be none to use, once, and the node serves`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const conns = new Set<Deno.Conn>();
    const serving = (async () => {
      for await (const conn of listener) {
        conns.add(conn);
        await conn.write(new TextEncoder().encode(answer)).catch(() => {});
      }
    })();
    const redis = `redis://:secret@127.0.0.1:${listener.addr.port}`;
    try {
      await withNodes([startNode(...args(freeGroupPort(), "--redis", redis))], async (node) => {
        await said(node, /warn .*Redis cannot be used, slots keep their groups/);
        assert.equal(await metric(node, "redis_up"), 0);
        const health = async () => await (await fetch(`${node.url}/readyz`)).json();
        await eventually(async () => (await health()).status === "ready", "readiness all the same");
        const { notes } = await health();
        assert.match(notes.join(), /^Redis: /);
        assert.equal((await publish(node, "x")).status, 200);
        assert.doesNotMatch(node.written.err, /secret/);
        assert.equal(node.written.err.match(/Redis cannot be used/g)?.length, 1, node.written.err);
      });
    } finally {
      listener.close();
      await serving;
      for (const conn of conns) conn.close();
    }
  });
}
