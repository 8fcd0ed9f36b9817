import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { settle } from "./fake_host.ts";
import { errorOf, fixture, StreamReader } from "./fixture.ts";

Deno.test("a stream begins with when to come back and where it stands", async () => {
  const { ask, host, upstream } = fixture();
  host.randomNow = 0.25;
  const response = await ask("/sse?channel=a");
  assert.equal(response.status, 200);
  const headers = Object.fromEntries(response.headers);
  assert.equal(headers["content-type"], "text/event-stream");
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["x-accel-buffering"], "no");
  const stream = new StreamReader(response);
  const first = await stream.next();
  const { cursor } = await upstream.read({ channels: ["a"], start: "live", limit: 1 });
  assert.deepEqual(first, { event: "message", data: undefined, id: cursor });
  assert.ok(stream.text.startsWith("retry: 1500\n"), stream.text);
  await stream.cancel();
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("raw carries text and event name as they are, and in base64 what lines cannot", async () => {
  const { ask, upstream } = fixture();
  const drafts = [
    { data: "one\ntwo\n" },
    { data: "" },
    { data: " leading", event: "tick" },
    { data: "nul\0 \uFEFFbom 🐟" },
    { data: "cr\rlf\r\n" },
    { data: new Uint8Array([0, 255]), event: "tick" },
  ];
  for (const draft of drafts) await upstream.publish({ channel: "a", ...draft });
  const stream = new StreamReader(await ask("/sse?channel=a&after=earliest"));
  await stream.next();
  const seen = [];
  for (const _ of drafts) {
    const block = await stream.next();
    seen.push([block?.event, block?.data]);
  }
  assert.deepEqual(seen, [
    ["message", "one\ntwo\n"],
    ["message", ""],
    ["tick", " leading"],
    ["message", "nul\0 \uFEFFbom 🐟"],
    ["groundwave.base64", btoa("cr\rlf\r\n")],
    ["groundwave.base64", "AP8=\ntick"],
  ]);
  assert.ok(stream.text.includes("\ndata: one\ndata: two\ndata: \n\n"));
  assert.ok(stream.text.includes("\ndata: \n\n"));
  await stream.cancel();
});

Deno.test("several channels come as JSON unless asked for otherwise", async () => {
  const { ask, upstream } = fixture();
  const json = new StreamReader(await ask("/sse?channel=a&channel=b&channel=a"));
  const raw = new StreamReader(await ask("/sse?channel=a&channel=b&format=raw"));
  const one = new StreamReader(await ask("/sse?channel=b&format=json"));
  for (const stream of [json, raw, one]) await stream.next();
  await settle();
  await upstream.publish({ channel: "b", data: "x", event: "tick" });
  const { id } = await upstream.publish({ channel: "b", data: new Uint8Array([1]) });
  assert.equal((await raw.next())?.data, "x");
  for (const stream of [json, one]) {
    await stream.next();
    assert.deepEqual(JSON.parse((await stream.next())?.data ?? ""), {
      op: "message",
      channel: "b",
      id,
      data: "AQ==",
      time: 1_700_000_000_001,
      encoding: "base64",
    });
  }
  for (const stream of [json, raw, one]) await stream.cancel();
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("every id continues exactly after it; Last-Event-ID wins over after", async () => {
  const { ask, upstream } = fixture();
  for (const data of ["1", "2", "3"]) await upstream.publish({ channel: "a", data });
  const first = new StreamReader(await ask("/sse?channel=a&after=earliest"));
  const ids: string[] = [];
  for (let count = 0; count < 4; count++) ids.push((await first.next())?.id ?? "");
  await first.cancel();
  for (const [at, id] of ids.slice(0, 3).entries()) {
    const headers = { "last-event-id": id };
    const stream = new StreamReader(await ask("/sse?channel=a&after=earliest", { headers }));
    await stream.next();
    assert.equal((await stream.next())?.data, String(at + 1));
    await stream.cancel();
  }
  const headers = { "last-event-id": "" };
  const stream = new StreamReader(await ask(`/sse?channel=a&after=${ids[2]}`, { headers }));
  await stream.next();
  assert.equal((await stream.next())?.data, "3");
  await stream.cancel();
});

Deno.test("gaps and staleness are events of their own", async () => {
  const { ask, upstream } = fixture();
  const { cursor } = await upstream.read({ channels: ["a"], start: "earliest", limit: 1 });
  await upstream.publish({ channel: "a", data: "lost" });
  upstream.forget();
  const stream = new StreamReader(await ask(`/sse?channel=a&after=${cursor}`));
  await stream.next();
  const gap = await stream.next();
  assert.equal(gap?.event, "gap");
  const told = JSON.parse(gap.data ?? "");
  assert.deepEqual(told, {
    op: "gap",
    channel: "a",
    reason: "expired",
    missing: [{ origin: "memory00", from: 1, to: 1 }],
    cursor: gap.id,
  });
  upstream.emit({ type: "stale", channel: "a" });
  upstream.emit({ type: "fresh", channel: "a" });
  assert.deepEqual(await stream.next(), {
    event: "stale",
    data: '{"op":"stale","channel":"a"}',
    id: undefined,
  });
  assert.equal((await stream.next())?.event, "fresh");
  await stream.cancel();
});

Deno.test("silence is broken by a comment and the cursor; messages put it off", async () => {
  const { ask, host, upstream } = fixture({ limits: { keepAliveMs: 15_000 } });
  const stream = new StreamReader(await ask("/sse?channel=a"));
  await stream.next();
  await host.pass(10_000);
  await upstream.publish({ channel: "a", data: "x" });
  await host.pass(14_000);
  await upstream.publish({ channel: "a", data: "y" });
  const x = await stream.next(), y = await stream.next();
  assert.deepEqual([x?.data, y?.data], ["x", "y"]);
  await host.pass(17_000);
  assert.deepEqual(await stream.next(), { event: "message", data: undefined, id: y?.id });
  assert.ok(stream.text.endsWith(`:\n\nid: ${y?.id}\n\n`));
  await stream.cancel();
  await host.pass(2000);
  assert.equal(host.timers, 0);
});

Deno.test("what one turn brings is one chunk, the same for all readers", async () => {
  const { ask, upstream } = fixture();
  const readers = [];
  for (let at = 0; at < 2; at++) {
    const { body } = await ask("/sse?channel=a");
    assert.ok(body);
    readers.push(body.getReader());
  }
  for (const reader of readers) await reader.read();
  await settle();
  for (let count = 0; count < 500; count++) void upstream.publish({ channel: "a", data: "x" });
  const chunks = await Promise.all(readers.map((reader) => reader.read()));
  const [text, other] = chunks.map(({ value }) => value);
  assert.equal(new TextDecoder().decode(text).match(/^data: x$/gm)?.length, 500);
  assert.equal(text, other);
  for (const reader of readers) await reader.cancel();
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("a full stream rests, goes on where it was, and costs no more meanwhile", async () => {
  const { ask, upstream } = fixture({ limits: { sseBytes: 1000 } });
  const stream = new StreamReader(await ask("/sse?channel=a"));
  await settle();
  for (let count = 0; count < 200; count++) {
    await upstream.publish({ channel: "a", data: `${count} ${"x".repeat(50)}` });
  }
  await stream.next();
  for (let count = 0; count < 200; count++) {
    assert.equal((await stream.next())?.data?.split(" ")[0], String(count));
  }
  assert.equal(stream.text.match(/retry/g)?.length, 1);
  await stream.cancel();
});

Deno.test("who takes nothing for too long is told so and let go", async () => {
  const { ask, host, upstream } = fixture({ limits: { sseBytes: 100, slowReaderMs: 10_000 } });
  const stream = new StreamReader(await ask("/sse?channel=a"));
  await settle();
  for (let count = 0; count < 5; count++) {
    await upstream.publish({ channel: "a", data: "x".repeat(200) });
  }
  await host.pass(9000);
  assert.equal(upstream.subscriptions, 1);
  await host.pass(3000);
  assert.equal(upstream.subscriptions, 0);
  const events: (string | undefined)[] = [];
  for (let block = await stream.next(); block; block = await stream.next()) {
    events.push(block.event);
    if (block.event === "error") assert.equal(JSON.parse(block.data ?? "").code, "slow_reader");
  }
  assert.equal(events.at(-1), "error");
});

Deno.test("the relay's end of a subscription ends the stream with the reason", async () => {
  const { ask, upstream } = fixture();
  const stream = new StreamReader(await ask("/sse?channel=a"));
  await stream.next();
  upstream.closeAll(new GroundwaveError("slow_reader", "too far behind"));
  const error = await stream.next();
  assert.deepEqual([error?.event, error?.data], [
    "error",
    '{"op":"error","code":"slow_reader","message":"too far behind"}',
  ]);
  assert.equal(await stream.next(), undefined);
});

Deno.test("HEAD checks the request and opens nothing", async () => {
  const { ask, upstream } = fixture();
  const response = await ask("/sse?channel=a", { method: "HEAD" });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.body, null);
  assert.equal(upstream.subscriptions, 0);
  assert.equal((await ask("/sse", { method: "HEAD" })).status, 400);
});

Deno.test("a reader that leaves while the relay prepares holds nothing", async () => {
  const { ask, upstream } = fixture();
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  const asking = ask("/sse?channel=a");
  await settle();
  gate.resolve();
  await (await asking).body?.cancel();
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("bad requests get the table's error", async () => {
  const many = Array.from({ length: 1001 }, (_, at) => `channel=c${at}`).join("&");
  const refused: [string, string, Record<string, string>?][] = [
    ["400 bad_request", "/sse"],
    ["400 channel_invalid", "/sse?channel="],
    ["400 channel_invalid", "/sse?channel=a&channel=%00"],
    ["400 bad_request", "/sse?channel=%FF"],
    ["400 bad_request", `/sse?${many}`],
    ["400 bad_request", "/sse?channel=a&format=xml"],
    ["400 bad_request", "/sse?channel=a&after=earliest&after=earliest"],
    ["400 cursor_invalid", "/sse?channel=a&after="],
    ["400 cursor_invalid", "/sse?channel=a&after=live"],
    ["400 cursor_invalid", "/sse?channel=a&after=%20"],
    ["400 cursor_invalid", `/sse?channel=a&after=1${"A".repeat(9000)}`],
    ["400 cursor_invalid", "/sse?channel=a&after=earliest", { "last-event-id": "nonsense" }],
    ["400 cursor_invalid", "/sse?channel=a", { "last-event-id": "earliest-ish" }],
  ];
  for (const [expected, target, headers = {}] of refused) {
    const { ask, upstream } = fixture();
    assert.equal(await errorOf(await ask(target, { headers })), expected, target);
    assert.equal(upstream.subscriptions, 0);
  }
  const { message } = (await (await fixture().ask("/sse")).json()).error;
  assert.equal(message, "channels: none is named: add channel=NAME");
});

Deno.test("1000 channels are one stream", async () => {
  const { ask, upstream } = fixture();
  const names = Array.from({ length: 1000 }, (_, at) => `c${at}`);
  const target = `/sse?${names.map((name) => `channel=${name}`).join("&")}`;
  const stream = new StreamReader(await ask(target));
  await stream.next();
  await settle();
  await upstream.publish({ channel: "c999", data: "x" });
  assert.equal(JSON.parse((await stream.next())?.data ?? "").channel, "c999");
  await stream.cancel();
});
