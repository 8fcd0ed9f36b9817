import assert from "node:assert/strict";
import { systemClock } from "../../../backbone/clock.ts";
import { parseRedisUrl } from "../../../backbone/registry/redis_url.ts";
import { ArchiveTrouble } from "../../../relay/archives/archive_store.ts";
import { RedisStreams } from "../../../relay/archives/redis_streams.ts";
import { redisTest, startRedis, startRedisCluster } from "../../support/redis_server.ts";
import { A } from "../../support/slot_log.ts";
import { testArchiveStore } from "./archive_store_contract.ts";

function storeOf(url: string, cluster = "test"): RedisStreams {
  return new RedisStreams({ url: parseRedisUrl(url), cluster, clock: systemClock });
}

testArchiveStore(
  (name, body) => redisTest(`Redis: ${name}`, body),
  async () => {
    const redis = await startRedis();
    const open = () => storeOf(`redis://${redis.address}`);
    return { open, [Symbol.asyncDispose]: () => redis.stop() };
  },
);

redisTest("Redis Cluster: slots are spread over its nodes", async () => {
  await using cluster = await startRedisCluster();
  const url = `redis+cluster://${cluster.servers.map(({ address }) => address).join(",")}`;
  const store = storeOf(url), other = storeOf(url, "another");
  await store.open();
  const vector = new Map([[A, 1]]);
  const slots = Array.from({ length: 64 }, (_, slot) => slot);
  const updates = slots.map((slot) => ({
    slot,
    base: new Map(),
    messages: [],
    vector,
    forgotten: [],
  }));
  assert.deepEqual(await store.write(updates, 0), slots.map(() => vector));
  await store.close();
  const again = storeOf(url);
  await again.open();
  assert.deepEqual((await Array.fromAsync(again.slots())).map(({ slot }) => slot), slots);
  await again.close();
  // Clusters of relays that share a Redis do not see each other's.
  await other.open();
  assert.deepEqual(await Array.fromAsync(other.slots()), []);
  await other.close();
});

redisTest("what is wrong with Redis is said in an operator's words", async () => {
  const redis = await startRedis(["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
  const store = storeOf(`redis://${redis.address}`);
  await store.open();
  const full = store.write([{
    slot: 1,
    base: new Map(),
    messages: [],
    vector: new Map(),
    forgotten: [],
  }], 0);
  await assert.rejects(
    full,
    (error) => error instanceof ArchiveTrouble && /it is full/.test(error.message),
  );
  await redis.stop();
  await assert.rejects(store.standings([1]), /nothing listens there|hung up/);
  await store.close();
});

redisTest("a Redis that drops keys when it is full is a risk, and says so", async () => {
  await using redis = await startRedis(["--maxmemory-policy", "volatile-lru"]);
  const store = storeOf(`redis://${redis.address}`);
  assert.equal((await store.open()).risk, undefined);
  await redis.cli("config", "set", "maxmemory", "100mb");
  assert.match((await store.open()).risk ?? "", /to noeviction, not volatile-lru/);
  await redis.cli("config", "set", "maxmemory-policy", "noeviction");
  assert.equal((await store.open()).risk, undefined);
  await store.close();
});

redisTest("the clock of an archive in Redis is that of the relay that is ahead", async () => {
  await using redis = await startRedis();
  const store = storeOf(`redis://${redis.address}`);
  await store.open();
  await store.remember(new Map(), 0, 9000, 1000);
  await store.remember(new Map(), 0, 9500, 2000);
  const { writtenMs, keptMs } = await store.open();
  assert.deepEqual([writtenMs, keptMs], [9500, 8000]);
  await store.close();
});

/** Two relays' stores, each with a slot of its own that is listed. */
async function pairOf(address: string) {
  const pair = [1, 2].map((slot) => {
    const store = storeOf(`redis://${address}`);
    const write = (seq: number) => {
      const base = new Map(seq > 1 ? [[A, seq - 1]] : []), vector = new Map([[A, seq]]);
      return store.write([{ slot, base, messages: [], vector, forgotten: [] }], 0);
    };
    return { store, write, remember: () => store.remember(new Map(), 0, 0, 0) };
  });
  for (const { store, write, remember } of pair) {
    await store.open();
    await write(1);
    await remember();
  }
  const [one, other] = pair;
  assert.ok(one && other);
  return { one, other };
}

redisTest(
  "a Redis that was emptied is noticed by all, though others have filled it since",
  async () => {
    await using redis = await startRedis();
    const { one, other } = await pairOf(redis.address);
    await redis.cli("flushall");
    await assert.rejects(other.remember(), /it was emptied/);
    await other.write(1);
    await assert.rejects(one.remember(), /it was emptied/);
    for (const { store, remember } of [one, other]) {
      await remember();
      await store.close();
    }
  },
);

redisTest(
  "a Redis that was emptied while a relay began is noticed by it, though others have filled it",
  async () => {
    await using redis = await startRedis();
    const { one, other } = await pairOf(redis.address);
    const late = storeOf(`redis://${redis.address}`);
    await late.open();
    await Array.fromAsync(late.slots());
    await redis.cli("flushall");
    for (const { remember, write } of [one, other]) {
      await assert.rejects(remember(), /it was emptied/);
      await write(1);
    }
    await assert.rejects(late.remember(new Map(), 0, 0, 0), /it was emptied/);
    for (const { store } of [one, other, { store: late }]) await store.close();
  },
);

redisTest("a slot that Redis has lost is listed again by whoever writes it anew", async () => {
  await using redis = await startRedis();
  const { one, other } = await pairOf(redis.address);
  const keys = (await redis.cli("keys", "*:1}:*")).split("\n").filter((key) => key !== "");
  await redis.cli("del", ...keys);
  await redis.cli("srem", "{groundwave:test}:archive:slots", "1");
  assert.deepEqual(await one.write(2), [new Map()]);
  await one.write(1);
  const kept = await Array.fromAsync(other.store.slots());
  assert.deepEqual(kept.map(({ slot }) => slot), [1, 2]);
  for (const { store } of [one, other]) await store.close();
});

redisTest("a Redis that was emptied under way is noticed", async () => {
  await using redis = await startRedis();
  const store = storeOf(`redis://${redis.address}`);
  await store.open();
  const update = {
    slot: 1,
    base: new Map(),
    messages: [],
    vector: new Map([[A, 1]]),
    forgotten: [],
  };
  await store.write([update], 0);
  await store.remember(new Map(), 0, 0, 0);
  await redis.cli("flushall");
  await assert.rejects(store.remember(new Map(), 0, 0, 0), /it was emptied/);
  await store.remember(new Map(), 0, 0, 0);
  await store.close();
});
