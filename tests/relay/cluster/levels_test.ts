/** What publishes are promised: levels, keys and total order, over whole relays in virtual time. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import type { Publish, Subscriber } from "../../support/cluster_ledger.ts";
import { tell } from "../../support/cluster_violation.ts";
import { FAIR } from "../../support/cluster_lan.ts";
import { seeds } from "../../support/soak.ts";
import { ClusterWorld, type WorldOptions } from "../../support/cluster_world.ts";

/** Custodians are chosen and ready by then. */
const READY_MS = 8000;

async function withWorld(
  options: WorldOptions,
  body: (world: ClusterWorld) => Promise<void>,
): Promise<void> {
  const world = new ClusterWorld(options);
  await world.startAll();
  await world.run(READY_MS);
  await body(world);
  await world.run(10_000);
  await world.close();
  assert.deepEqual(judge(world.ledger).map(tell), [], `seed ${options.seed}`);
}

function said({ answer }: Publish): string {
  return !answer ? "none" : "level" in answer ? answer.level : answer.code;
}

function idOf({ answer }: Publish): string | undefined {
  return answer && "id" in answer ? answer.id : undefined;
}

/** How long the answer took, in milliseconds. */
function tookMs({ answer, atMs }: Publish): number {
  return (answer?.atMs ?? Infinity) - atMs;
}

function originOf(publish: Publish): string {
  return idOf(publish)?.slice(0, 8) ?? "";
}

function machineOf(world: ClusterWorld, origin: string): number {
  return world.machines.findIndex(({ process }) => process?.origin === origin);
}

function data({ seen }: Subscriber): string[] {
  return seen.flatMap((event) => event.type === "message" ? [event.data] : []);
}

for (const machines of [2, 3, 5]) {
  Deno.test(`among ${machines} relays every one has its messages replicated, within milliseconds`, () =>
    withWorld({ seed: machines, machines }, async (world) => {
      const publishes = world.machines.flatMap(({ number }) =>
        ["a", "b", "c", "d"].map((channel) => world.publish(number, channel))
      );
      await world.run(200);
      for (const publish of publishes) {
        assert.equal(said(publish), "replicated");
        assert.ok(tookMs(publish) < 10, `took ${tookMs(publish)} ms`);
      }
    }));
}

Deno.test("a relay alone promises `accepted`, and refuses more at once; company changes that", async () => {
  const world = new ClusterWorld({ seed: 1, machines: 2 });
  world.machine(0).start();
  await world.run(1000);
  const usual = world.publish(0, "a"), more = world.publish(0, "a", { ack: "replicated" });
  await world.run(1);
  assert.deepEqual([said(usual), said(more)], ["accepted", "not_replicated"]);
  world.machine(1).start();
  await world.run(READY_MS);
  const inCompany = world.publish(0, "a");
  await world.run(100);
  assert.equal(said(inCompany), "replicated");
  world.crash(1);
  await world.run(5000);
  const deserted = world.publish(0, "a"), less = world.publish(0, "a", { ack: "accepted" });
  await world.run(4000);
  assert.deepEqual([said(deserted), said(less)], ["not_replicated", "accepted"]);
  assert.ok(tookMs(deserted) >= 3000);
  await world.run(60_000);
  const resigned = world.publish(0, "a");
  await world.run(1);
  assert.equal(said(resigned), "accepted");
  await world.close();
});

Deno.test("what multicast does not bring is pushed, and replicated all the same", () =>
  withWorld({ seed: 2, machines: 3 }, async (world) => {
    world.wires.weather = { ...world.wires.weather, loss: 1 };
    const publishes = world.machines.map(({ number }) => world.publish(number, "a"));
    await world.run(300);
    world.wires.weather = { ...world.wires.weather, loss: 0 };
    for (const publish of publishes) {
      assert.equal(said(publish), "replicated");
      assert.ok(tookMs(publish) >= 50 && tookMs(publish) < 100, `took ${tookMs(publish)} ms`);
    }
  }));

