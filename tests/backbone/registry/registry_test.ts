import { deepEqual, equal, match, ok } from "node:assert/strict";
import { QUIET_MS } from "../../../backbone/registry/moving_groups.ts";
import { type PeerVersion, Registry } from "../../../backbone/registry/registry.ts";
import { SlotGroups } from "../../../backbone/registry/slot_groups.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";
import { testGroupTable } from "./group_table_contract.ts";

const COUNT = 4;
const initial = SlotGroups.initial(COUNT), first = initial.at(1);
const second = first.moved(new Map([[0, 3]])), third = second.moved(new Map([[1, 4]]));

testGroupTable("table in a store", async (count) => {
  const { registry } = setUp(new MemoryStore(), count);
  await registry.start();
  return { table: registry.table, close: () => registry.close() };
});

function setUp(store = new MemoryStore(), count = COUNT) {
  const clock = new VirtualClock(), said: string[] = [], fetched: string[] = [];
  const published = new Map<number, number>(), peers = new Map<string, SlotGroups>();
  const registry = new Registry({
    count,
    store,
    clock,
    random: () => 0.5,
    log: (level, message, fields) => said.push(`${level} ${message} ${JSON.stringify(fields)}`),
    published: () => published,
    fetch: (origin) => {
      fetched.push(origin);
      const groups = peers.get(origin);
      return groups ? Promise.resolve(groups) : Promise.reject(new Error("it is silent"));
    },
  });
  /** Time passes in steps, and promises get their turns. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(Math.min(50, left));
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  return { clock, store, registry, said, published, peers, fetched, pass };
}

function peer(origin: string, { epoch, hash }: SlotGroups): PeerVersion {
  return { origin, epoch, hash };
}

Deno.test("the first relay writes its mapping, and the next takes it: nothing moves", async () => {
  const a = setUp(), b = setUp(a.store);
  await a.registry.start();
  await b.registry.start();
  deepEqual([a.store.held?.epoch, a.store.held?.hash], [1, first.hash]);
  deepEqual([a.registry.table.epoch, b.registry.table.epoch], [1, 1]);
  deepEqual([a.registry.table.moves, b.registry.table.moves], [0, 0]);
  await a.registry.close();
  await b.registry.close();
  ok(a.store.closed);
});

Deno.test("who comes second with the first table takes that of the first", async () => {
  const { registry, store, said, pass } = setUp();
  store.write = () => {
    store.held = second;
    return Promise.resolve(false);
  };
  await registry.start();
  deepEqual([registry.table.epoch, said], [0, []]);
  await pass(3000);
  equal(registry.table.hash, second.hash);
  await registry.close();
});

Deno.test("a store that is gone at the start leaves the static mapping; found again, it is a move", async () => {
  const store = new MemoryStore();
  store.held = second;
  store.trouble = "nothing listens there";
  const { registry, said, pass } = setUp(store);
  await registry.start();
  equal(registry.table.groupOf(0), 1);
  match(registry.trouble ?? "", /nothing listens/);
  await pass(10_000);
  equal(said.length, 1, said.join("\n"));
  match(said[0] ?? "", /^warn Redis cannot be used, slots keep their groups .*nothing listens/);
  store.trouble = "it is still loading its data";
  await pass(4000);
  equal(said.length, 2);
  store.trouble = undefined;
  await pass(4000);
  deepEqual(registry.table.groupsOf(0), [3, 1]);
  equal(registry.trouble, undefined);
  match(said.slice(2).join("\n"), /^info slots move .*"slots":1.*\ninfo Redis is used again/);
  await registry.close();
});

Deno.test("a store that hangs at the start delays it for a second", async () => {
  const store = new MemoryStore(), hanging = Promise.withResolvers<void>();
  store.held = second;
  store.hanging = hanging.promise;
  const { registry, clock } = setUp(store);
  const started = registry.start();
  clock.advance(1000);
  await started;
  equal(registry.table.epoch, 0);
  hanging.resolve();
  await registry.close();
});

Deno.test("emptied or set back, the store gets the table in use; an epoch never goes back", async () => {
  const { registry, store, pass } = setUp();
  store.held = third;
  await registry.start();
  for (const held of [undefined, second, first]) {
    store.held = held;
    await pass(3000);
    deepEqual([store.held?.epoch, registry.table.epoch], [3, 3]);
  }
  equal(registry.table.hash, third.hash);
  await registry.close();
});

Deno.test("who hears of a newer table looks at once, and asks that relay if the store does not have it", async () => {
  const { registry, store, peers, fetched, pass } = setUp();
  store.held = first;
  await registry.start();
  await pass(1000);
  const reads = store.reads;
  store.held = second;
  registry.follow([peer("A", first), peer("B", second)]);
  await pass(50);
  deepEqual([store.reads, registry.table.epoch, fetched], [reads + 1, 2, []]);

  store.trouble = "gone";
  await pass(300);
  peers.set("B", third);
  registry.follow([peer("A", first), peer("B", third)]);
  await pass(50);
  deepEqual([registry.table.hash, fetched], [third.hash, ["B"]]);
  await registry.close();
});

Deno.test("a relay that boasts of a table it does not give is asked again and again, a little", async () => {
  const { registry, store, fetched, said, pass } = setUp();
  store.held = first;
  await registry.start();
  for (let i = 0; i < 100; i++) {
    registry.follow([peer("B", third)]);
    await pass(100);
  }
  ok(fetched.length > 1 && fetched.length <= 41, `${fetched.length}`);
  equal(said.filter((line) => /it is silent/.test(line)).length, 1);
  equal(registry.trouble, undefined);
  await registry.close();
});

Deno.test("load is reported as it grows; whoever is to, moves slots", async () => {
  const { registry, store, published, pass } = setUp();
  await registry.start();
  published.set(0, 10).set(4, 5);
  await pass(13_000);
  published.set(0, 30);
  await pass(11_000);
  deepEqual(store.reports.slice(0, 2).map((report) => [...report]), [[[0, 10], [4, 5]], [[0, 20]]]);
  store.load = { ms: 10_000, messages: new Map([[0, 10_000], [4, 10_000]]) };
  await pass(11_000);
  deepEqual([registry.table.epoch, registry.table.moves, store.held?.epoch], [2, 1, 2]);
  // Nobody in view: the old group is quiet after its time.
  registry.follow([]);
  await pass(QUIET_MS);
  registry.follow([]);
  equal(registry.table.moving, 0);
  await registry.close();
});

Deno.test("who was overtaken while it planned moves nothing", async () => {
  const { registry, store, pass } = setUp();
  await registry.start();
  const busy = new Map([[0, 10_000], [4, 10_000]]);
  store.report = () => {
    store.held = second;
    return Promise.resolve({ ms: 1000, messages: busy });
  };
  await pass(12_000);
  deepEqual([store.held, registry.table.hash], [second, second.hash]);
  await registry.close();
});

Deno.test("a full store is said to be full once, and what could not be reported is reported later", async () => {
  const { registry, store, published, said, pass } = setUp();
  await registry.start();
  store.full = "it is full";
  published.set(0, 10);
  await pass(30_000);
  equal(said.filter((line) => /^warn the groups are not balanced .*full/.test(line)).length, 1);
  match(registry.trouble ?? "", /full/);
  store.full = undefined;
  published.set(0, 11);
  await pass(12_000);
  equal(registry.trouble, undefined);
  deepEqual(store.reports.map((report) => [...report]), [[[0, 11]]]);
  await registry.close();
});

Deno.test("relays that keep another table for long are told of once", async () => {
  const { registry, said, pass } = setUp();
  registry.table.adopt(second);
  await registry.start();
  const other = peer("A", SlotGroups.initial(3));
  for (let i = 0; i < 80; i++) {
    registry.follow([other]);
    await pass(1000);
  }
  equal(said.filter((line) => /--redis the same/.test(line)).length, 1);
  await registry.close();
});
