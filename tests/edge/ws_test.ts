import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { FakeSocket, settle } from "./fake_host.ts";
import { errorOf, fixture } from "./fixture.ts";

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

const FAULTY: readonly [string, unknown][] = [
  ["bad_request", { op: "fly" }],
  ["bad_request", {}],
  ["bad_request", []],
  ["bad_request", null],
  ["bad_request", "text"],
  ["bad_request", { op: "subscribe" }],
  ["bad_request", { op: "subscribe", channel: 1 }],
  ["channel_invalid", { op: "subscribe", channel: "" }],
  ["channel_invalid", { op: "subscribe", channel: "\ud800" }],
  ["cursor_invalid", { op: "subscribe", channel: "b", after: "nonsense" }],
  ["bad_request", { op: "subscribe", channel: "b", after: 7 }],
  ["bad_request", { op: "unsubscribe", channel: "b" }],
  ["bad_request", { op: "publish", channel: "a" }],
  ["channel_invalid", { op: "publish", channel: "\n", data: "x" }],
  ["encoding_invalid", { op: "publish", channel: "a", data: "\udfff" }],
  ["encoding_invalid", { op: "publish", channel: "a", data: "A", encoding: "base64" }],
  ["bad_request", { op: "publish", channel: "a", data: "", encoding: "gzip" }],
  ["event_reserved", { op: "publish", channel: "a", data: "", event: "groundwave.x" }],
  ["bad_request", { op: "publish", channel: "a", data: "", ack: "all" }],
  ["bad_request", { op: "publish", channel: "a", data: "", key: "" }],
  ["bad_request", { op: "publish", channel: "a", data: "", order: "partial" }],
  ["not_archived", { op: "publish", channel: "a", data: "", ack: "archived" }],
  ["too_large", { op: "publish", channel: "a", data: "x".repeat(1024 * 1024 + 1) }],
];

Deno.test("a faulty operation gets an error with its ref, and the connection goes on", async () => {
  const { socket } = fixture(), { say, leave, socket: { closedWith } } = await socket();
  for (const [code, operation] of FAULTY) {
    const tagged = operation && typeof operation === "object" && !Array.isArray(operation);
    const answers = await say(tagged ? { ...operation, ref: 3 } : operation);
    assert.deepEqual(
      answers.map(({ op, code, ref }) => [op, code, ref]),
      [["error", code, tagged ? 3 : undefined]],
      JSON.stringify(operation).slice(0, 80),
    );
  }
  assert.equal((await say({ op: "ping", ref: { not: "a ref" } }))[0]?.op, "error");
  assert.deepEqual(await say({ op: "ping" }), [{ op: "pong" }]);
  assert.equal(closedWith, undefined);
  leave();
});

Deno.test("a frame that is none ends the connection with the table's close code", async () => {
  const faulty: [number, string, string | undefined][] = [
    [4500, "bad_request", "{"],
    [4500, "bad_request", '{"op":"ping"}\nnope'],
    [4500, "bad_request", undefined],
    [4513, "too_large", `"${"x".repeat(2 * 1024 * 1024)}"`],
    [4513, "too_large", `"${"é".repeat(1024 * 1024)}"`],
    [4513, "too_large", "0\n".repeat(1001)],
  ];
  for (const [code, reason, text] of faulty) {
    const { socket, upstream } = fixture(), { frame, say, socket: end } = await socket();
    await say(subscribe);
    assert.equal((await frame(text)).at(-1)?.code, reason);
    assert.deepEqual(end.closedWith, { code, reason });
    assert.equal(upstream.subscriptions, 0);
    assert.deepEqual(await say({ op: "ping" }), []);
  }
});

Deno.test("a frame of nonsense ends the connection after so many errors, each answered", async () => {
  const { socket } = fixture({ limits: { frameErrors: 3 } });
  const { say, socket: end } = await socket();
  const bad = { op: "fly" }, ping = { op: "ping" };
  assert.equal((await say(bad, ping, bad)).length, 3);
  assert.equal((await say(bad, bad)).length, 2);
  assert.equal(end.closedWith, undefined);
  const answers = await say(bad, bad, ping, bad, ping, bad);
  assert.deepEqual(answers.map(({ op }) => op), ["error", "error", "pong", "error", "error"]);
  assert.deepEqual(end.closedWith, { code: 4500, reason: "bad_request" });
});

Deno.test("the handshake is checked before it is answered", async () => {
  const { ask } = fixture(), upgrade = "websocket";
  for (
    const [expected, target, headers] of [
      ["400 bad_request", "/ws", {}],
      ["400 channel_invalid", "/ws?channel=", { upgrade }],
      ["400 cursor_invalid", "/ws?channel=a&after=x", { upgrade }],
    ] as const
  ) assert.equal(await errorOf(await ask(target, { headers })), expected);
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
