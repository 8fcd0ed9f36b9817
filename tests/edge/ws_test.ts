import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { FakeSocket, settle } from "./fake_host.ts";
import { fixture } from "./fixture.ts";

const subscribe = { op: "subscribe", channel: "a" };
const publish = (data: unknown, ref?: number) => ({ op: "publish", channel: "a", data, ref });

Deno.test("subscribes, publishes, receives, unsubscribes", async () => {
  const { socket, upstream } = fixture(), { say, leave } = await socket();
  const [subscribed] = await say({ ...subscribe, ref: "s" });
  assert.deepEqual(subscribed, {
    op: "subscribed",
    channel: "a",
    cursor: subscribed?.cursor,
    recovered: true,
    ref: "s",
  });
  const [message, published] = await say({ ...publish({ any: 1 }, 7), event: "tick" });
  assert.deepEqual(published, { op: "published", ref: 7, id: message?.id, ack: "accepted" });
  assert.deepEqual(message, {
    op: "message",
    channel: "a",
    id: message?.id,
    data: '{"any":1}',
    event: "tick",
    time: 1_700_000_000_000,
  });
  assert.deepEqual(await say({ op: "unsubscribe", channel: "a" }), [
    { op: "unsubscribed", channel: "a" },
  ]);
  assert.equal(upstream.subscriptions, 0);
  assert.deepEqual((await say(publish("x"), { op: "ping", ref: 2 })).map(({ op }) => op), [
    "pong",
    "published",
  ]);
  leave();
});

Deno.test("a cursor resumes, and a gap shows in recovered and as an op", async () => {
  const { socket, upstream } = fixture(), { say, leave } = await socket();
  const [{ cursor } = {}] = await say(subscribe);
  await say({ op: "unsubscribe", channel: "a" }, publish("1"), publish("2"));
  const resumed = await say({ ...subscribe, after: cursor });
  assert.deepEqual(resumed.map(({ op, data }) => data ?? op), ["subscribed", "1", "2"]);
  upstream.forget();
  await say({ op: "unsubscribe", channel: "a" });
  const [answer, gap] = await say({ ...subscribe, after: cursor });
  assert.equal(answer?.recovered, false);
  assert.deepEqual(gap, {
    op: "gap",
    channel: "a",
    reason: "expired",
    missing: [{ origin: "memory00", from: 1, to: 2 }],
    cursor: gap?.cursor,
  });
  leave();
});

Deno.test("the query subscribes at once, and the subprotocol is taken if it is offered", async () => {
  const { socket, host, upstream } = fixture();
  await upstream.publish({ channel: "b", data: "x" });
  const plain = await socket("/ws?channel=a&channel=b&after=earliest");
  await settle();
  assert.equal(host.upgraded?.protocol, undefined);
  assert.deepEqual(plain.socket.take().map(({ op, channel }) => [op, channel]), [
    ["subscribed", "a"],
    ["subscribed", "b"],
    ["message", "b"],
  ]);
  const headers = { "sec-websocket-protocol": "other, groundwave.v1" };
  const offering = await socket("/ws", headers);
  assert.equal(host.upgraded?.protocol, "groundwave.v1");
  plain.leave();
  offering.leave();
});

Deno.test("a channel is subscribed once, and so many at most", async () => {
  const { socket } = fixture({ limits: { channels: 2 } }), { say, leave } = await socket();
  const channel = (channel: string) => ({ op: "subscribe", channel, ref: 1 });
  const answers = await say(channel("a"), channel("a"), channel("b"), channel("c"));
  assert.deepEqual(answers.map(({ op, message }) => message ?? op).sort(), [
    "already subscribed to a",
    "at most 2 channels",
    "subscribed",
    "subscribed",
  ]);
  await say({ op: "unsubscribe", channel: "a" });
  assert.equal((await say(channel("c")))[0]?.op, "subscribed");
  leave();
});

