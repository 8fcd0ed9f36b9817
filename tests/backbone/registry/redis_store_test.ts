import { deepEqual, doesNotMatch, equal, match, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../backbone/clock.ts";
import { RedisStore } from "../../../backbone/registry/redis_store.ts";
import { parseRedisUrl } from "../../../backbone/registry/redis_url.ts";
import { SlotGroups } from "../../../backbone/registry/slot_groups.ts";
import { StoreTrouble } from "../../../backbone/registry/table_store.ts";
import { eventually } from "../../support/eventually.ts";
import {
  freeTcpPort,
  type RedisServer,
  redisTest,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
} from "../../support/redis_server.ts";

const COUNT = 4;
const initial = SlotGroups.initial(COUNT), first = initial.at(1);
const second = first.moved(new Map([[0, 3]]));

function storeOf(url: string): RedisStore & Disposable {
  const options = { url: parseRedisUrl(url), cluster: "test", count: COUNT, clock: systemClock };
  const store = new RedisStore(options);
  return Object.assign(store, { [Symbol.dispose]: () => store.close() });
}

/** Why a store cannot be read. */
async function trouble(store: RedisStore): Promise<string> {
  let said = "";
  await rejects(store.read(initial), (error) => {
    ok(error instanceof StoreTrouble, String(error));
    doesNotMatch(error.message, /secret/);
    said = error.message;
    return true;
  });
  return said;
}

function isLess(groups: SlotGroups): boolean {
  return groups.hash < second.hash;
}

async function keepsTables(url: string): Promise<void> {
  using store = storeOf(url), other = storeOf(url);
  equal(await store.read(initial), undefined);
  deepEqual(await Promise.all([store.write(first), other.write(first)]).then((won) => won.sort()), [
    false,
    true,
  ]);
  equal(await store.read(first), first);
  const read = await other.read(initial);
  deepEqual([read?.epoch, read?.hash, read?.entries], [1, first.hash, first.entries]);
  equal(await store.write(second, initial.at(7)), false, "another is held");
  equal(await store.write(second, first), true);
  equal(await other.write(first), false, "it is older");
  equal(await other.write(second), false, "it is held");
  equal(await other.write(second.moved(new Map()), { epoch: 2, hash: first.hash }), false, "base");
  const rivals = Array.from({ length: 16 }, (_, slot) => {
    return first.moved(new Map([[slot, 1 + (slot + 1) % COUNT]]));
  });
  const [lower, higher] = [rivals.find(isLess), rivals.find((rival) => !isLess(rival))];
  ok(lower && higher);
  equal(await other.write(lower), false, "of two with one epoch the one with the lower hash");
  equal(await other.write(higher), true, "the one with the higher hash");
  equal((await store.read(initial))?.hash, higher.hash);
}

async function balancesOnce(url: string): Promise<void> {
  using store = storeOf(url), other = storeOf(url);
  equal(await store.report(new Map([[7, 100]]), 60_000), undefined, "a window begins");
  equal(await other.report(new Map([[7, 1], [9, 5]]), 60_000), undefined);
  await new Promise((resolve) => setTimeout(resolve, 2));
  const loads = await Promise.all([store, other].map((one) => one.report(new Map([[9, 1]]), 1)));
  const load = loads.find((load) => load !== undefined);
  ok(load && load.ms >= 1);
  ok(loads.includes(undefined) || loads.every((load) => load && load.ms >= 1));
  equal(load.messages.get(7), 101);
}

redisTest(
  "one server: tables are written once, by the newest; a window of load ends for one",
  async () => {
    await using redis = await startRedis();
    await keepsTables(`redis://${redis.address}`);
    await balancesOnce(`redis://${redis.address}/1`);
  },
);

redisTest("a Cluster of three masters: the same, from whichever node is named", async () => {
  await using cluster = await startRedisCluster();
  for (const [i, server] of cluster.servers.entries()) {
    const url = `redis+cluster://127.0.0.1:${freeTcpPort()},${server.address}`;
    if (i === 0) await keepsTables(url);
    else equal((await readOnce(url))?.epoch, 2);
  }
  await balancesOnce(`redis+cluster://${cluster.servers.map(({ address }) => address).join()}`);
  const alone = await Promise.allSettled(
    cluster.servers.map(({ address }) => readOnce(`redis://${address}`)),
  );
  const refused = alone.filter((result) => result.status === "rejected");
  deepEqual(refused.map((result) => /redis\+cluster/.test(result.reason)), [true, true]);
});

async function readOnce(url: string): Promise<SlotGroups | undefined> {
  using store = storeOf(url);
  return await store.read(initial);
}

redisTest("sentinels: the same, and the promoted replica takes over", async () => {
  await using set = await startRedisSentinel();
  const { master, replica, sentinel } = set.servers;
  const url = `redis+sentinel://${sentinel.address}/mymaster`;
  await keepsTables(url);
  using store = storeOf(url);
  equal((await store.read(initial))?.epoch, 2);
  await eventually(async () => (await replica.cli("dbsize")) === "1");
  using direct = storeOf(`redis://${replica.address}`);
  await rejects(direct.write(second.at(3)), /replica/);
  await master.stop();
  await eventually(() => store.write(second.at(3)).catch(() => false), "the failover");
  equal((await store.read(initial))?.epoch, 3);
  using misnamed = storeOf(`redis+sentinel://${sentinel.address}/other`);
  match(await trouble(misnamed), /no master/);
});

redisTest("what cannot be dialled or does not let us in says why, in words of ours", async () => {
  await using open = await startRedis(), closed = await startRedis(["--requirepass", "right"]);
  const nobody = freeTcpPort();
  const cases: [string, RegExp][] = [
    [`redis://127.0.0.1:${nobody}`, /nothing listens/],
    [`redis+cluster://127.0.0.1:${nobody}`, /./],
    [`redis+sentinel://127.0.0.1:${nobody}/m`, /./],
    ["redis://no-such-host.invalid", /name is not known/],
    [`redis://${closed.address}`, /wants a password/],
    [`redis://:secret@${closed.address}`, /does not take/],
    [`redis://secret:right@${closed.address}`, /does not take/],
    [`redis://${open.address}/99`, /out of range/],
    [`redis+cluster://${open.address}`, /no Cluster/],
    [`redis+sentinel://${open.address}/m`, /./],
    [`rediss://${open.address}`, /./],
  ];
  for (const [url, says] of cases) {
    using store = storeOf(url);
    match(await trouble(store), says, url);
  }
  using right = storeOf(`redis://:right@${closed.address}`);
  equal(await right.read(initial), undefined);
});

redisTest("a server that hangs is given up in time, and used again when it goes on", async () => {
  await using redis = await startRedis();
  using store = storeOf(`redis://${redis.address}`), late = storeOf(`redis://${redis.address}`);
  await store.write(first);
  redis.signal("SIGSTOP");
  match(await trouble(store), /no answer/);
  match(await trouble(late), /no answer/);
  redis.signal("SIGCONT");
  equal((await store.read(initial))?.epoch, 1);
});

redisTest("one that answers garbage, or hangs up, is no Redis", async () => {
  const answers = [
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "",
    "$99999999999\r\n",
    "\0".repeat(100_000),
  ];
  for (const answer of answers) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = serveJunk(listener, new TextEncoder().encode(answer));
    for (const form of ["redis://H", "redis+cluster://H", "redis+sentinel://H/m"]) {
      using store = storeOf(form.replace("H", `127.0.0.1:${listener.addr.port}`));
      ok((await trouble(store)).length > 0, answer);
    }
    listener.close();
    await served;
  }
});

