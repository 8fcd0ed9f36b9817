import assert from "node:assert/strict";
import { MAX_DATA_BYTES } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { settle } from "./fake_host.ts";
import { errorOf, fixture, published } from "./fixture.ts";

const JSON_TYPE = { "content-type": "application/json" };

Deno.test("publishes the body as it is and answers id, channel and level", async () => {
  const { post, upstream } = fixture();
  const response = await post("/publish/news", "hello", { "content-type": "text/plain" });
  assert.equal(response.status, 200);
  const [message] = await published(upstream, "news");
  assert.equal(message?.data, "hello");
  const id = `${message.origin}.${message.slot.toString(36)}.1`;
  assert.deepEqual(await response.json(), { id, channel: "news", ack: "accepted" });
});

Deno.test("the channel is what follows /publish/, decoded once, or the query's", async () => {
  const names = [
    ["/publish/a/b", "a/b"],
    ["/publish/a%2Fb", "a/b"],
    ["/publish/a%252Fb", "a%2Fb"],
    ["/publish/a+b", "a+b"],
    ["/publish/100%25", "100%"],
    ["/publish/%F0%9F%90%9F", "🐟"],
    ["/publish//a/", "/a/"],
    ["/publish?channel=a%2Fb+c", "a/b c"],
    ["/publish/publish/x", "publish/x"],
  ] as const;
  for (const [target, channel] of names) {
    const { post } = fixture();
    assert.equal((await (await post(target, "x")).json()).channel, channel, target);
  }
});

Deno.test("options come by header or query, and the header wins", async () => {
  const { post, upstream } = fixture();
  await post("/publish/a?event=query", "1");
  await post("/publish/a?event=query", "2", { "groundwave-event": "header" });
  await post("/publish/a", "3", { "groundwave-event": latin1OfUtf8("größe 🐟") });
  assert.deepEqual(
    (await published(upstream, "a")).map(({ event }) => event),
    ["query", "header", "größe 🐟"],
  );
});

Deno.test("a body that says it is not encoded is taken as it is", async () => {
  const { post } = fixture();
  for (const encoding of ["identity", "Identity", ""]) {
    const response = await post("/publish/a", "x", { "content-encoding": encoding });
    assert.equal(response.status, 200, encoding);
  }
});

Deno.test("octet streams are binary, everything else is UTF-8 to the byte", async () => {
  const { post, upstream } = fixture();
  const bytes = new Uint8Array([0, 255, 254, 13, 10]);
  await post("/publish/a", bytes, { "content-type": "Application/Octet-Stream; x=y" });
  await post("/publish/a", "\uFEFFbom\0\r\n");
  await post("/publish/a");
  assert.deepEqual((await published(upstream, "a")).map(({ data }) => data), [
    bytes,
    "\uFEFFbom\0\r\n",
    "",
  ]);
});

