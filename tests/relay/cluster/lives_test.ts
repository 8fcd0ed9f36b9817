/** Whole relays lead random lives, and break no promise. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import { type Kind, KINDS } from "../../support/cluster_faults.ts";
import { live } from "../../support/cluster_schedule.ts";
import { tell } from "../../support/cluster_violation.ts";
import { seeds } from "../../support/soak.ts";

/** Lives of one seed, one of each kind of fault. */
const LIVES = seeds(50, 500);

/** A failing life is replayed, with all that happened in it, by `REPLAY="crash 17"` and this file. */
const replay = Deno.env.get("REPLAY");

function judged(kind: Kind, all: readonly number[]): Promise<void> {
  return all.reduce(async (before, seed) => {
    await before;
    const world = await live(seed, kind);
    const violations = judge(world.ledger).map(tell);
    if (replay) console.log(world.trace.join("\n"));
    assert.deepEqual(violations, [], `REPLAY="${kind} ${seed}" shows what happened`);
  }, Promise.resolve());
}

for (const kind of KINDS) {
  const wanted = replay === undefined || replay.startsWith(`${kind} `);
  const all = replay === undefined ? LIVES : [Number(replay.slice(kind.length))];
  Deno.test({ name: `lives: ${kind}`, ignore: !wanted, fn: () => judged(kind, all) });
}

Deno.test("the same seed makes the same life, step by step", async () => {
  for (const kind of KINDS) {
    const [one, other] = [await live(7, kind), await live(7, kind)];
    assert.ok(one.trace.length > 100);
    assert.deepEqual(other.trace, one.trace);
    assert.deepEqual(other.ledger, one.ledger);
  }
});
