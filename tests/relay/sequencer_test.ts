import assert from "node:assert/strict";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { AckLevel } from "../../relay/protocol/upstream.ts";
import { codeOf, type Name, originOf, World } from "../support/sequencers.ts";
import { A, B, C } from "../support/slot_log.ts";

Deno.test("a key and a total order go to the first ready custodian, anything else goes nowhere", async () => {
  const world = new World();
  assert.equal(originOf(await world.publish(A, {})), A);
  assert.deepEqual(world.asked, []);
  assert.equal(originOf(await world.publish(A, { key: "k" })), B);
  assert.equal(originOf(await world.publish(A, { order: "total" })), B);
  assert.equal(originOf(await world.publish(C, { key: "k2" })), B);
  assert.deepEqual(world.asked, [B, B, B]);
  assert.equal(originOf(await world.publish(B, { key: "k3" })), B);
  assert.equal(world.asked.length, 3, "the custodian asks nobody");
});

Deno.test("a key seen answers the first id, from any relay; with other data it conflicts", async () => {
  const world = new World();
  const draft = { key: "k", data: "x", event: "tick" };
  const { id } = await world.publish(A, draft);
  for (const at of [A, B, C] as const) assert.equal((await world.publish(at, draft)).id, id);
  const bytes = new Uint8Array([120]);
  for (const other of [{ data: "y" }, { data: bytes }, { event: "tock" }]) {
    assert.equal(await codeOf(world.publish(A, { ...draft, ...other })), "key_conflict");
  }
  assert.notEqual((await world.publish(A, { ...draft, channel: "{a}b" })).id, id);
  const binary = await world.publish(A, { key: "bytes", data: bytes });
  assert.equal((await world.publish(C, { key: "bytes", data: bytes.slice() })).id, binary.id);
  const other = world.publish(C, { key: "bytes", data: new Uint8Array([121]) });
  assert.equal(await codeOf(other), "key_conflict");
});

Deno.test("concurrent publishes of one key are one message, or fail as one", async () => {
  const world = new World();
  const all = [A, B, C, A].map((at) => world.publish(at as Name, { key: "k" }));
  const ids = (await Promise.all(all)).map(({ id }) => id);
  assert.equal(new Set(ids).size, 1);
  const conflict = [world.publish(A, { key: "k2" }), world.publish(B, { key: "k2", data: "y" })];
  assert.deepEqual(await Promise.all(conflict.map(codeOf)), ["none", "key_conflict"]);
  world.wireIsFull = true;
  const full = [world.publish(A, { key: "k3" }), world.publish(B, { key: "k3" })];
  assert.deepEqual(await Promise.all(full.map(codeOf)), ["window_full", "window_full"]);
  world.wireIsFull = false;
  assert.equal(originOf(await world.publish(A, { key: "k3" })), B, "a failure is not remembered");
});

Deno.test("the next custodian acts where the first is dead, silent or not ready, and knows its keys", async () => {
  const world = new World();
  const { id } = await world.publish(A, { key: "old" });
  world.moods.set(B, "dead");
  assert.equal(originOf(await world.publish(A, { key: "k1" })), C);
  assert.equal((await world.publish(A, { key: "old" })).id, id);
  world.moods.set(B, "silent");
  const slow = world.publish(A, { key: "k2" });
  assert.equal(await world.pass(slow, 1150), "waits");
  assert.equal(originOf(await world.pass(slow, 100)), C);
  world.moods.set(B, "mute");
  const mute = world.publish(A, { key: "k3" });
  assert.equal(
    originOf(await world.pass(mute, 1250)),
    B,
    "it was published, and the next one knows",
  );
  assert.equal(originOf(await world.pass(world.publish(C, { key: "k3" }), 1250)), B);
});

Deno.test("the next custodian looks for what the first may have published before it acts itself", async () => {
  const world = new World();
  world.moods.set(B, "mute");
  world.deaf.add(C);
  const published = await world.pass(world.publish(A, { key: "k" }), 1400);
  assert.equal(originOf(published), B);
  assert.deepEqual(world.asked, [B, C]);
});