Deno.test("who unsubscribes before the relay is ready gets nothing of it", async () => {
  const { socket, upstream } = fixture(), { say, leave } = await socket();
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  const unsubscribe = { op: "unsubscribe", channel: "a" };
  const first = await say(
    ...[subscribe, unsubscribe],
    ...[{ ...subscribe, ref: "s" }, { ...unsubscribe, ref: "u" }],
    { ...subscribe, ref: 2 },
  );
  assert.deepEqual(first.map(({ op, ref }) => [op, ref]), [
    ["unsubscribed", undefined],
    ["unsubscribed", "s"],
    ["unsubscribed", "u"],
  ]);
  gate.resolve();
  upstream.gate = undefined;
  const later = await say();
  assert.deepEqual(later.map(({ op, ref }) => [op, ref]), [["subscribed", 2]]);
  assert.equal((await say(publish("x"))).length, 2);
  assert.equal(upstream.subscriptions, 1);
  leave();
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("who unsubscribes before the relay refuses is not answered twice", async () => {
  const { socket, upstream } = fixture(), { say, leave } = await socket();
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  await say({ ...subscribe, ref: 1 }, { op: "unsubscribe", channel: "a" });
  gate.reject(new GroundwaveError("unavailable", "not synced"));
  assert.deepEqual(await say(), []);
  leave();
});

Deno.test("publishes take effect in the order of arrival, so many unanswered at most", async () => {
  const { socket, upstream } = fixture({ limits: { publishesInFlight: 3 } });
  const { say, leave } = await socket();
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  const refused = await say(...[1, 2, 3, 4].map((ref) => publish(String(ref), ref)));
  assert.deepEqual(refused.map(({ code, ref }) => [code, ref]), [["rate_limited", 4]]);
  upstream.gate = undefined;
  gate.resolve();
  const answers = await say();
  assert.deepEqual(answers.map(({ ref }) => ref), [1, 2, 3]);
  const { events } = await upstream.read({ channels: ["a"], start: "earliest", limit: 9 });
  assert.deepEqual(events.map((event) => event.type === "message" && event.message.data), [
    "1",
    "2",
    "3",
  ]);
  leave();
});

Deno.test("messages of one turn share a frame", async () => {
  const { socket, upstream } = fixture(), { say, leave, socket: end } = await socket();
  await say(subscribe);
  for (let count = 0; count < 10; count++) void upstream.publish({ channel: "a", data: "x" });
  await settle();
  assert.equal(end.frames.length, 1);
  assert.equal(end.take().length, 10);
  leave();
});

Deno.test("a full socket rests its subscriptions until it has room", async () => {
  const { socket, upstream, host } = fixture({ limits: { socketBytes: 10_000 } });
  const { say, leave, socket: end } = await socket();
  await say(subscribe);
  end.stalled = true;
  const data = "x".repeat(9000);
  for (let count = 0; count < 20; count++) {
    await upstream.publish({ channel: "a", data: count + data });
    await settle();
  }
  const before = end.take().length;
  assert.ok(before >= 2 && before < 5, `${before} of 20`);
  end.stalled = false;
  end.bufferedAmount = 0;
  await host.pass(1000);
  assert.deepEqual(end.take().map(({ data }) => parseInt(String(data))), [
    ...Array.from({ length: 20 - before }, (_, at) => before + at),
  ]);
  assert.equal(end.closedWith, undefined);
  leave();
});

Deno.test("a socket that takes nothing for too long is closed as slow", async () => {
  const { socket, upstream, host } = fixture({ limits: { socketBytes: 1000 } });
  const { say, leave, socket: end } = await socket();
  await say(subscribe);
  end.stalled = true;
  for (let count = 0; count < 3; count++) {
    await upstream.publish({ channel: "a", data: "x".repeat(900) });
    await settle();
  }
  await host.pass(9000);
  assert.equal(end.closedWith, undefined);
  await host.pass(3000);
  assert.deepEqual(end.closedWith, { code: 4008, reason: "slow_reader" });
  assert.equal(upstream.subscriptions, 0);
  leave();
  assert.equal(host.timers, 0);
});

Deno.test("answers that nobody takes are bounded", async () => {
  const { socket } = fixture({ limits: { socketBytes: 1000 } });
  const { say, socket: end } = await socket();
  end.stalled = true;
  for (let count = 0; count < 2000 && !end.closedWith; count++) await say({ op: "ping" });
  assert.equal(end.closedWith?.code, 4008);
  assert.ok(end.bufferedAmount < 20_000, String(end.bufferedAmount));
});

Deno.test("cursors are told now and then, for every channel", async () => {
  const { socket, host } = fixture(), { say, leave, socket: end } = await socket();
  const told = await say(subscribe, { op: "subscribe", channel: "b" });
  await host.pass(10 * 60_000);
  const cursors = end.take();
  assert.deepEqual(
    new Set(cursors.map((line) => JSON.stringify(line))),
    new Set(
      told.map(({ channel, cursor }) => JSON.stringify({ op: "cursor", channel, cursor })),
    ),
  );
  leave();
});

Deno.test("the relay's end of a subscription ends the connection with its code", async () => {
  const { socket, upstream } = fixture(), { say, socket: end } = await socket();
  await say(subscribe);
  upstream.closeAll(new GroundwaveError("draining", "good bye"));
  await settle();
  assert.deepEqual(end.take(), [{ op: "error", code: "draining", message: "good bye" }]);
  assert.deepEqual(end.closedWith, { code: 4001, reason: "draining" });
});

Deno.test("a grant decides about each channel", async () => {
  const grant = { identified: true, publish: () => false, subscribe: (c: string) => c === "a" };
  const { socket } = fixture({ grants: { of: () => grant } }), { say, leave } = await socket();
  const answers = await say(subscribe, { op: "subscribe", channel: "b" }, publish("x"));
  assert.deepEqual(answers.map(({ code, op }) => code ?? op).sort(), [
    "forbidden",
    "forbidden",
    "subscribed",
  ]);
  leave();
});

Deno.test("a handshake that never ends gives its place back, and comes too late afterwards", async () => {
  const { ask, host, edge, upstream } = fixture();
  await ask("/ws?channel=a", { headers: { upgrade: "websocket" } });
  assert.equal(host.timers, 1);
  await host.pass(12_000);
  assert.equal(host.timers, 0);
  const socket = new FakeSocket(), events = host.upgraded?.events;
  events?.open(socket);
  await settle();
  assert.deepEqual(socket.closedWith, { code: 4001, reason: "unavailable" });
  assert.equal(upstream.subscriptions, 0);
  events?.closed();
  await edge.drain();
});

Deno.test("a drain before the handshake is done closes the socket once it opens", async () => {
  const { ask, host, edge } = fixture();
  await ask("/ws?channel=a", { headers: { upgrade: "websocket" } });
  const drained = edge.drain();
  const socket = new FakeSocket(), events = host.upgraded?.events;
  events?.open(socket);
  assert.deepEqual(socket.closedWith, { code: 4001, reason: "draining" });
  events?.closed();
  await drained;
  assert.equal(host.timers, 0);
});
