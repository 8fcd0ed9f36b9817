/** Cursors that had to leave positions out: whatever those were, nothing comes twice. */
import assert from "node:assert/strict";
import { type Cursor, parseCursor } from "../../../relay/protocol/cursor.ts";
import { judge } from "../../support/cluster_checker.ts";
import type { Kind } from "../../support/cluster_faults.ts";
import { live } from "../../support/cluster_schedule.ts";
import { tell } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";
import { seededRandom } from "../../support/random.ts";
import { seeds } from "../../support/soak.ts";

const CHANNELS = Array.from({ length: 80 }, (_, n) => `c${n}`);
const RESTARTS = 45;
/** What one crash leaves on one relay is on two again before the next. */
const BETWEEN_MS = 6000;

Deno.test("80 slots and 45 restarts: cursors do not fit, and who moves gets all of it once", async () => {
  const world = new ClusterWorld({ seed: 7, machines: 3 });
  await world.startAll();
  const moves = world.subscribe(CHANNELS, 0),
    client = world.subscribe(CHANNELS, 1, { keepsIds: true });
  await world.run(500);
  let cuts = 0;
  for (let i = 0; i < RESTARTS; i++) {
    for (const channel of CHANNELS) if (world.random() < 0.9) world.publish(0, channel);
    await world.run(300);
    world.crash(0);
    world.ledger.wholeMs.push(world.clock.nowMs() + BETWEEN_MS - 1);
    await world.run(500);
    world.machine(0).start();
    await world.run(BETWEEN_MS);
    for (const one of [moves, client]) {
      one.disconnect(100, 1 + i % 2);
      if (parseCursor(one.cursor).cut) cuts++;
    }
  }
  await world.close();
  assert.ok(cuts > 5, `${cuts} cursors did not fit`);
  assert.deepEqual(judge(world.ledger).map(tell), []);
});

/** Leaves out the positions of some, of all slots or of one. */
function cutAny(random: () => number): (cursor: Cursor) => Cursor {
  return ({ slots, asOfMs, cut: before = [] }) => {
    const origins = new Set([...slots.values()].flatMap((vector) => [...vector.keys()]));
    const cut = new Set([...before, ...[...origins].filter(() => random() < 0.4)]);
    const rest = [...slots].map(([slot, vector]) =>
      [slot, new Map([...vector].filter(([origin]) => !cut.has(origin) || random() < 0.2))] as const
    );
    return { slots: new Map(rest), asOfMs, cut };
  };
}

/** The same, without a word of it. */
function lose(random: () => number): (cursor: Cursor) => Cursor {
  return (cursor) => ({ ...cutAny(random)(cursor), cut: undefined });
}

/** What was missed is announced, and may have been promised: that is what it costs. */
async function rulesBroken(seed: number, kind: Kind, cut = cutAny): Promise<string[]> {
  const { ledger } = await live(seed, kind, cut(seededRandom(seed)));
  return judge(ledger).filter(({ rule }) => rule !== "gap over replicated").map(tell);
}

for (const kind of ["calm", "crash", "power", "leave", "failpoint"] as const) {
  Deno.test(`lives with cursors that are cut at random: ${kind}`, async () => {
    for (const seed of seeds(25, 500)) {
      assert.deepEqual(await rulesBroken(seed, kind), [], `${kind} ${seed}`);
    }
  });
}

Deno.test("a cursor that lost positions without a word makes messages come twice", async () => {
  const broken = await Promise.all([1, 2, 3].map((seed) => rulesBroken(seed, "calm", lose)));
  assert.ok(broken.flat().some((violation) => violation.startsWith("duplicate")));
});
