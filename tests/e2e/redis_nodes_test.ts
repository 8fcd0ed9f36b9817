/** Nodes whose table is in a real Redis, while slots move and while Redis is in any state. */
import assert from "node:assert/strict";
import { systemClock } from "../../backbone/clock.ts";
import { RedisStore } from "../../backbone/registry/redis_store.ts";
import { parseRedisUrl } from "../../backbone/registry/redis_url.ts";
import { SlotGroups } from "../../backbone/registry/slot_groups.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { eventually } from "../support/eventually.ts";
import { metric } from "../support/node_metrics.ts";
import { freeGroupPort, type ServerProcess, startNode } from "../support/node_process.ts";
import { freeTcpPort, type RedisServer, redisTest, startRedis } from "../support/redis_server.ts";
import { transports } from "../support/subscribers.ts";

const GROUPS = 4;
const SLOT = slotOf("news");

/** A node of one LAN. */
function start(groupPort: number, redis: string): Promise<ServerProcess> {
  const place = ["--port", "0", "--host", "127.0.0.1", "--interface", "127.0.0.1"];
  const groups = ["--group-port", `${groupPort}`, "--group-count", `${GROUPS}`];
  return startNode("serve", ...place, ...groups, "--anonymous", "all", "--redis", redis);
}

/** Two nodes that have found each other and keep what they hear. */
async function withNodes(
  redis: string,
  body: (a: ServerProcess, b: ServerProcess, groupPort: number) => Promise<void>,
): Promise<void> {
  const groupPort = freeGroupPort();
  const nodes = await Promise.all([start(groupPort, redis), start(groupPort, redis)]);
  try {
    const [a, b] = nodes;
    assert.ok(a && b);
    for (const { url } of nodes) {
      await eventually(async () => await metric({ url }, "relay_peers") === 1, "the other node");
      await eventually(async () => (await readyz(url)).status === "ready", "readiness");
    }
    await body(a, b, groupPort);
  } finally {
    await Promise.all(nodes.map((node) => node.end()));
  }
}

async function readyz(url: string): Promise<{ status: string; notes?: string[] }> {
  return await (await fetch(`${url}/readyz`)).json();
}

async function publish(url: string, data: string): Promise<void> {
  const response = await fetch(`${url}/publish/news`, { method: "POST", body: data });
  assert.equal(response.status, 200, await response.text());
}

/** Moves the slot of the test's channel to the next group, as the balance would; answers the new table. */
async function move(redis: string, groupPort: number): Promise<SlotGroups> {
  const cluster = `239.192.7.0:${groupPort}`, url = parseRedisUrl(redis);
  const store = new RedisStore({ url, cluster, count: GROUPS, clock: systemClock });
  try {
    const held = await store.read(SlotGroups.initial(GROUPS));
    assert.ok(held);
    const next = held.moved(new Map([[SLOT, 1 + held.groupOf(SLOT) % GROUPS]]));
    assert.ok(await store.write(next, held));
    return next;
  } finally {
    store.close();
  }
}

redisTest(
  "messages published all along while their slot moves and moves again arrive once and in order",
  async () => {
    await using redis = await startRedis();
    const url = `redis://${redis.address}`;
    await withNodes(url, async (a, b, groupPort) => {
      const subscribed = transports["sse raw"];
      assert.ok(subscribed);
      const subscriber = await subscribed(b.url, "news");
      let published = 0, moving = true;
      const publishing = (async () => {
        for (; moving; published++) await publish(a.url, `${published}`);
      })();
      for (let epoch = 2; epoch <= 5; epoch++) {
        assert.equal((await move(url, groupPort)).epoch, epoch);
        for (const node of [a, b]) {
          await eventually(async () => await metric(node, "table_epoch") === epoch, "the move");
        }
      }
      moving = false;
      await publishing;
      await subscriber.until(published);
      const expected = Array.from({ length: published }, (_, i) => `${i}`);
      assert.deepEqual(subscriber.messages.map(({ data }) => data), expected);
      assert.deepEqual(subscriber.others, []);
      await subscriber.close();
      assert.equal(await metric(a, "table_moves_total"), 4);
      assert.match(b.written.err, /slots move to other groups .*epoch=5/);
    });
  },
);

