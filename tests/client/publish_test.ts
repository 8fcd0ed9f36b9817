import assert from "node:assert/strict";
import { type Client, connect } from "../../src/client/mod.ts";
import { FakePlatform } from "./fake_platform.ts";
import { cursorOf, idOf, message, subscribed } from "./relay_words.ts";

function setup(): { readonly platform: FakePlatform; readonly client: Client } {
  const platform = new FakePlatform();
  return { platform, client: connect("http://relay.test", { platform }) };
}

const ANSWER = { id: idOf(9), channel: "news", ack: "accepted" };

Deno.test("a publish goes over the open socket, and answers may come in any order", async () => {
  const { platform, client } = setup();
  await platform.socket.open();
  const text = client.publish("news", "hello", { event: "tick", ack: "replicated", key: "k" });
  const json = client.publish("news", { any: ["json", 1] });
  const bytes = client.publish("news", new Uint8Array([0, 1, 255]));
  const sent = await platform.socket.sent(), refs = sent.map(({ ref }) => ref);
  assert.deepEqual(
    sent,
    [
      { op: "publish", channel: "news", data: "hello", event: "tick", ack: "replicated", key: "k" },
      { op: "publish", channel: "news", data: '{"any":["json",1]}' },
      { op: "publish", channel: "news", data: "AAH/", encoding: "base64" },
    ].map((operation, i) => ({ ...operation, ref: refs[i] })),
  );
  platform.socket.say({ op: "published", ref: refs[1], id: idOf(2), ack: "accepted" });
  platform.socket.say({ op: "published", ref: refs[0], id: idOf(1), ack: "replicated" });
  platform.socket.say({ op: "error", ref: refs[2], code: "forbidden", message: "no" });
  assert.deepEqual(await json, { id: idOf(2), channel: "news", ack: "accepted" });
  assert.deepEqual(await text, { id: idOf(1), channel: "news", ack: "replicated" });
  await assert.rejects(bytes, { code: "forbidden", message: "no" });
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("without an open socket a publish is a POST", async () => {
  const { platform, client } = setup();
  platform.socket.end();
  const text = client.publish("a b/ü", "hello\r\n", { event: "tick" });
  const request = await platform.request("/publish");
  assert.deepEqual([...request.query], [["channel", "a b/ü"], ["event", "tick"]]);
  assert.equal(request.init.method, "POST");
  assert.equal(new Headers(request.init.headers).get("content-type"), "text/plain; charset=utf-8");
  assert.equal(request.init.body, "hello\r\n");
  request.respond(Response.json(ANSWER));
  assert.deepEqual(await text, ANSWER);

  const bytes = client.publish("news", new Uint8Array([1]));
  const binary = await platform.request("/publish");
  assert.equal(new Headers(binary.init.headers).get("content-type"), "application/octet-stream");
  assert.deepEqual(binary.init.body, new Uint8Array([1]));
  const error = { code: "window_full", message: "full" };
  binary.respond(Response.json({ error }, { status: 429, headers: { "Retry-After": "2" } }));
  await assert.rejects(bytes, { code: "window_full", options: { retryAfterS: 2 } });
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("a publish waits until its client would hear it", async () => {
  const { platform, client } = setup();
  client.subscribe("news", () => {});
  const published = client.publish("news", "hello");
  assert.deepEqual(await platform.socket.sent(), []);
  const [subscribe, ping] = await platform.socket.open();
  assert.deepEqual([subscribe?.op, ping?.op], ["subscribe", "ping"]);
  assert.deepEqual(await platform.socket.sent(), []);
  platform.socket.say(subscribed(0, subscribe));
  const [sent] = await platform.socket.sent();
  assert.equal(sent?.data, "hello");
  platform.socket.say({ op: "published", ref: sent?.ref, id: idOf(1), ack: "accepted" });
  assert.equal((await published).id, idOf(1));
  assert.equal(platform.requests.length, 0);
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("a publish does not wait for ever", async () => {
  const { platform, client } = setup();
  const subscription = client.subscribe("slow", () => {});
  await platform.socket.open();
  const patient = client.publish("slow", "1"), failed = assert.rejects(patient);
  await platform.advance(3000);
  assert.equal((await platform.socket.sent())[0]?.data, "1");

  const freed = assert.rejects(client.publish("slow", "2"));
  subscription.close();
  assert.deepEqual((await platform.socket.sent()).map(({ op }) => op), ["unsubscribe", "publish"]);

  client.subscribe("slow", () => {});
  const interrupted = client.publish("slow", "3");
  platform.socket.end();
  const request = await platform.request("/publish");
  request.respond(Response.json(ANSWER));
  assert.deepEqual(await interrupted, ANSWER);
  await failed;
  await freed;
  client.close();
  assert.equal(platform.pending, 0);

  const other = setup();
  const given = assert.rejects(other.client.publish("news", "x"), { code: "unavailable" });
  other.client.close();
  await given;
  assert.equal(other.platform.requests.length, 0);
});

Deno.test("what is too long for a frame is a POST as well", async () => {
  const { platform, client } = setup();
  await platform.socket.open();
  for (const data of ["x".repeat(1024 * 1024), new Uint8Array(1024 * 1024)]) {
    const published = client.publish("news", data);
    const request = await platform.request("/publish");
    request.respond(Response.json(ANSWER));
    assert.deepEqual(await published, ANSWER);
  }
  assert.deepEqual(await platform.socket.sent(), []);
  client.close();
});

Deno.test("a publish without an answer is rejected, and never repeated", async () => {
  const { platform, client } = setup(), { socket } = platform;
  await socket.open();
  const lost = client.publish("news", "lost");
  await socket.sent();
  socket.end();
  await assert.rejects(lost, (error: { code: string; message: string; class: object }) => {
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /may or may not/);
    return true;
  });
  await platform.advance(1000);
  assert.notEqual(platform.socket, socket);
  const operations = await platform.socket.open();
  assert.deepEqual(operations.map(({ op }) => op), ["ping"]);
  assert.equal(platform.requests.length, 0);

  const late = client.publish("news", "late");
  const rejected = assert.rejects(late, { code: "unavailable" });
  for (let s = 0; s < 15; s++) {
    platform.socket.say({ op: "pong" });
    await platform.advance(1000);
  }
  await rejected;
  client.close();
});

Deno.test("a POST that is not answered is rejected", async () => {
  const { platform, client } = setup();
  platform.socket.end();
  const failed = client.publish("news", "x");
  (await platform.request("/publish")).fail();
  await assert.rejects(failed, { code: "unavailable" });

  const silent = assert.rejects(client.publish("news", "x"), { code: "unavailable" });
  await platform.request("/publish");
  await platform.advance(15_000);
  await silent;

  const proxied = client.publish("news", "x");
  (await platform.request("/publish")).respond(new Response("<html>", { status: 502 }));
  await assert.rejects(proxied, { code: "unavailable", message: "HTTP 502" });
  client.close();
});

Deno.test("a publish comes after what was got in its slot, unless the caller says otherwise", async () => {
  const { platform, client } = setup(), { socket } = platform;
  client.subscribe("news", () => {});
  const [subscribe] = await socket.open();
  socket.say(subscribed(3, subscribe), message(4));
  const cases = [
    { channel: "news", options: {}, after: cursorOf(4) },
    { channel: "{news}.replies", options: {}, after: cursorOf(4) },
    { channel: "elsewhere", options: {}, after: undefined },
    { channel: "news", options: { after: idOf(2) }, after: idOf(2) },
    { channel: "news", options: { after: null }, after: undefined },
  ];
  for (const { channel, options, after } of cases) {
    const published = client.publish(channel, "x", options);
    const [sent] = await socket.sent();
    assert.equal(sent?.after, after, channel);
    socket.say({ op: "published", ref: sent?.ref, id: idOf(1), ack: "accepted" });
    await published;
  }
  client.close();
});

Deno.test("buffers and views are bytes, all else is its JSON text", async () => {
  const { platform, client } = setup(), { buffer } = new Uint8Array([9, 1, 2]);
  await platform.socket.open();
  const cases = [
    { data: buffer, sent: "CQEC", encoding: "base64" },
    { data: new DataView(buffer, 1), sent: "AQI=", encoding: "base64" },
    { data: [1, null], sent: "[1,null]", encoding: undefined },
    { data: null, sent: "null", encoding: undefined },
    { data: 5, sent: "5", encoding: undefined },
  ];
  for (const { data, sent, encoding } of cases) {
    const published = client.publish("news", data);
    const [operation] = await platform.socket.sent();
    assert.deepEqual([operation?.data, operation?.encoding], [sent, encoding]);
    platform.socket.say({ op: "published", ref: operation?.ref, id: idOf(1), ack: "accepted" });
    await published;
  }
  await assert.rejects(client.publish("news", () => {}), { code: "bad_request" });
  client.close();
});

Deno.test("a socket that refuses to send is a connection lost", async () => {
  const { platform, client } = setup(), { socket } = platform;
  await socket.open();
  socket.send = () => {
    throw new DOMException("closing", "InvalidStateError");
  };
  await assert.rejects(client.publish("news", "x"), { code: "unavailable" });
  assert.equal(client.state, "waiting");
  client.close();
});

Deno.test("data that is no text or too much is refused before it is sent", async () => {
  const { platform, client } = setup();
  await assert.rejects(client.publish("news", "\ud800"), { code: "encoding_invalid" });
  await assert.rejects(client.publish("news", "x".repeat(1024 * 1024 + 1)), { code: "too_large" });
  assert.equal(platform.requests.length, 0);
  client.close();
});

Deno.test("publishes without answers are bounded", async () => {
  const { platform, client } = setup();
  await platform.socket.open();
  const all = Array.from({ length: 501 }, (_, i) => client.publish("news", `${i}`));
  const outcomes = Promise.allSettled(all);
  await assert.rejects(all[500] ?? Promise.resolve(), { code: "window_full" });
  assert.equal((await platform.socket.sent()).length, 500);
  client.close();
  assert.ok((await outcomes).every(({ status }) => status === "rejected"));
});