Deno.test("a custodian that has to look for what is answered gives no place once the next one may have", async () => {
  for (const isDeaf of [false, true]) {
    const world = new World();
    if (isDeaf) world.deaf.add(B);
    world.lookMs.set(B, 2000).set(C, 100);
    // It has not heard yet that there is another.
    world.views.set(B, [B]);
    const after = {
      slots: new Map([[slotOf("a"), new Map([["gone____", 7]])]]),
      asOfMs: undefined,
    };
    const published = await world.pass(world.publish(A, { key: "k", after }), 1500);
    assert.equal(originOf(published), C);
    await world.pass(Promise.resolve(), 2000);
    assert.deepEqual(world.idsAt(A).length, 1, `deaf: ${isDeaf}`);
  }
});

Deno.test("nor does a custodian whose own publisher waits with the same key", async () => {
  const world = new World();
  world.deaf.add(B);
  world.lookMs.set(B, 2000);
  const after = {
    slots: new Map([[slotOf("a"), new Map([["gone____", 7]])]]),
    asOfMs: undefined,
  };
  const own = codeOf(world.publish(B, { key: "k", after }));
  assert.equal(originOf(await world.pass(world.publish(A, { key: "k", after }), 1500)), C);
  assert.equal(await world.pass(own, 2000), "unavailable");
  assert.equal(world.idsAt(A).length, 1);
});

Deno.test("when no custodian answers, that is what is said", async () => {
  const world = new World();
  world.moods.set(B, "dead").set(C, "dead");
  assert.equal(await codeOf(world.publish(A, { key: "k" })), "not_replicated");
  world.moods.set(B, "silent").set(C, "silent");
  const silent = world.publish(A, { key: "k" });
  assert.equal(await world.pass(silent, 6300), "waits");
  assert.equal(await world.pass(silent, 200), "not_replicated");
});

Deno.test("the custodian that a slot was moved to looks for its keys first", async () => {
  const world = new World(), { table } = world, slot = slotOf("a");
  world.deaf.add(C);
  const { id } = await world.publish(A, { key: "k" });
  world.ready = [C];
  table.adopt(table.current.moved(new Map([[slot, 1 + table.groupOf(slot) % 4]])));
  assert.equal((await world.publish(A, { key: "k" })).id, id);
  const other = world.publish(A, { key: "k", data: "y" });
  assert.equal(await codeOf(other), "key_conflict");
});

Deno.test("a slow look for the keys of a moved slot does not give a key two places", async () => {
  const world = new World(), { table } = world, slot = slotOf("a");
  table.adopt(table.current.moved(new Map([[slot, 1 + table.groupOf(slot) % 4]])));
  world.deaf.add(B);
  world.pullMs.set(B, 2000).set(C, 1000);
  const published = await world.pass(world.publish(A, { key: "k" }), 2500);
  assert.equal(originOf(published), C, "the first gives it none so late");
  await world.pass(Promise.resolve(), 2000);
  assert.equal(world.idsAt(A).length, 1);
  world.ready = [B];
  const alone = await world.pass(world.publish(A, { key: "k2" }), 2500);
  assert.equal(originOf(alone), B, "nobody else may act");
});

Deno.test("a relay that stood still has not waited for the custodian that it asked", async () => {
  const world = new World();
  world.moods.set(B, "silent");
  world.asleep.add(A);
  const published = world.publish(A, { key: "k" });
  assert.equal(await world.pass(published, 1300), "waits");
  assert.deepEqual(world.asked, [B]);
  world.asleep.delete(A);
  assert.equal(originOf(await world.pass(published, 1200)), C);
});

Deno.test("who is no custodian any more when its turn comes gives no place", async () => {
  const world = new World();
  world.moods.set(B, "silent");
  const published = codeOf(world.publish(C, { key: "k" }));
  assert.equal(await world.pass(published, 1100), "waits");
  world.views.set(C, [B]);
  world.moods.set(B, "dead");
  assert.equal(await world.pass(published, 4200), "not_replicated");
  assert.deepEqual(world.idsAt(C), []);
});