redisTest(
  "Redis gone, hanging, set back or restarted empty: messages pass, an operator is told, the table is written back",
  async () => {
    const first = await startRedis();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => first.stop());
    const url = `redis://${first.address}`;
    await withNodes(url, async (a, b, groupPort) => {
      const subscribe = transports["sse raw"];
      assert.ok(subscribe);
      const subscriber = await subscribe(b.url, "news");
      await move(url, groupPort);
      for (const node of [a, b]) {
        await eventually(async () => await metric(node, "table_epoch") === 2, "the move");
      }
      let sent = 0;
      const passes = async () => {
        for (let i = 0; i < 20; i++) await publish(a.url, `${sent++}`);
        await subscriber.until(sent);
      };
      const isDown = async () =>
        await metric(a, "redis_up") === 0 && await metric(b, "redis_up") === 0;
      const isUp = async () =>
        await metric(a, "redis_up") === 1 && await metric(b, "redis_up") === 1;

      first.signal("SIGSTOP");
      await passes();
      await eventually(isDown, "the nodes to see that Redis hangs");
      assert.match((await readyz(a.url)).notes?.join() ?? "", /^Redis: no answer within/);
      await passes();
      first.signal("SIGCONT");
      await eventually(isUp, "the nodes to see that Redis goes on");

      await first.cli("save");
      await move(url, groupPort);
      for (const node of [a, b]) {
        await eventually(async () => await metric(node, "table_epoch") === 3, "the move");
      }
      const writtenBack = async (redis: RedisServer) => {
        const key = `{groundwave:239.192.7.0:${groupPort}}:groups`;
        await eventually(async () => await redis.cli("hget", key, "epoch") === "3", "the table");
        await eventually(isUp, "the nodes to use that Redis");
        await passes();
      };
      const old = stack.use(await first.restart());
      await writtenBack(old);
      await old.cli("flushall");
      await old.cli("save");
      const empty = stack.use(await old.restart());
      await writtenBack(empty);
      assert.equal(await metric(b, "table_moves_total"), 2);

      await empty.stop();
      await eventually(isDown, "the nodes to see that Redis is gone");
      await passes();
      await eventually(async () => {
        const { status, notes } = await readyz(b.url);
        return status === "ready" && notes?.join() === "Redis: nothing listens there";
      }, "the detail");
      assert.deepEqual(subscriber.others, []);
      assert.equal(subscriber.messages.length, sent);
      await subscriber.close();
      assert.match(a.written.err, /Redis cannot be used, slots keep their groups/);
      assert.match(a.written.err + b.written.err, /the table of groups was written to Redis/);
    });
  },
);

redisTest(
  "a node that starts without Redis serves, and takes the table of the others from them",
  async () => {
    const redis = await startRedis();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => redis.stop());
    const url = `redis://:secret@${redis.address}`;
    await withNodes(`redis://${redis.address}`, async (a, _b, groupPort) => {
      const moved = await move(`redis://${redis.address}`, groupPort);
      await eventually(async () => await metric(a, "table_epoch") === moved.epoch, "the move");
      await redis.stop();
      const late = await start(groupPort, url);
      try {
        await eventually(
          async () => await metric(late, "table_epoch") === moved.epoch,
          "a peer",
        );
        assert.equal(await metric(late, "redis_up"), 0);
        assert.match(late.written.err, /Redis cannot be used.*nothing listens there/);
        assert.doesNotMatch(late.written.err, /secret/);
      } finally {
        await late.end();
      }
    });
  },
);

redisTest(
  "a table outside the pool, a server that is full or no Redis at all: said once, the table in use stays",
  async () => {
    await using redis = await startRedis();
    const groupPort = freeGroupPort(), key = `{groundwave:239.192.7.0:${groupPort}}:groups`;
    await redis.cli("hset", key, "epoch", "9", "hash", "0", "entries", "\x01".repeat(32_768));
    const node = await start(groupPort, `redis://${redis.address}`);
    try {
      await eventually(async () => await metric(node, "redis_up") === 0, "the trouble");
      assert.match(node.written.err, /slot 0 is in group 257.*--group-count/);
      await publish(node.url, "x");
      await redis.cli("del", key);
      await redis.cli("config", "set", "maxmemory", "1");
      await eventually(() => /it is full: raise its maxmemory/.test(node.written.err), "the log");
      await publish(node.url, "y");
      await redis.cli("config", "set", "maxmemory", "0");
      await eventually(async () => await metric(node, "redis_up") === 1, "the end of it");
      assert.equal(node.written.err.match(/Redis cannot be used/g)?.length, 2, node.written.err);
      assert.match(node.written.err, /Redis is used again/);
    } finally {
      await node.end();
    }
  },
);

redisTest("a URL that is none ends a node at once; one that leads nowhere does not", async () => {
  await assert.rejects(start(freeGroupPort(), "redis://u:secret@h:0"), (error) => {
    assert.match(String(error), /code 2.*--redis: this value is not allowed; give redis:/s);
    assert.doesNotMatch(String(error), /secret/);
    return true;
  });
  const node = await start(freeGroupPort(), `redis://127.0.0.1:${freeTcpPort()}`);
  await publish(node.url, "x");
  assert.equal((await node.end()).code, 0);
});