const REFUSED: readonly [string, string, BodyInit, Record<string, string>?][] = [
  ["400 channel_invalid", "/publish/", "x"],
  ["400 channel_invalid", "/publish?channel=", "x"],
  ["400 channel_invalid", `/publish/${"x".repeat(513)}`, "x"],
  ["400 channel_invalid", `/publish/${"%C3%A9".repeat(257)}`, "x"],
  ["400 channel_invalid", "/publish/a%0Ab", "x"],
  ["400 channel_invalid", "/publish/a%C2%85b", "x"],
  ["400 channel_invalid", "/publish/%zz", "x"],
  ["400 channel_invalid", "/publish/%", "x"],
  ["400 channel_invalid", "/publish/%FF", "x"],
  ["400 channel_invalid", "/publish/%ED%A0%80", "x"],
  ["400 bad_request", "/publish?channel=%FF", "x"],
  ["400 bad_request", "/publish?channel=a&channel=b", "x"],
  ["400 bad_request", "/publish/a?channel=b", "x"],
  ["400 event_reserved", "/publish/a?event=gap", "x"],
  ["400 event_reserved", "/publish/a?event=groundwave.base64", "x"],
  ["400 event_reserved", "/publish/a", "x", { "groundwave-event": "error" }],
  ["400 bad_request", "/publish/a?event=", "x"],
  ["400 bad_request", "/publish/a?event=a%0Ab", "x"],
  ["400 encoding_invalid", "/publish/a", "x", { "groundwave-event": "\xE9" }],
  ["400 bad_request", "/publish/a?ack=maybe", "x"],
  ["400 bad_request", "/publish/a?order=partial", "x"],
  ["400 bad_request", "/publish/a", "x", { "groundwave-order": "" }],
  ["400 bad_request", "/publish/a?key=", "x"],
  ["400 bad_request", "/publish/a", "x", { "idempotency-key": "k".repeat(257) }],
  ["400 cursor_invalid", "/publish/a?after=nonsense", "x"],
  ["400 cursor_invalid", "/publish/a?after=", "x"],
  ["400 cursor_invalid", "/publish/a", "x", { "groundwave-after": "a.b.c" }],
  ["400 encoding_invalid", "/publish/a", new Uint8Array([0xff])],
  ["400 encoding_invalid", "/publish/a", new Uint8Array([0xed, 0xa0, 0x80])],
  ["413 too_large", "/publish/a", "x".repeat(MAX_DATA_BYTES + 1)],
  ["413 too_large", "/publish/a", new Uint8Array(MAX_DATA_BYTES + 1)],
  ["415 unsupported_media_type", "/publish/a", "x", { "content-encoding": "gzip" }],
  ["415 unsupported_media_type", "/publish", "x", { "content-type": "text/plain" }],
  ["503 not_replicated", "/publish/a?ack=replicated", "x"],
  ["503 not_archived", "/publish/a", "x", { "groundwave-ack": "archived" }],
];

Deno.test("bad publishes get the table's error and publish nothing", async () => {
  for (const [expected, target, body, headers] of REFUSED) {
    const { post, upstream } = fixture();
    const response = await post(target, body, headers);
    assert.equal(await errorOf(response), expected, target);
    assert.equal(response.headers.has("retry-after"), expected.startsWith("503"), target);
    assert.deepEqual(await published(upstream, "a"), []);
  }
});

Deno.test("a key by header or query answers the first id again, and 409 for other data", async () => {
  const { post, upstream } = fixture();
  const first = await (await post("/publish/a", "x", { "idempotency-key": latin1OfUtf8("größe") }))
    .json();
  const again = await (await post("/publish?channel=a&key=gr%C3%B6%C3%9Fe", "x")).json();
  assert.deepEqual(again, first);
  const conflict = await post("/publish/a?key=gr%C3%B6%C3%9Fe", "y");
  assert.equal(await errorOf(conflict), "409 key_conflict");
  assert.equal(conflict.headers.has("retry-after"), false);
  assert.equal((await published(upstream, "a")).length, 1);
  const messages = [1, 1, 2].map((data) => ({ channel: "b", data, key: "k", order: "total" }));
  const { results } = await (await post("/publish", JSON.stringify({ messages }), JSON_TYPE))
    .json();
  assert.equal(results[0].id, results[1].id);
  assert.equal(results[2].error.code, "key_conflict");
});

Deno.test("a full window is 429 with the time to wait", async () => {
  const { post, upstream } = fixture();
  upstream.publishError = new GroundwaveError("window_full", "full", { retryAfterS: 1.2 });
  const response = await post("/publish/a", "x");
  assert.equal(response.headers.get("retry-after"), "2");
  assert.equal(await errorOf(response), "429 window_full");
});

Deno.test("what is no error of the table is internal, and its text stays inside", async () => {
  const logged: unknown[] = [];
  const { post, upstream } = fixture({ log: (...line) => logged.push(line) });
  upstream.publishError = new Error("secret");
  const response = await post("/publish/a", "x");
  const body = await response.text();
  assert.equal(response.status, 500);
  assert.ok(!body.includes("secret"), body);
  assert.ok(JSON.stringify(logged).includes("secret"));
});