async function serveJunk(listener: Deno.TcpListener, answer: Uint8Array): Promise<void> {
  const serve = async (conn: Deno.TcpConn) => {
    try {
      await conn.read(new Uint8Array(1024));
      if (answer.length > 0) {
        await conn.write(answer);
        while (await conn.read(new Uint8Array(1024)) !== null);
      }
    } catch {
      // The other side hung up first.
    } finally {
      conn.close();
    }
  };
  const serving: Promise<void>[] = [];
  try {
    for await (const conn of listener) serving.push(serve(conn));
  } catch {
    // It was closed.
  }
  await Promise.all(serving);
}

redisTest("a table that is none is left alone, and said to be none", async () => {
  await using redis = await startRedis();
  using store = storeOf(`redis://${redis.address}`);
  const { key } = store;
  const damage: [(redis: RedisServer) => Promise<unknown>, RegExp][] = [
    [(redis) => redis.cli("set", key, "x"), /name of one of our keys/],
    [(redis) => redis.cli("hset", key, "epoch", "x"), /epoch/],
    [(redis) => redis.cli("hset", key, "epoch", "1", "hash", "00000000"), /0 bytes/],
    [
      (redis) => redis.cli("hset", key, "epoch", "1", "hash", "0", "entries", "\x01".repeat(32768)),
      /slot 0 is in group 257/,
    ],
  ];
  for (const [spoil, says] of damage) {
    await redis.cli("del", key);
    await spoil(redis);
    match(await trouble(store), says);
  }
  await redis.cli("del", key);
  await store.write(first);
  await redis.cli("hset", key, "hash", "00000000");
  match(await trouble(store), /hash.*DEL/);
});

redisTest("a full server can be read", async () => {
  await using redis = await startRedis();
  using store = storeOf(`redis://${redis.address}`);
  await store.write(first);
  await redis.cli("config", "set", "maxmemory", "1");
  equal((await store.read(initial))?.epoch, 1);
  await rejects(store.write(second), /full/);
  await rejects(store.report(new Map([[1, 1]]), 1000), /full/);
});
