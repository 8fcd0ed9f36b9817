/** A relay that restarts again and again: every subscriber resumes exactly, and no cursor outgrows its limit. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import { tell } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";

const RESTARTS = 300;
/** What one crash leaves on one relay is on two again before the next. */
const BETWEEN_MS = 8000;

Deno.test("300 restarts in a row: nothing is lost, nobody is told of a gap, cursors stay within their limit", async () => {
  const world = new ClusterWorld({ seed: 5, machines: 3 });
  await world.startAll();
  const stays = world.subscribe(["a{t}", "b{t}"], 2);
  const follows = world.subscribe(["a{t}"], 0);
  await world.run(500);
  for (let i = 0; i < RESTARTS; i++) {
    world.publish(0, "a{t}", { after: follows });
    world.publish(1, "b{t}");
    await world.run(200);
    // Every origin that published stays in the vectors for a day.
    if (i % 2 === 0) world.crash(0);
    else await Promise.all([world.leave(0), world.run(4000)]);
    world.ledger.wholeMs.push(world.clock.nowMs() + BETWEEN_MS - 1);
    await world.run(500);
    world.machine(0).start();
    await world.run(BETWEEN_MS);
    if (i % 10 === 0) stays.disconnect(100, 0);
  }
  await world.close();
  assert.deepEqual(judge(world.ledger).map(tell), []);
  const seen = world.ledger.subscribers.flatMap((subscriber) => subscriber.seen);
  assert.deepEqual(seen.filter(({ type }) => type === "gap"), []);
  const longest = Math.max(
    ...seen.map((event) => event.type === "message" ? event.cursorChars : 0),
  );
  assert.ok(longest > RESTARTS * 8, `the cursor names every origin: ${longest} characters`);
  assert.equal(seen.filter(({ type }) => type === "message").length, RESTARTS * 3);
});