Deno.test("who is cut off is told after 3 s that nobody confirmed, and it arrives after the heal", () =>
  withWorld({ seed: 3, machines: 4 }, async (world) => {
    const { record } = world.subscribe(["a"], 3);
    await world.run(1000);
    const others = [1, 2, 3];
    const heals = others.flatMap((other) => [world.cut(0, other), world.cut(other, 0)]);
    const publish = world.publish(0, "a"), keyed = world.publish(0, "a", { key: "k" });
    await world.run(5000);
    heals.forEach((heal) => heal());
    assert.equal(said(publish), "not_replicated");
    assert.ok(tookMs(publish) >= 3000 && tookMs(publish) < 3200, `took ${tookMs(publish)} ms`);
    await world.run(5000);
    const again = world.publish(0, "a", { key: "k", data: keyed.data });
    await world.run(2000);
    assert.equal(said(again), "replicated");
    assert.deepEqual(data(record).toSorted(), [publish.data, keyed.data].toSorted());
  }));

Deno.test("a key is one message from every relay, also after its sequencer has crashed", async () => {
  for (const seed of seeds(8, 300)) {
    await withWorld({ seed, machines: 4 }, async (world) => {
      const first = world.publish(0, "a", { key: "k" });
      const publishAll = () =>
        [0, 1, 2, 3].map((number) => world.publish(number, "a", { key: "k", data: first.data }));
      const together = publishAll();
      await world.run(500);
      assert.equal(said(first), "replicated");
      world.crash(machineOf(world, originOf(first)));
      const during = publishAll();
      await world.run(READY_MS);
      const after = publishAll();
      await world.run(5000);
      const answered = [...together, ...during, ...after].filter((publish) => idOf(publish));
      assert.ok(answered.length >= 10, `seed ${seed}: only ${answered.length} answers`);
      assert.deepEqual(new Set(answered.map(idOf)), new Set([idOf(first)]), `seed ${seed}`);
      const conflict = world.publish(after.findIndex((publish) => idOf(publish)), "a", {
        key: "k",
        data: "other",
      });
      await world.run(1000);
      assert.equal(said(conflict), "key_conflict");
      world.ledger.publishes.splice(world.ledger.publishes.indexOf(conflict), 1);
    });
  }
});

Deno.test("total order is one for all readers, also when its sequencer leaves, heard by some", async () => {
  for (const seed of seeds(8, 300)) {
    await withWorld({ seed, machines: 4 }, async (world) => {
      const readers = [0, 1, 2, 3].map((number) => world.subscribe(["a"], number).record);
      await world.run(1000);
      world.wires.weather = { loss: 0.05, slow: 0.05, slowMs: 30, joinMs: 0 };
      const publishes: Publish[] = [];
      const publish = async (count: number) => {
        for (let n = 0; n < count; n++) {
          publishes.push(world.publish(n % 4, "a", { order: "total" }));
          await world.run(20);
        }
      };
      await publish(40);
      const sequencer = machineOf(world, originOf(publishes[0] as Publish));
      world.cut(sequencer, (sequencer + 1) % 4);
      await publish(10);
      await Promise.all([world.leave(sequencer), publish(150)]);
      world.wires.weather = FAIR;
      await world.run(READY_MS);
      const origins = new Set(publishes.map(originOf).filter((origin) => origin !== ""));
      assert.equal(origins.size, 2, `seed ${seed}: one sequencer after the other`);
      agree(readers.map(data), seed);
    });
  }
});

/** Whether all have what they share in one order. */
function agree(orders: readonly (readonly string[])[], seed: number): void {
  for (const one of orders) {
    for (const other of orders) {
      const common = one.filter((text) => other.includes(text));
      assert.deepEqual(other.filter((text) => one.includes(text)), common, `seed ${seed}`);
    }
  }
}
