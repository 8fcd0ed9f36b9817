import assert from "node:assert/strict";
import { Groups } from "../../relay/groups.ts";
import { Interest } from "../../relay/interest.ts";
import { Logs } from "../../relay/logs.ts";
import { cutIn, parseCursor } from "../../relay/protocol/cursor.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { Publisher } from "../../relay/publisher.ts";
import { RelayUpstream } from "../../relay/upstream.ts";
import { freeLan, startTestRelay } from "../support/relays.ts";
import { A, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { MovingGroups } from "../../backbone/registry/moving_groups.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { RecordingSink } from "../support/recording_sink.ts";
import { testUpstream } from "./protocol/upstream_contract.ts";

testUpstream("in-process upstream", async () => {
  const relay = await startTestRelay(freeLan());
  return { upstream: relay.upstream, drain: () => relay.drain(), close: () => relay.close() };
});

/** An upstream without a LAN, in time that a test moves; `join` is how groups are joined. */
function setUp(join: () => Promise<void> = () => Promise.resolve()) {
  const clock = new VirtualClock(), table = new MovingGroups(4);
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes: 1_000_000 });
  const backbone = { join, leave: () => {}, send: () => 1 };
  const pulled: number[] = [], stale = new Map<number, boolean>();
  const pull = (slot: number) => Promise.resolve(pulled.push(slot) > 0);
  const common = { clock, table, logs, pull };
  const node = { id: "test", region: "r", origin: LOG_OPTIONS.self };
  const groups = new Groups({
    backbone,
    clock,
    lingerMs: 1000,
    entered: () => Promise.resolve(),
    left: () => {},
  });
  const upstream = new RelayUpstream({
    ...common,
    node,
    interest: new Interest({ ...common, groups }),
    publisher: new Publisher({
      ...common,
      ...node,
      backbone,
      replication: { hasRoom: true, sent: () => Promise.resolve() },
      wallMs: () => 0,
      lives: () => true,
      isAlone: () => true,
    }),
    asOfMs: () => 0,
    isStale: (group) => stale.get(group),
    waiting: () => [],
    notes: () => [],
    metrics: () => [],
  });
  const append = (seq: number, channel = "a") =>
    logs.append({ ...message(A, seq, channel), slot: slotOf(channel) });
  /** As the relay does it. */
  const setStale = (channel: string, on: boolean) => {
    const group = table.groupOf(slotOf(channel));
    stale.set(group, on);
    upstream.setStale(group, on);
  };
  return { clock, table, upstream, append, pulled, setStale };
}

const LIVE = { channels: ["a"], start: "live" } as const;

Deno.test("who takes nothing for 10 s is let go as slow, who goes on in time is not", async () => {
  const { clock, upstream, append } = setUp();
  const slow = new RecordingSink(), steady = new RecordingSink(), never = new RecordingSink();
  slow.room = steady.room = 1;
  const subscription = await upstream.subscribe(LIVE, steady);
  subscription.resume();
  (await upstream.subscribe(LIVE, slow)).resume();
  await upstream.subscribe(LIVE, never);
  append(1);
  clock.advance(9000);
  assert.deepEqual([slow.error, never.error], [undefined, undefined]);
  steady.room = Infinity;
  subscription.resume();
  append(2);
  clock.advance(3000);
  assert.deepEqual([slow.error?.code, never.error?.code], ["slow_reader", "slow_reader"]);
  assert.equal(steady.error, undefined);
  assert.equal(steady.events.length, 2);
  assert.equal(upstream.subscriptions, 1);
});

Deno.test("a group that cannot be joined is `unavailable`, and tried anew by the next", async () => {
  let broken = true;
  const { upstream } = setUp(() => broken ? Promise.reject(new Error("no")) : Promise.resolve());
  await assert.rejects(upstream.subscribe(LIVE, new RecordingSink()), { code: "unavailable" });
  broken = false;
  (await upstream.subscribe(LIVE, new RecordingSink())).close();
});

Deno.test("a drain while a subscriber waits for its group refuses it", async () => {
  const joined = Promise.withResolvers<void>();
  const { upstream } = setUp(() => joined.promise);
  const asked = upstream.subscribe(LIVE, new RecordingSink());
  upstream.drain();
  joined.resolve();
  await assert.rejects(asked, { code: "draining" });
});