Deno.test("a custodian that stood still gives no place before others know that it is back", async () => {
  const world = new World();
  world.asleep.add(B);
  for (const at of [A, B, C] as const) {
    assert.equal(originOf(await world.publish(at, { key: `of ${at}` })), C);
  }
  world.views.set(B, [B]);
  const alone = world.publish(B, { key: "k" });
  assert.equal(await world.pass(alone, 500), "waits");
  world.asleep.delete(B);
  assert.equal(originOf(await world.pass(alone, 100)), B);
});

Deno.test("a relay that is no ready custodian refuses to sequence, and nothing is published", async () => {
  const world = new World();
  world.views.set(B, [C]);
  assert.equal(originOf(await world.publish(A, { key: "k" })), C);
  assert.equal(originOf(await world.publish(A, { order: "total" })), C, "nor twice");
  world.views.set(C, [B]);
  assert.equal(await codeOf(world.publish(A, { key: "k2" })), "unavailable");
  assert.equal(await codeOf(world.publish(A, { order: "total" })), "unavailable");
});

Deno.test("a total order without a key is not published twice where an answer is lost", async () => {
  const world = new World();
  world.moods.set(B, "dead");
  assert.equal(await codeOf(world.publish(A, { order: "total" })), "not_replicated");
  world.moods.set(B, "mute");
  const lost = world.publish(A, { order: "total" });
  assert.equal(await world.pass(lost, 3900), "waits");
  assert.equal(await world.pass(lost, 200), "not_replicated");
  assert.deepEqual(world.asked, [B, B]);
});

Deno.test("what waits for a sequencer is bounded", async () => {
  const world = new World();
  world.moods.set(B, "silent");
  for (let n = 0; n < 4096; n++) void world.publish(A, { order: "total" }).catch(() => {});
  assert.equal(await codeOf(world.publish(A, { order: "total" })), "window_full");
});

Deno.test("while no custodian is ready, whoever was gives places for all", async () => {
  const world = new World();
  [world.ready, world.kept] = [[], [B]];
  for (
    const [at, more] of [[A, { key: "k" }], [C, { key: "k" }], [C, { order: "total" }]] as const
  ) {
    assert.equal(originOf(await world.publish(at, more)), B);
  }
  assert.equal(world.idsAt(A).length, 2);
});

Deno.test("who has just become the first custodian looks for what others gave a place before", async () => {
  const world = new World();
  world.ready = [C];
  world.deaf.add(B);
  const first = await world.publish(A, { key: "k" });
  world.ready = [B, C];
  world.fresh.add(B);
  assert.equal((await world.publish(A, { key: "k" })).id, first.id);
  assert.deepEqual(world.asked, [C, B]);
});

Deno.test("without a ready custodian a relay keeps the keys itself", async () => {
  const world = new World();
  world.ready = [];
  world.isAlone = true;
  const { id, ack } = await world.publish(A, { key: "k" });
  assert.equal(ack, "accepted");
  assert.equal((await world.publish(A, { key: "k" })).id, id);
  assert.equal(await codeOf(world.publish(A, { key: "k", data: "y" })), "key_conflict");
  assert.deepEqual(world.asked, []);
});

Deno.test("the answer to a key is `replicated` only when its message is", async () => {
  const world = new World();
  const publish = (ack: AckLevel, at: Name = A) => world.publish(at, { key: "k", ack });
  world.holds = false;
  assert.equal(await codeOf(publish("replicated")), "not_replicated");
  assert.equal(await codeOf(publish("replicated")), "not_replicated");
  const { id, ack } = await publish("accepted");
  assert.deepEqual([originOf({ id, ack, channel: "a" }), ack], [B, "accepted"]);
  world.moods.set(B, "dead");
  assert.deepEqual(
    await publish("replicated"),
    { id, channel: "a", ack: "replicated" },
    "C has it",
  );
  world.moods.delete(B);
  world.holds = true;
  assert.equal((await publish("replicated")).id, id);
});
