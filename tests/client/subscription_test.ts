import assert from "node:assert/strict";
import { type Client, connect, type Gap, type SubscriptionState } from "../../src/client/mod.ts";
import { FakePlatform, until } from "./fake_platform.ts";
import { cursorOf, gap, idOf, message, ORIGIN, subscribed } from "./relay_words.ts";

interface Setup {
  readonly platform: FakePlatform;
  readonly client: Client;
  readonly got: string[];
  readonly take: (message: { readonly data: string | Uint8Array }) => void;
}

function setup(): Setup {
  const platform = new FakePlatform(), got: string[] = [];
  const client = connect("http://relay.test", { platform });
  return { platform, client, got, take: ({ data }) => got.push(String(data)) };
}

async function reconnect(platform: FakePlatform): Promise<void> {
  const count = platform.sockets.length;
  platform.socket.end();
  await platform.advance(1000);
  assert.equal(platform.sockets.length, count + 1);
}

Deno.test("messages reach the handler as they were published", async () => {
  const { platform, client } = setup(), messages: unknown[] = [];
  client.subscribe("news", (message) => messages.push(message));
  const [subscribe] = await platform.socket.open();
  assert.deepEqual(subscribe, { op: "subscribe", channel: "news", ref: subscribe?.ref });
  const binary = { event: "bytes", data: "AAH/", encoding: "base64" };
  platform.socket.say(subscribed(0, subscribe), message(1), message(2, binary));
  assert.deepEqual(messages, [
    { id: idOf(1), channel: "news", data: "1", event: undefined, time: 1 },
    { id: idOf(2), channel: "news", data: new Uint8Array([0, 1, 255]), event: "bytes", time: 2 },
  ]);
  client.close();
});

Deno.test("a new connection goes on after the last message", async () => {
  const { platform, client, got, take } = setup();
  const subscription = client.subscribe("news", take);
  const [first] = await platform.socket.open();
  assert.equal(first?.after, undefined);
  platform.socket.say(subscribed(5, first), message(6), message(7));
  assert.equal(subscription.cursor, cursorOf(7));

  await reconnect(platform);
  const [second] = await platform.socket.open();
  assert.equal(second?.after, cursorOf(7));
  platform.socket.say(subscribed(7, second), message(7), message(8));
  assert.deepEqual(got, ["6", "7", "8"]);
  client.close();
});

Deno.test("a subscription begins where it is told to", async () => {
  for (const after of ["earliest", cursorOf(3), `${idOf(2)},${idOf(3)}`]) {
    const { platform, client, got, take } = setup();
    client.subscribe("news", take, { after });
    const [subscribe] = await platform.socket.open();
    assert.equal(subscribe?.after, after);
    platform.socket.say(subscribed(3, subscribe), message(3), message(4));
    assert.deepEqual(got, ["4"]);
    client.close();
  }
  const { client, take } = setup();
  assert.throws(() => client.subscribe("news", take, { after: "nonsense" }), {
    code: "cursor_invalid",
  });
  client.close();
});

Deno.test("a gap is told, and takes the place of the cursor", async () => {
  const { platform, client, take } = setup(), gaps: Gap[] = [];
  client.subscribe("news", take, { after: cursorOf(1), onGap: (gap) => gaps.push(gap) });
  const [subscribe] = await platform.socket.open();
  platform.socket.say(subscribed(1, subscribe), gap(2, 40));
  assert.deepEqual(gaps, [
    { channel: "news", reason: "expired", missing: [{ origin: ORIGIN, from: 2, to: 40 }] },
  ]);
  await reconnect(platform);
  const [again] = await platform.socket.open();
  assert.equal(again?.after, cursorOf(40));
  client.close();
});

Deno.test("a subscription says how it stands", async () => {
  const { platform, client, take } = setup(), states: SubscriptionState[] = [];
  const subscription = client.subscribe("news", take, { onState: (state) => states.push(state) });
  assert.equal(subscription.state, "joining");
  const [subscribe] = await platform.socket.open();
  platform.socket.say(subscribed(0, subscribe), { op: "stale", channel: "news" });
  platform.socket.say({ op: "fresh", channel: "news" });
  platform.socket.end();
  await platform.advance(0);
  subscription.close();
  assert.deepEqual(states, ["live", "stale", "live", "joining", "closed"]);
  assert.equal(subscription.state, "closed");
  client.close();
});

