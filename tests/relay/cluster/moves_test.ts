/** Slots that move to other groups, and so to other custodians, under whole relays in virtual time. */
import assert from "node:assert/strict";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { judge } from "../../support/cluster_checker.ts";
import type { Publish } from "../../support/cluster_ledger.ts";
import { tell } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";
import { metric } from "../../support/relays.ts";
import { seeds } from "../../support/soak.ts";

const SLOT = slotOf("news");
/** Custodians are chosen and ready by then. */
const READY_MS = 8000;
/** Every relay has looked at the store by then, and custodians of what was moved are ready again. */
const MOVED_MS = 4000;

/** Moves the slot once, and calls `meanwhile` every 100 ms until everybody has followed. */
async function withMove(
  seed: number,
  before: (world: ClusterWorld) => Promise<void>,
  meanwhile: (world: ClusterWorld) => void,
): Promise<void> {
  const world = new ClusterWorld({ seed, machines: 5, stored: true });
  await world.startAll();
  await world.run(READY_MS);
  await before(world);
  world.tables.move(0, SLOT, 1 + world.tables.groupOf(SLOT) % 4);
  for (let ms = 0; ms < MOVED_MS; ms += 100) {
    meanwhile(world);
    await world.run(100);
  }
  await world.run(10_000);
  await world.close();
  assert.deepEqual(judge(world.ledger).map(tell), [], `seed ${seed}`);
}

Deno.test("a key stays one message while its slot moves, whoever is asked", async () => {
  for (const seed of seeds(10, 200)) {
    const publishes: Publish[] = [];
    const publish = (world: ClusterWorld, node: number) =>
      publishes.push(world.publish(node, "news", { key: "k", data: "x" }));
    await withMove(seed, async (world) => {
      publish(world, 0);
      await world.run(1000);
    }, (world) => publish(world, publishes.length % 5));
    const ids = new Set(publishes.map(({ answer }) => answer && "id" in answer ? answer.id : ""));
    assert.equal(ids.size, 1, `seed ${seed}: ${[...ids]}`);
  }
});

Deno.test("what is published while a slot moves is replicated, in that slot and beside it", async () => {
  for (const seed of seeds(10, 200)) {
    const publishes: Publish[] = [];
    await withMove(seed, async (world) => {
      for (const { number } of world.machines) world.subscribe(["news", "a", "b"], number);
      await world.run(1000);
    }, (world) => {
      for (const channel of ["news", "a", "b"]) {
        publishes.push(world.publish(publishes.length % 5, channel));
      }
    });
    const levels = new Set(
      publishes.map(({ answer }) => answer && "level" in answer && answer.level),
    );
    assert.deepEqual([...levels], ["replicated"], `seed ${seed}`);
  }
});

Deno.test("custodians of the group that gets a slot are not ready for it until they have fetched it", async () => {
  const world = new ClusterWorld({ seed: 1, machines: 5, stored: true });
  await world.startAll();
  await world.run(READY_MS);
  world.publish(0, "news");
  await world.run(1000);
  const ready = () => world.machines.map(({ relay }) => relay ? metric(relay, "custody_ready") : 0);
  const settled = ready(), fetching = new Set<number>();
  world.tables.move(0, SLOT, 1 + world.tables.groupOf(SLOT) % 4);
  for (let ms = 0; ms < MOVED_MS; ms += 2) {
    await world.run(2);
    for (const [n, groups] of ready().entries()) if (groups < (settled[n] ?? 0)) fetching.add(n);
  }
  assert.deepEqual([fetching.size, ready()], [2, settled]);
  await world.run(15_000);
  await world.close();
});