Deno.test("a cursor ahead of the log has the peers asked first, another has not", async () => {
  const { upstream, append, pulled } = setUp();
  append(1);
  const at = (seq: number) => ({
    slots: new Map([[slotOf("a"), new Map([[A, seq]])], [slotOf("b"), new Map([[A, 9]])]]),
    asOfMs: undefined,
  });
  await upstream.read({ channels: ["a"], start: at(1), limit: 1 });
  assert.deepEqual(pulled, [], "what it says of other slots is nobody's business here");
  await upstream.read({ channels: ["a"], start: at(2), limit: 1 });
  assert.deepEqual(pulled, [slotOf("a")]);
});

Deno.test("so has a cursor that was cut, of the slots in which nobody can tell", async () => {
  const { upstream, append, pulled } = setUp();
  for (const channel of ["a", "b"]) append(1, channel);
  const slots = new Map([[slotOf("a"), new Map()], [slotOf("b"), new Map([[A, 1]])]]);
  const start = { slots, asOfMs: undefined, cut: new Set([A]) };
  await upstream.read({ channels: ["a", "b", "c"], start, limit: 1 });
  assert.deepEqual(pulled, [slotOf("a")]);
});

Deno.test("slots that a cursor does not name are at their beginning, though it was cut", async () => {
  const { upstream, append } = setUp();
  for (const channel of ["a", "b"]) append(1, channel);
  const start = {
    slots: new Map([[slotOf("a"), new Map()]]),
    asOfMs: undefined,
    cut: new Set([A]),
  };
  const { events, cursor } = await upstream.read({ channels: ["a", "b"], start, limit: 9 });
  assert.deepEqual(events.map((event) => "channel" in event ? event.channel : event.type), [
    "a",
    "message",
  ]);
  const { slots, cut } = parseCursor(cursor);
  assert.deepEqual(["a", "b"].map((channel) => slots.get(slotOf(channel))?.get(A)), [1, 1]);
  assert.equal(cut, undefined);
});

Deno.test("a cursor over several slots is cut as long as one of them has a gap to tell", async () => {
  const { upstream, append } = setUp();
  for (const channel of ["a", "b"]) append(1, channel);
  const slots = new Map([[slotOf("a"), new Map()], [slotOf("b"), new Map([[A, 0]])]]);
  const start = { slots, asOfMs: undefined, cut: new Set([A]) };
  const { cursor } = await upstream.read({ channels: ["a", "b"], start, limit: 0 });
  assert.deepEqual(cutIn(parseCursor(cursor), slotOf("a")), new Set([A]));
  assert.equal(parseCursor(cursor).slots.get(slotOf("b"))?.get(A), 0);
});

Deno.test("the cursor of a gap in a page is of its place, whenever it is read", async () => {
  const { upstream, append } = setUp();
  for (const channel of ["a", "b"]) for (const seq of [1, 2]) append(seq, channel);
  const channels = ["a", "b"], slots = new Map([[slotOf("a"), new Map([["stranger", 1]])]]);
  const { events } = await upstream.read({
    channels,
    start: { slots, asOfMs: undefined },
    limit: 9,
  });
  const [gap] = events;
  assert.ok(gap?.type === "gap");
  assert.equal(gap.reason, "unknown");
  const rest = await upstream.read({ channels, start: parseCursor(gap.cursor), limit: 9 });
  // What is behind a gap belongs to the next page.
  assert.deepEqual(rest.events.map(({ type }) => type), ["gap", "message", "message", "gap"]);
});

Deno.test("gaps that a page begins with share one cursor: one over many slots is long to write", async () => {
  const { upstream } = setUp();
  const channels = Array.from({ length: 50 }, (_, n) => `channel${n}`);
  const slots = new Map(channels.map((name) => [slotOf(name), new Map([["stranger", 1]])]));
  const start = { slots, asOfMs: undefined };
  const { events } = await upstream.read({ channels, start, limit: 9 });
  const cursors = events.map((event) => event.type === "gap" ? event.cursor : "");
  assert.deepEqual([cursors.length, new Set(cursors).size], [50, 1]);
});