Deno.test("what is refused ends that subscription and no other", async () => {
  const { platform, client, got, take } = setup(), errors: string[] = [];
  const secret = client.subscribe("secret", take, { onError: ({ code }) => errors.push(code) });
  client.subscribe("news", take);
  const [first, second] = await platform.socket.open();
  platform.socket.say(
    { op: "error", code: "forbidden", message: "no", ref: first?.ref },
    subscribed(0, second),
    message(1),
  );
  assert.deepEqual(errors, ["forbidden"]);
  assert.equal(secret.state, "closed");
  assert.deepEqual(got, ["1"]);
  assert.equal(client.state, "open");
  assert.deepEqual(await platform.socket.sent(), [], "it is not given back");
  client.close();
});

Deno.test("a subscribe that failed for now is asked again by another connection", async () => {
  const { platform, client, take } = setup();
  const subscription = client.subscribe("news", take);
  const [subscribe] = await platform.socket.open();
  platform.socket.say({ op: "error", code: "unavailable", message: "soon", ref: subscribe?.ref });
  assert.equal(platform.socket.closed, true);
  assert.equal(subscription.state, "joining");
  await platform.advance(1000);
  assert.equal((await platform.socket.open())[0]?.op, "subscribe");
  client.close();
});

Deno.test("subscriptions of one channel share a stream, and the last one ends it", async () => {
  const { platform, client, got, take } = setup();
  const one = client.subscribe("news", take);
  assert.equal((await platform.socket.open()).length, 2);
  const two = client.subscribe("news", (message) => take({ data: `again ${message.data}` }));
  assert.throws(() => client.subscribe("news", take, { after: "earliest" }), {
    code: "bad_request",
  });
  platform.socket.say(subscribed(0, { ref: 1 }), message(1));
  assert.deepEqual(got, ["1", "again 1"]);
  one.close();
  one.close();
  assert.deepEqual(await platform.socket.sent(), []);
  two.close();
  assert.deepEqual(await platform.socket.sent(), [{ op: "unsubscribe", channel: "news" }]);
  platform.socket.say(message(2));
  assert.equal(got.length, 2);
  client.close();
});

Deno.test("messages of an earlier subscription do not reach a later one of the same channel", async () => {
  const { platform, client, got, take } = setup();
  const first = client.subscribe("news", take);
  const [one] = await platform.socket.open();
  first.close();
  client.subscribe("news", take, { after: cursorOf(1) });
  const [, two] = await platform.socket.sent();
  // The relay answers the first subscribe, or not, and had sent a message before it read on.
  platform.socket.say(subscribed(8, one), message(9));
  platform.socket.say({ op: "unsubscribed", channel: "news" }, subscribed(1, two), message(2));
  assert.deepEqual(got, ["2"]);
  client.close();
});

Deno.test("a handler that throws disturbs nobody", async () => {
  const { platform, client, got, take } = setup(), thrown: unknown[] = [];
  const catchIt = (event: ErrorEvent) => {
    event.preventDefault();
    thrown.push(event.error);
  };
  addEventListener("error", catchIt);
  client.subscribe("news", () => {
    throw new Error("mine");
  });
  client.subscribe("news", take);
  const [subscribe] = await platform.socket.open();
  platform.socket.say(subscribed(0, subscribe), message(1));
  platform.socket.say(message(2));
  assert.deepEqual(got, ["1", "2"]);
  assert.equal(client.state, "open");
  await until(() => thrown.length === 2, "the errors");
  removeEventListener("error", catchIt);
  client.close();
});

Deno.test("a closed client takes nothing more", async () => {
  const { platform, client, got, take } = setup(), states: string[] = [];
  client.subscribe("news", take, { onState: (state) => states.push(state) });
  const [subscribe] = await platform.socket.open();
  platform.socket.say(subscribed(0, subscribe));
  client.close();
  platform.socket.say(message(1));
  assert.deepEqual(got, []);
  assert.deepEqual(states, ["live", "closed"]);
  assert.throws(() => client.subscribe("news", take), { code: "unavailable" });
  await assert.rejects(client.publish("news", "x"), { code: "unavailable" });
});
