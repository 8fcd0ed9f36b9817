import assert from "node:assert/strict";
import { type Client, connect, type ConnectionState, ERRORS } from "../../src/client/mod.ts";
import { FakePlatform } from "./fake_platform.ts";

interface Setup {
  readonly platform: FakePlatform;
  readonly client: Client;
  readonly states: ConnectionState[];
}

function setup(): Setup {
  const platform = new FakePlatform(), states: ConnectionState[] = [];
  const onState = (state: ConnectionState) => states.push(state);
  return { platform, client: connect("http://relay.test/", { platform, onState }), states };
}

/** Milliseconds until another socket is opened. */
async function waitForNext(platform: FakePlatform): Promise<number> {
  const { nowMs } = platform, count = platform.sockets.length;
  while (platform.sockets.length === count) {
    assert.ok(platform.nowMs - nowMs < 60_000, "the client gave up");
    await platform.advance(50);
  }
  return platform.nowMs - nowMs;
}

Deno.test("the socket is at /ws under the relay's path", () => {
  for (
    const [url, expected] of [
      ["http://relay.test", "ws://relay.test/ws"],
      ["https://relay.test/realtime", "wss://relay.test/realtime/ws"],
    ] as const
  ) {
    const platform = new FakePlatform(), client = connect(url, { platform });
    assert.equal(platform.socket.url.href, expected);
    client.close();
  }
});

Deno.test("a connection is open once the relay has said something", async () => {
  const { platform, client, states } = setup();
  assert.equal(client.state, "connecting");
  await platform.socket.open();
  assert.equal(client.state, "open");
  assert.equal(client.transport, "websocket");
  client.close();
  assert.deepEqual(states, ["open", "closed"]);
  assert.ok(platform.socket.closed);
  assert.equal(platform.pending, 0, "nothing is left running");
});

Deno.test("waits double while an outage lasts, and no transport is blamed for it", async () => {
  const { platform, client } = setup();
  platform.ready = undefined;
  platform.chance = 0.5;
  for (const wait of [750, 1250, 2250, 4250, 8250, 10_250, 10_250]) {
    platform.socket.end();
    assert.equal(await waitForNext(platform), wait);
  }
  assert.equal(client.transport, "websocket");
  assert.equal(client.error?.code, "unavailable");
  client.close();
});

Deno.test("waits are short again only after a connection that was stable", async () => {
  const { platform, client } = setup();
  platform.ready = undefined;
  for (const wait of [750, 1250]) {
    platform.socket.end();
    assert.equal(await waitForNext(platform), wait);
  }
  await platform.socket.open();
  await platform.advance(5000);
  platform.socket.end();
  assert.equal(await waitForNext(platform), 2250);
  await platform.socket.open();
  await platform.advance(9900);
  platform.socket.say({ op: "pong" });
  await platform.advance(200);
  platform.socket.end();
  assert.equal(await waitForNext(platform), 750);
  client.close();
});

Deno.test("close codes 4000 to 4499 ask to come back, 4500 to 4999 not to", async () => {
  const closing: [string, number][] = [["unknown", 4499], ["unknown", 4999]];
  for (const [code, { close }] of Object.entries(ERRORS)) if (close) closing.push([code, close]);
  for (const [name, close] of closing) {
    const { platform, client } = setup();
    await platform.socket.open();
    platform.socket.end(close, name);
    await platform.advance(0);
    assert.equal(client.state, close < 4500 ? "waiting" : "closed", `${name} ${close}`);
    if (name !== "unknown") assert.equal(client.error?.code, name);
    client.close();
    assert.equal(platform.pending, 0);
  }
});

Deno.test("a relay that says when to come back is not asked before", async () => {
  const { platform, client } = setup();
  platform.ready = () => new Response(null, { status: 503, headers: { "Retry-After": "7" } });
  platform.socket.end();
  assert.equal(await waitForNext(platform), 7000);
  client.close();
});

Deno.test("the network's return ends the wait", async () => {
  const { platform, client } = setup();
  platform.ready = undefined;
  platform.socket.end();
  await platform.advance(100);
  assert.equal(client.state, "waiting");
  platform.backOnline();
  assert.equal(client.state, "connecting");
  assert.equal(platform.sockets.length, 2);
  await platform.socket.open();
  await platform.advance(2000);
  assert.equal(platform.sockets.length, 2, "the old wait does not connect again");
  client.close();
});

Deno.test("a transport that fails twice while the relay is there gives way to the next", async () => {
  const { platform, client } = setup();
  platform.socket.end();
  await waitForNext(platform);
  assert.equal(client.transport, "websocket");
  platform.socket.end();
  await platform.advance(2000);
  assert.equal(client.transport, "sse");
  assert.equal(client.state, "open", "SSE without channels is open when the relay is ready");
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("a socket that opens and carries nothing counts as one that does not open", async () => {
  const { platform, client } = setup();
  for (let attempt = 0; attempt < 2; attempt++) {
    const { socket } = platform;
    await platform.advance(9999);
    assert.equal(socket.closed, false);
    await platform.advance(1);
    assert.equal(socket.closed, true);
    if (attempt === 0) await waitForNext(platform);
  }
  await platform.advance(2000);
  assert.equal(client.transport, "sse");
  client.close();
});

Deno.test("a connection that fell silent is asked, and given up without an answer", async () => {
  const { platform, client } = setup(), { socket } = platform;
  await socket.open();
  await platform.advance(20_000);
  assert.deepEqual(await socket.sent(), [{ op: "ping" }]);
  socket.say({ op: "pong" });
  await platform.advance(19_000);
  assert.equal(client.state, "open");
  await platform.advance(20_000);
  assert.equal(socket.closed, true);
  assert.notEqual(client.state, "open");
  client.close();
});

Deno.test("what is no frame ends the connection, not the client", async () => {
  for (const text of ["{", "[]]", '{"op":"message","channel":"news","id":1}']) {
    const { platform, client } = setup();
    client.subscribe("news", () => {});
    const sent = await platform.socket.open();
    assert.equal(sent[0]?.op, "subscribe");
    platform.socket.text(text);
    await platform.advance(0);
    assert.ok(["waiting", "open"].includes(client.state), text);
    client.close();
  }
});

Deno.test("a machine without WebSockets gets what it has, and its client before its states", async () => {
  const platform = new FakePlatform(), transports: string[] = [];
  platform.openSocket = () => {
    throw new ReferenceError("WebSocket is not defined");
  };
  const client = connect("http://relay.test", {
    platform,
    onState: (state) => transports.push(`${state} ${client.transport}`),
  });
  await platform.advance(3000);
  assert.equal(client.state, "open");
  assert.equal(transports.at(-1), "open sse");
  client.close();
  assert.equal(platform.pending, 0);
});