Deno.test("a reader that takes little at a time gets of each of its slots in turn", async () => {
  const { upstream, append } = setUp();
  for (const channel of ["a", "b"]) for (const seq of [1, 2, 3]) append(seq, channel);
  const from: string[] = [];
  const subscription = await upstream.subscribe({ channels: ["a", "b"], start: "earliest" }, {
    event: (event) => {
      if (event.type === "message") from.push(event.message.channel);
      return false;
    },
    closed: () => {},
  });
  for (let n = 0; n < 4; n++) subscription.resume();
  assert.deepEqual(from, ["a", "b", "a", "b"]);
  subscription.close();
});

/** What a sink was told, in words. */
function said({ events }: RecordingSink): string[] {
  return events.map((event) =>
    event.type === "message" ? `${event.message.seq}` : `${event.type} ${event.channel}`
  );
}

Deno.test("readers are told when their group is stale and when it is fresh again, others are not", async () => {
  const { upstream, append, setStale } = setUp();
  const one = new RecordingSink(), both = new RecordingSink();
  (await upstream.subscribe(LIVE, one)).resume();
  (await upstream.subscribe({ channels: ["a", "b"], start: "live" }, both)).resume();
  setStale("b", true);
  setStale("b", true);
  append(1);
  setStale("b", false);
  assert.deepEqual([said(one), said(both)], [["1"], ["stale b", "1", "fresh b"]]);
});

Deno.test("who takes nothing meanwhile is told afterwards: `stale` before what waits, `fresh` behind it", async () => {
  const { upstream, append, setStale } = setUp();
  const sink = new RecordingSink();
  const subscription = await upstream.subscribe(LIVE, sink);
  setStale("a", true);
  append(1);
  assert.deepEqual(said(sink), []);
  sink.room = 1;
  subscription.resume();
  assert.deepEqual(said(sink), ["stale a"]);
  setStale("a", false);
  sink.room = Infinity;
  subscription.resume();
  assert.deepEqual(said(sink), ["stale a", "1", "fresh a"]);
  setStale("a", true);
  setStale("a", false);
  sink.room = 0;
  setStale("a", true);
  setStale("a", false);
  subscription.resume();
  assert.deepEqual(said(sink).slice(3), ["stale a", "fresh a", "stale a", "fresh a"]);
});

Deno.test("a slot that moves out of a stale group stays stale until the group it comes to is known", async () => {
  const { upstream, table, setStale } = setUp(), sink = new RecordingSink(), slot = slotOf("a");
  (await upstream.subscribe(LIVE, sink)).resume();
  setStale("a", true);
  table.adopt(table.current.moved(new Map([[slot, 1 + table.groupOf(slot) % 4]])));
  upstream.moved([slot]);
  assert.deepEqual(said(sink), ["stale a"]);
  setStale("a", false);
  assert.deepEqual(said(sink), ["stale a", "fresh a"]);
});

Deno.test("a slot that moves to a group that is known is as stale as that one is", async () => {
  const { upstream, table, setStale } = setUp(), sink = new RecordingSink(), slot = slotOf("a");
  const home = table.groupOf(slot), away = 1 + home % 4;
  const move = (group: number) => {
    table.adopt(table.current.moved(new Map([[slot, group]])));
    upstream.moved([slot]);
  };
  (await upstream.subscribe(LIVE, sink)).resume();
  setStale("a", true);
  const neighbour = [..."bcdefghij"].find((channel) => table.groupOf(slotOf(channel)) === away);
  setStale(neighbour ?? "", false);
  move(away);
  assert.deepEqual(said(sink), ["stale a", "fresh a"]);
  move(home);
  assert.deepEqual(said(sink), ["stale a", "fresh a", "stale a"]);
});

Deno.test("who comes to a stale group is told at once, also in a page", async () => {
  const { upstream, append, setStale } = setUp();
  const sink = new RecordingSink();
  append(1);
  setStale("a", true);
  (await upstream.subscribe(LIVE, sink)).resume();
  assert.deepEqual(said(sink), ["stale a"]);
  const page = await upstream.read({ channels: ["a"], start: "earliest", limit: 9 });
  assert.deepEqual(page.events.map(({ type }) => type), ["stale", "message"]);
});