Deno.test("a body without a length is read up to the limit and no further", async () => {
  const { post, upstream } = fixture();
  const fine = await post("/publish/a", chunks(MAX_DATA_BYTES, 60_000).stream);
  assert.equal(fine.status, 200);
  assert.equal((await published(upstream, "a"))[0]?.data.length, MAX_DATA_BYTES);
  const large = chunks(100 * MAX_DATA_BYTES, 60_000);
  assert.equal(await errorOf(await post("/publish/a", large.stream)), "413 too_large");
  assert.ok(large.cancelled() && large.taken() < 2 * MAX_DATA_BYTES, String(large.taken()));
});

Deno.test("a body that is late, or breaks off, is a bad request", async () => {
  const { post, host } = fixture();
  const late = post("/publish/a", new ReadableStream({}));
  await settle();
  await host.pass(30_000);
  assert.equal(await errorOf(await late), "400 bad_request");
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
  assert.equal(await errorOf(await post("/publish/a", broken)), "400 bad_request");
  assert.equal(host.timers, 0);
});

Deno.test("all bodies together are bounded, and what was refused or done counts no more", async () => {
  const { post, upstream } = fixture({ limits: { bodiesBytes: 100_000 } });
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  const held = post("/publish/a", "x".repeat(80_000));
  await settle();
  const refused = await post("/publish/a", chunks(50_000, 1000).stream);
  assert.equal(await errorOf(refused), "429 rate_limited");
  assert.equal(await errorOf(await post("/publish/a", "x".repeat(30_000))), "429 rate_limited");
  gate.resolve();
  upstream.gate = undefined;
  assert.equal((await held).status, 200);
  assert.equal((await post("/publish/a", chunks(90_000, 1000).stream)).status, 200);
});

Deno.test("bodies that stand still give way, the stillest first, and only as many as need be", async () => {
  const { post, host } = fixture({ limits: { bodiesBytes: 100_000 } });
  const stuck = () => {
    const { promise, resolve } = Promise.withResolvers<ReadableStreamDefaultController>();
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new Uint8Array(40_000).fill(0x78));
        resolve(controller);
      },
    });
    return { answer: post("/publish/a", stream), controller: promise };
  };
  const first = stuck(), second = stuck();
  await settle();
  (await first.controller).enqueue(new Uint8Array(10_000).fill(0x78));
  await settle();
  assert.equal((await post("/publish/a", "x".repeat(20_000))).status, 200);
  assert.equal(await errorOf(await second.answer), "429 rate_limited");
  assert.equal((await post("/publish/a", chunks(50_000, 1000).stream)).status, 200);
  (await first.controller).close();
  assert.equal((await first.answer).status, 200);
  assert.equal((await post("/publish/a", chunks(100_000, 1000).stream)).status, 200);
  assert.equal(host.timers, 0);
});

Deno.test("a grant decides who may publish where", async () => {
  for (
    const [identified, expected] of [[true, "403 forbidden"], [false, "401 unauthorized"]] as const
  ) {
    const grant = { identified, publish: (c: string) => c === "mine", subscribe: () => false };
    const { post } = fixture({ grants: { of: () => Promise.resolve(grant) } });
    assert.equal((await post("/publish/mine", "x")).status, 200);
    assert.equal(await errorOf(await post("/publish/yours", "x")), expected);
    const messages = ["yours", "mine", "yours"].map((channel) => ({ channel, data: "x" }));
    const batch = await post("/publish", JSON.stringify({ messages }), JSON_TYPE);
    const { results } = await batch.json();
    assert.deepEqual(
      results.map(({ channel, error }: { channel?: string; error?: { code: string } }) =>
        channel ?? error?.code
      ),
      [expected.slice(4), "mine", expected.slice(4)],
    );
  }
});

function latin1OfUtf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** A body of `bytes` in pieces, and how much of it was wanted. */
function chunks(bytes: number, size: number) {
  let taken = 0, cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const length = Math.min(size, bytes - taken);
      taken += length;
      if (length === 0) controller.close();
      else controller.enqueue(new Uint8Array(length).fill(0x78));
    },
    cancel() {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { stream, taken: () => taken, cancelled: () => cancelled };
}
