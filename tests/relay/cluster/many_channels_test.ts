/** Many channels of one message each: what was lost on the way is found without any later message to reveal it. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import { tell } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";

const CHANNELS = 10_000;
const EACH = 1000;

Deno.test("10,000 channels of one message each arrive through loss and a crash", async () => {
  const world = new ClusterWorld({ seed: 3, machines: 3, groupCount: 32 });
  await world.startAll();
  const channels = Array.from({ length: CHANNELS }, (_, i) => `channel ${i}`);
  for (let from = 0; from < CHANNELS; from += EACH) {
    world.subscribe(channels.slice(from, from + EACH), from / EACH % 3, { keepsIds: true });
  }
  await world.run(2000);
  world.wires.weather = { loss: 0.05, slow: 0, slowMs: 0, joinMs: 0 };
  for (let i = 0; i < CHANNELS; i++) {
    world.publish(i % 3, channels[i] ?? "");
    if (i % 10 === 0) await world.run(5);
    if (i === CHANNELS / 2) world.crash(1);
    if (i === CHANNELS * 3 / 4) world.machine(1).start();
  }
  await world.run(10_000);
  await world.close();
  const violations = judge(world.ledger).map(tell);
  assert.deepEqual(violations.slice(0, 10), [], `${violations.length} in all`);
  const got = world.ledger.subscribers.flatMap(({ seen }) => seen)
    .filter(({ type }) => type === "message").length;
  const published = world.ledger.publishes.filter(({ answer }) => answer && "id" in answer).length;
  assert.ok(published > CHANNELS * 0.7, `${published} were published`);
  assert.ok(got > published * 0.99, `${got} of ${published} arrived`);
});
