/** Batches of publishes. */
import assert from "node:assert/strict";
import { MAX_DATA_BYTES } from "../../relay/protocol/data.ts";
import { errorOf, fixture, published } from "./fixture.ts";

const JSON_TYPE = { "content-type": "application/json" };

Deno.test("a batch is answered item by item, in order", async () => {
  const { post, upstream } = fixture();
  const messages = [
    { channel: "a", data: "x" },
    { channel: "a", data: { any: ["json", 1] }, event: "tick" },
    { channel: "a", data: "AAEC", encoding: "base64" },
    { channel: "a", data: null },
    { channel: "", data: "x" },
    { channel: "a" },
    { channel: "a", data: "AAE", encoding: "base64" },
    { channel: "a", data: "AAF=", encoding: "base64" },
    { channel: "a", data: 1, encoding: "base64" },
    { channel: "a", data: "x", encoding: "hex" },
    { channel: "a", data: "\ud800" },
    { channel: "a", data: "x", event: "stale" },
    { channel: "a", data: "x", key: "" },
    { channel: "a", data: "x", order: "partial" },
    { channel: "a", data: "x", after: "?" },
    { channel: "a", data: "é".repeat(MAX_DATA_BYTES / 2 + 1) },
    "text",
    null,
    { channel: "a", data: "last" },
  ];
  const response = await post("/publish", JSON.stringify({ messages }), JSON_TYPE);
  const { results } = await response.json();
  assert.deepEqual(
    results.map((result: { ack?: string; error?: { code: string } }) =>
      result.ack ?? result.error?.code
    ),
    [
      ...Array(4).fill("accepted"),
      "channel_invalid",
      "bad_request",
      "encoding_invalid",
      "encoding_invalid",
      "encoding_invalid",
      "bad_request",
      "encoding_invalid",
      "event_reserved",
      "bad_request",
      "bad_request",
      "cursor_invalid",
      "too_large",
      "bad_request",
      "bad_request",
      "accepted",
    ],
  );
  assert.deepEqual((await published(upstream, "a")).map(({ data }) => data), [
    "x",
    '{"any":["json",1]}',
    new Uint8Array([0, 1, 2]),
    "null",
    "last",
  ]);
});

Deno.test("a batch may be lines, and its level stands beside or above it", async () => {
  const { post } = fixture();
  const lines = '{"channel":"a","data":1}\n\r\n{"channel":"b","data":"2","ack":"accepted"}\n';
  const response = await post("/publish?ack=replicated", lines, {
    "content-type": "application/x-ndjson",
  });
  const { results } = await response.json();
  assert.equal(results[0].error.code, "not_replicated");
  assert.equal(results[1].ack, "accepted");
  const batch = { messages: [{ channel: "a", data: "x" }], ack: "archived" };
  const above = await (await post("/publish", JSON.stringify(batch), JSON_TYPE)).json();
  assert.equal(above.results[0].error.code, "not_archived");
});

Deno.test("a line that is not JSON is answered in its place", async () => {
  const { post, upstream } = fixture();
  const lines = '{"channel":"a","data":"1"}\n{"channel":"a","data\n{"channel":"a","data":"2"}';
  const response = await post("/publish", lines, { "content-type": "application/x-ndjson" });
  const { results } = await response.json();
  assert.deepEqual(
    results.map(({ ack, error }: { ack?: string; error?: { code: string } }) => ack ?? error?.code),
    ["accepted", "bad_request", "accepted"],
  );
  assert.deepEqual((await published(upstream, "a")).map(({ data }) => data), ["1", "2"]);
});

Deno.test("a batch is refused whole when it cannot be read as one", async () => {
  const refused: [string, BodyInit, Record<string, string>?, string?][] = [
    ["400 bad_request", "{"],
    ["400 bad_request", ""],
    ["400 bad_request", "[]"],
    ["400 bad_request", '{"messages":{}}'],
    ["400 bad_request", '{"messages":[],"ack":"no"}'],
    ["400 bad_request", '{"messages":[]}', JSON_TYPE, "/publish?event=e"],
    ["400 encoding_invalid", new Uint8Array([0x22, 0xff, 0x22])],
    ["413 too_large", JSON.stringify({ messages: Array(1001).fill(0) })],
    ["413 too_large", `{"messages":["${"x".repeat(8 * MAX_DATA_BYTES)}"]}`],
  ];
  for (const [expected, body, headers = JSON_TYPE, target = "/publish"] of refused) {
    const { post } = fixture();
    assert.equal(
      await errorOf(await post(target, body, headers)),
      expected,
      String(body).slice(0, 60),
    );
  }
});
