import assert from "node:assert/strict";
import { MovingGroups } from "../../backbone/registry/moving_groups.ts";
import { Logs } from "../../relay/logs.ts";
import { decodeMessage } from "../../relay/protocol/codec.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { messageId, parseMessageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { AckLevel, Draft, Published } from "../../relay/protocol/upstream.ts";
import { Publisher } from "../../relay/publisher.ts";
import type { Replication } from "../../relay/replication.ts";
import { Sequencer } from "../../relay/sequencer.ts";
import { A, B, C, LOG_OPTIONS } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { pause } from "../../backbone/within.ts";

type Name = typeof A | typeof B | typeof C;

/** Relays that share a wire on which nothing is lost, and sessions that do what a test says. */
class World {
  readonly clock = new VirtualClock();
  ready: readonly string[] = [B, C];
  /** What becomes of what a relay is asked: it answers, it is dead, it does nothing, or only its answer is lost. */
  readonly moods = new Map<string, "dead" | "silent" | "mute">();
  readonly asked: string[] = [];
  /** Who sees other ready custodians than that. */
  readonly views = new Map<string, readonly string[]>();
  /** Who stood still until a moment ago. */
  readonly asleep = new Set<string>();
  /** Who hears nothing by multicast. */
  readonly deaf = new Set<string>();
  /** How long it takes a relay to find what a publisher answers. */
  readonly lookMs = new Map<string, number>();
  /** How long it takes a relay to learn what others have of a slot. */
  readonly pullMs = new Map<string, number>();
  readonly table = new MovingGroups(4);
  isAlone = false;
  wireIsFull = false;
  /** Whether custodians hold what was asked about. */
  holds = true;
  readonly #nodes = new Map<string, { logs: Logs; sequencer: Sequencer }>();

  constructor() {
    for (const name of [A, B, C]) this.#nodes.set(name, this.#node(name));
  }

  publish(at: Name, draft: Partial<Draft>): Promise<Published> {
    return this.#of(at).sequencer.publish({ channel: "a", data: "x", ...draft });
  }

  /** What a relay has got of the slot of "a". */
  idsAt(at: Name): string[] {
    const stored = this.#of(at).logs.of(slotOf("a")).messagesAbove(new Map());
    return [...stored].map(({ message }) => messageId(message));
  }

  /** Lets what was begun come as far as it does by `ms` from now, and answers what came of it. */
  async pass<T>(promise: Promise<T>, ms: number): Promise<T | string> {
    let state: T | string = "waits";
    promise.then((value) => state = value, (error) => state = error.code ?? String(error));
    for (let passed = 0; passed <= ms; passed += 50) {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      if (passed < ms) this.clock.advance(50);
    }
    return state;
  }

  #of(name: string) {
    const node = this.#nodes.get(name);
    assert.ok(node);
    return node;
  }

  #node(self: string) {
    const { clock, table } = this;
    const log = { ...LOG_OPTIONS, self };
    const logs = new Logs({ clock, log, maxBytes: 1_000_000 });
    const replication: Pick<Replication, "hasRoom" | "sent" | "sentBefore"> = {
      hasRoom: true,
      sent: (_group, _ordinal, _bytes, message, held) =>
        this.holds ? held.resolve(message) : held.reject(notReplicated()),
      sentBefore: (_group, _atMs, message) =>
        this.holds ? Promise.resolve(message) : Promise.reject(notReplicated()),
    };
    const publisher = new Publisher({
      ...{ clock, origin: self, region: "r", table, logs, replication },
      backbone: { send: (_, payload) => this.#multicast(self, payload) },
      wallMs: () => 0,
      pull: () => pause(clock, this.lookMs.get(self) ?? 0).then(() => true),
      lives: () => true,
      isAlone: () => this.isAlone,
    });
    const sequencer = new Sequencer({
      ...{ clock, self, table, logs, publisher, replication },
      settled: Promise.resolve(),
      ready: () => this.views.get(self) ?? this.ready,
      stoodStill: () => this.asleep.has(self),
      pull: async (slot) => {
        const pullMs = this.pullMs.get(self);
        if (pullMs !== undefined) await pause(clock, pullMs);
        this.#pull(self, slot);
      },
      ask: (to, draft) => this.#ask(to, draft),
    });
    return { logs, sequencer };
  }

  #multicast(from: string, payload: Uint8Array): number {
    if (this.wireIsFull) return 0;
    for (const [name, { logs }] of this.#nodes) {
      if (name !== from && !this.deaf.has(name)) logs.append(decodeMessage(payload));
    }
    return 1;
  }

  #pull(to: string, slot: number): void {
    const log = this.#of(to).logs.of(slot), nowMs = this.clock.nowMs();
    for (const { logs } of this.#nodes.values()) {
      const catchUp = logs.peek(slot)?.catchUp(log.standing, nowMs);
      if (catchUp) log.merge(catchUp, nowMs);
    }
  }

  async #ask(to: string, draft: Draft): Promise<Published> {
    this.asked.push(to);
    const mood = this.moods.get(to);
    if (mood === "dead") throw new Error("refused");
    if (mood === "silent") return new Promise(() => {});
    const published = await this.#of(to).sequencer.answer(draft);
    return mood === "mute" ? new Promise(() => {}) : published;
  }
}

function notReplicated(): GroundwaveError {
  return new GroundwaveError("not_replicated", "");
}

function originOf(published: Published | string): string | undefined {
  return typeof published === "string" ? published : parseMessageId(published.id)?.origin;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "none", (error) => error.code);
}

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
