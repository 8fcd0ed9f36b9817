/** The counter-examples of the model that concern a whole cluster (the others are in `protocol/log/model_test.ts`). */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import type { Ledger, Publish, Subscriber } from "../../support/cluster_ledger.ts";
import { tell } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";

async function ended(world: ClusterWorld): Promise<Ledger> {
  await world.close();
  assert.deepEqual(judge(world.ledger).map(tell), []);
  return world.ledger;
}

function heldIds({ stands }: Ledger): Set<string> {
  return new Set(stands.flatMap(({ ids }) => ids));
}

function data({ seen }: Subscriber): string[] {
  return seen.flatMap((event) => event.type === "message" ? [event.data] : []);
}

function gaps({ seen }: Subscriber): string[] {
  return seen.flatMap((event) => event.type === "gap" ? [event.reason] : []);
}

function level({ answer }: Publish): string {
  return !answer ? "none" : "level" in answer ? answer.level : answer.code;
}

/** Both ways between one machine and some others; answers how to heal that. */
function isolate(world: ClusterWorld, machine: number, others: readonly number[]): () => void {
  const heals = others.flatMap((other) => [world.cut(machine, other), world.cut(other, machine)]);
  return () => heals.forEach((heal) => heal());
}

Deno.test("10: a message that one custodian alone took survives it, because its origin keeps it", async () => {
  for (const custodian of [1, 2, 3]) {
    const world = new ClusterWorld({ seed: 10 + custodian, machines: 4 });
    await world.startAll();
    const { record } = world.subscribe(["a"], custodian);
    await world.run(15_000);
    // Nobody but one hears of it.
    const others = [1, 2, 3].filter((other) => other !== custodian);
    const heal = isolate(world, 0, others);
    const publish = world.publish(0, "a");
    await world.run(100);
    world.crash(custodian);
    await world.run(1000);
    heal();
    await world.run(9000);
    assert.deepEqual(data(record), [publish.data]);
    assert.equal(heldIds(await ended(world)).size, 1);
  }
});

Deno.test("10: whoever becomes custodian has everything before the last one lets go", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const world = new ClusterWorld({ seed, machines: 5 });
    const channels = Array.from({ length: 12 }, (_, i) => `channel ${i}`);
    for (const first of [0, 1]) world.machine(first).start();
    await world.run(12_000);
    const publishes = channels.map((channel, i) => world.publish(i % 2, channel));
    await world.run(4000);
    assert.deepEqual(new Set(publishes.map(level)), new Set(["replicated"]));
    for (const late of [2, 3, 4]) world.machine(late).start();
    await world.run(20_000);
    // With the first two go the origins, and with them whatever was not handed over.
    for (const first of [0, 1]) {
      await Promise.all([world.leave(first), world.run(5000)]);
    }
    await world.run(5000);
    const ledger = await ended(world);
    assert.equal(heldIds(ledger).size, channels.length);
  }
});

Deno.test("11: a fresh reader on a relay that is still fetching gets no history", async () => {
  const world = new ClusterWorld({ seed: 11, machines: 3 });
  world.machine(0).start();
  await world.run(1000);
  const { record: first } = world.subscribe(["a"], 0);
  await world.run(500);
  const old = Array.from({ length: 50 }, () => world.publish(0, "a").data);
  await world.run(15_000);
  assert.deepEqual(data(first), old);
  world.wires.weather = { loss: 0, slow: 1, slowMs: 900, joinMs: 0 };
  world.machine(1).start();
  await world.run(400);
  const { record: fresh } = world.subscribe(["a"], 1);
  await world.run(8000);
  const publish = world.publish(0, "a");
  await world.run(5000);
  assert.deepEqual(data(fresh), [publish.data]);
  assert.deepEqual(gaps(fresh), []);
  await ended(world);
});

Deno.test("12: who was cut off while another published and died gets it after the heal, or a gap", async () => {
  const world = new ClusterWorld({ seed: 12, machines: 4 });
  await world.startAll();
  const { record } = world.subscribe(["a"], 3);
  await world.run(15_000);
  const heal = isolate(world, 3, [0, 1, 2]);
  const published = Array.from({ length: 3 }, () => world.publish(0, "a"));
  await world.run(6000);
  world.crash(0);
  await world.run(1000);
  assert.deepEqual(data(record), []);
  heal();
  await world.run(9000);
  assert.deepEqual(published.map(level), ["replicated", "replicated", "replicated"]);
  assert.deepEqual(data(record), published.map((publish) => publish.data));
  await ended(world);
});

Deno.test("who is cut off does not take for unpublished what it cannot ask for: an answer follows it", async () => {
  const world = new ClusterWorld({ seed: 14, machines: 3 });
  await world.startAll();
  const asking = world.subscribe(["a"], 1), answering = world.subscribe(["a"], 2);
  await world.run(15_000);
  const heal = isolate(world, 2, [0, 1]);
  await world.run(4000);
  const asked = world.publish(0, "a");
  await world.run(1000);
  const answer = world.publish(2, "a", { after: asking });
  await world.run(1000);
  heal();
  await world.run(6000);
  for (const { record } of [asking, answering]) {
    assert.deepEqual(data(record), [asked.data, answer.data]);
  }
  await ended(world);
});

Deno.test("who is cut off is told that it is stale, and that it is fresh again", async () => {
  const world = new ClusterWorld({ seed: 13, machines: 3 });
  await world.startAll();
  const { record } = world.subscribe(["a"], 2);
  await world.run(15_000);
  const heal = isolate(world, 2, [0, 1]);
  await world.run(6000);
  heal();
  await world.run(6000);
  const said = record.seen.map(({ type }) => type);
  assert.deepEqual(said, ["opened", "stale", "fresh"]);
  await ended(world);
});

Deno.test("who hears a relay that neither hears nor answers it is told that it is stale", async () => {
  const world = new ClusterWorld({ seed: 14, machines: 3 });
  await world.startAll();
  const { record } = world.subscribe(["a"], 2);
  await world.run(15_000);
  const heal = world.cut(2, 0);
  await world.run(6000);
  heal();
  await world.run(6000);
  assert.deepEqual(record.seen.map(({ type }) => type), ["opened", "stale", "fresh"]);
  await ended(world);
});

Deno.test("what a relay kept while others ran on is as old as it is: nothing newer goes for it", async () => {
  const retention = { maxCount: 10, maxAgeMs: 300_000 };
  const world = new ClusterWorld({ seed: 15, machines: 3, retention, archive: "own" });
  await world.startAll();
  await world.run(15_000);
  const publish = (machine: number) =>
    Array.from({ length: 10 }, () => world.publish(machine, "a"));
  publish(0);
  await world.run(3000);
  world.crash(0);
  await world.run(5000);
  const late = publish(1);
  await world.run(20_000);
  world.machine(0).start();
  await world.run(15_000);
  const { stands } = await ended(world), [first] = stands;
  assert.equal(first?.ids.length, late.length);
  // All have what the last ten were answered.
  const ids = late.map(({ answer }) => answer && "id" in answer ? answer.id : "");
  for (const stand of stands) assert.deepEqual([...stand.ids].sort(), ids);
});
