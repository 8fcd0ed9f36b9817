/** What a client may get wrong over a WebSocket. */
import assert from "node:assert/strict";
import { errorOf, fixture } from "./fixture.ts";

const subscribe = { op: "subscribe", channel: "a" };

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
