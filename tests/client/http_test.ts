import assert from "node:assert/strict";
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { type Client, connect, type TransportName } from "../../src/client/mod.ts";
import { FakePlatform, type FakeRequest, until } from "./fake_platform.ts";
import { cursorOf, gap, message, subscribed } from "./relay_words.ts";

interface Setup {
  readonly platform: FakePlatform;
  readonly client: Client;
  readonly got: string[];
  readonly take: (message: { readonly data: string | Uint8Array }) => void;
}

function setup(...transports: TransportName[]): Setup {
  const platform = new FakePlatform(), got: string[] = [];
  const client = connect("http://relay.test", { platform, transports });
  return { platform, client, got, take: ({ data }) => got.push(String(data)) };
}

const page = (cursor: string, messages: object[] = [], more: object = {}) =>
  Response.json({ messages, cursor, ...more });

const block = (seq: number) => `id: ${cursorOf(seq)}\ndata: ${JSON.stringify(message(seq))}\n\n`;

/** Gives the channel "news" its first cursor. */
async function admit(platform: FakePlatform, response: Response): Promise<FakeRequest> {
  const request = await platform.request("/poll");
  assert.equal(request.query.get("wait"), "0");
  request.respond(response);
  return request;
}

Deno.test("SSE: a channel is admitted by a page, then followed by a stream", async () => {
  const { platform, client, got, take } = setup("sse");
  const subscription = client.subscribe("news", take, { after: "earliest" });
  const first = await admit(platform, page(cursorOf(2), [message(1), message(2)]));
  assert.equal(first.query.get("after"), "earliest");
  const request = await platform.request("/sse");
  assert.deepEqual(Object.fromEntries(request.query), {
    channel: "news",
    after: cursorOf(2),
    format: "json",
  });
  const stream = request.stream();
  stream.write(`retry: 1000\nid: ${cursorOf(2)}\n\n${block(3)}`);
  stream.write(`event: gap\ndata: ${JSON.stringify(gap(4, 5))}\n\n`);
  stream.write(`event: stale\ndata: {"channel":"news"}\n\n${block(6)}`);
  await until(() => got.length === 4, "the messages");
  assert.deepEqual(got, ["1", "2", "3", "6"]);
  assert.equal(subscription.state, "stale");
  assert.equal(client.state, "open");
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("SSE: a stream that ends goes on after its last message", async () => {
  const { platform, client, got, take } = setup("sse");
  client.subscribe("news", take);
  await admit(platform, page(cursorOf(0)));
  const stream = (await platform.request("/sse")).stream();
  stream.write(block(1));
  await until(() => got.length === 1, "the message");
  stream.end();
  await until(() => client.state === "waiting", "the end");
  await platform.advance(1000);
  assert.equal((await platform.request("/sse")).query.get("after"), cursorOf(1));
  client.close();
});

Deno.test("SSE: silence and the relay's errors end a stream", async () => {
  for (const act of ["silence", "error", "garbage", "html"]) {
    const { platform, client, take } = setup("sse");
    client.subscribe("news", take);
    await admit(platform, page(cursorOf(0)));
    const request = await platform.request("/sse");
    if (act === "html") {
      request.respond(new Response("<html>", { headers: { "Content-Type": "text/html" } }));
    } else {
      const stream = request.stream();
      await until(() => client.state === "open", "the stream");
      const error = '{"op":"error","code":"draining","message":"bye"}';
      if (act === "error") stream.write(`event: error\ndata: ${error}\n\n`);
      else if (act === "garbage") stream.write("data: {\n\n");
      else await platform.advance(40_000);
    }
    await until(() => client.state === "waiting", act);
    assert.equal(client.error?.code, act === "error" ? "draining" : "unavailable", act);
    client.close();
  }
});

Deno.test("poll: pages follow one another", async () => {
  const { platform, client, got, take } = setup("poll");
  let gaps = 0;
  client.subscribe("news", take, { onGap: () => gaps++ });
  await admit(platform, page(cursorOf(0)));
  const first = await platform.request("/poll");
  assert.equal(first.query.get("after"), cursorOf(0));
  assert.equal(first.query.get("wait"), "25");
  first.respond(page(cursorOf(9), [message(8), message(9)], { gap: gap(1, 7) }));
  const second = await platform.request("/poll");
  assert.equal(second.query.get("after"), cursorOf(9));
  assert.deepEqual(got, ["8", "9"]);
  second.respond(page(cursorOf(9)));
  await until(() => platform.requests.every(({ seen }) => seen), "rest");
  await platform.advance(250);
  const third = await platform.request("/poll"), { length } = platform.requests;
  third.respond(page(cursorOf(9), [], { gap: gap(10, 11) }));
  await until(() => gaps === 2, "the gap");
  await platform.advance(249);
  assert.equal(platform.requests.length, length, "a gap alone is no reason to hurry");
  await platform.advance(1);
  await platform.request("/poll");
  client.close();
  assert.equal(platform.pending, 0);
});

Deno.test("poll: a page says whether its channels are stale", async () => {
  const { platform, client } = setup("poll");
  const states: string[] = [];
  client.subscribe("news", () => {}, { onState: (state) => states.push(state) });
  await admit(platform, page(cursorOf(0)));
  (await platform.request("/poll")).respond(page(cursorOf(0), [], { stale: ["news"] }));
  await until(() => states.includes("stale"), "stale");
  await platform.advance(250);
  (await platform.request("/poll")).respond(page(cursorOf(1), [message(1)]));
  await until(() => states.at(-1) === "live", "live again");
  assert.deepEqual(states, ["live", "stale", "live"]);
  client.close();
});

Deno.test("channels are followed from the place where they meet", async () => {
  const { platform, client, got, take } = setup("sse");
  client.subscribe("news", take);
  await admit(platform, page(cursorOf(5)));
  const alone = await platform.request("/sse");
  client.subscribe("{news}.b", take);
  await admit(platform, page(cursorOf(8)));
  const request = await platform.request("/sse");
  assert.equal(alone.init.signal?.aborted, true);
  assert.deepEqual(request.query.getAll("channel"), ["news", "{news}.b"]);
  const { slots } = parseCursor(request.query.get("after") ?? "");
  assert.deepEqual([...slots.get(slotOf("news"))?.values() ?? []], [5]);
  const other = JSON.stringify({ ...message(7), channel: "{news}.b" });
  request.stream().write(`${block(6)}data: ${other}\n\n${block(9)}`);
  await until(() => got.length === 2, "the messages");
  assert.deepEqual(got, ["6", "9"], "7 was before the other channel began");
  client.close();
});

Deno.test("a channel that is refused harms no other", async () => {
  const { platform, client, take } = setup("sse"), errors: string[] = [];
  client.subscribe("secret", take, { onError: ({ code }) => errors.push(code) });
  client.subscribe("news", take);
  const refused = await platform.request("/poll"), admitted = await platform.request("/poll");
  const error = { code: "forbidden", message: "no" };
  refused.respond(Response.json({ error }, { status: 403 }));
  admitted.respond(page(cursorOf(0)));
  const request = await platform.request("/sse");
  assert.deepEqual(request.query.getAll("channel"), ["news"]);
  assert.deepEqual(errors, ["forbidden"]);
  client.close();
});

Deno.test("no message is lost or repeated while transports take turns", async () => {
  const { platform, client, got, take } = setup("websocket", "sse", "poll");
  client.subscribe("news", take);
  const [subscribe] = await platform.socket.open();
  platform.socket.say(subscribed(0, subscribe), message(1), message(2));
  for (let attempt = 0; attempt < 3; attempt++) {
    platform.socket.end();
    await platform.advance(2500);
  }
  assert.equal(client.transport, "sse");
  const sse = await platform.request("/sse");
  assert.equal(sse.query.get("after"), cursorOf(2));
  sse.stream().write(`id: ${cursorOf(1)}\n\n${block(2)}${block(3)}`);
  await until(() => got.length === 3, "the message by SSE");
  await platform.advance(40_000);
  for (let attempt = 0; attempt < 2; attempt++) {
    await platform.advance(2500);
    (await platform.request("/sse")).respond(new Response("<html>", { status: 502 }));
    await until(() => client.state === "waiting", "the failure");
  }
  await platform.advance(5000);
  assert.equal(client.transport, "poll");
  const poll = await platform.request("/poll");
  assert.equal(poll.query.get("after"), cursorOf(3));
  poll.respond(page(cursorOf(5), [2, 3, 4, 5].map((seq) => message(seq))));
  await until(() => got.length === 5, "the messages by poll");
  assert.deepEqual(got, ["1", "2", "3", "4", "5"]);
  client.close();
});
