/**
 * The client against a real edge, over real sockets.
 *
 * @module
 */
import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Client, connect, type Message, type TransportName } from "../../src/client/mod.ts";
import { type Platform, webPlatform } from "../../src/client/platform.ts";
import { served } from "../edge/fixture.ts";
import type { MemoryUpstream } from "../support/memory_upstream.ts";
import { until } from "../support/relays.ts";

const TRANSPORTS: readonly TransportName[] = ["websocket", "sse", "poll"];

/** Waits are a tenth of what they would be. */
const hasty: Platform = { ...webPlatform, after: (ms, fn) => webPlatform.after(ms / 10, fn) };

const PAYLOADS: Readonly<Record<string, string | Uint8Array>> = {
  text: "hello",
  lines: "one\ntwo\n\nfour\n",
  "CR LF": "one\r\ntwo\rthree",
  empty: "",
  "no bytes": new Uint8Array(),
  spaces: "  leading and trailing  ",
  emoji: "👩‍👩‍👧‍👦 e\u0301",
  NUL: "a\0b",
  BOM: "\uFEFFtext",
  "line separators": "a\u2028b\u2029c\u0085d",
  JSON: '{"op":"gap"}\n{"op":"message"}',
  bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  "1 MiB of text": "ä".repeat(512 * 1024),
  "1 MiB of quotes": '"'.repeat(1024 * 1024),
  "1 MiB of bytes": Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i % 251),
};

function open(url: string, transport: TransportName): Client {
  return connect(url, { transports: [transport], platform: hasty });
}

for (const transport of TRANSPORTS) {
  Deno.test(`${transport}: every kind of data arrives as it was published`, async () => {
    await served(async ({ url, upstream }) => {
      const client = open(url, transport), got: Message[] = [];
      const subscription = client.subscribe("{t}.news", (message) => got.push(message));
      await until(() => subscription.state === "live", "the subscription");
      for (const [name, data] of Object.entries(PAYLOADS)) {
        const { id, channel, ack } = await client.publish("{t}.news", data, { event: name });
        assert.deepEqual([channel, ack], ["{t}.news", "accepted"]);
        await until(() => got.at(-1)?.id === id, name);
        assert.equal(got.at(-1)?.event, name);
        assert.ok(same(got.at(-1)?.data, data), name);
      }
      assert.equal(got.length, Object.keys(PAYLOADS).length);
      await leave(client, upstream);
    });
  });

  Deno.test(`${transport}: nothing is lost or repeated while the relay drops its readers`, async () => {
    await served(async ({ url, upstream }) => {
      const client = open(url, transport), publisher = connect(url, { platform: hasty });
      const got: Record<string, string[]> = { a: [], b: [], "{a}.c": [] };
      const subscriptions = Object.entries(got).map(([channel, list]) =>
        client.subscribe(channel, ({ data }) => list.push(String(data)), { after: "earliest" })
      );
      for (let i = 0; i < 60; i++) {
        for (const channel of Object.keys(got)) await publisher.publish(channel, `${channel} ${i}`);
        if (i % 20 === 10) upstream.closeAll(new GroundwaveError("draining", "bye"));
      }
      for (const [channel, list] of Object.entries(got)) {
        await until(() => list.length >= 60, `all of ${channel}`);
        assert.deepEqual(list, Array.from({ length: 60 }, (_, i) => `${channel} ${i}`));
      }
      assert.ok(subscriptions.every(({ cursor }) => cursor !== undefined));
      publisher.close();
      await leave(client, upstream);
    });
  });

  Deno.test(`${transport}: what has expired is a gap, and errors name their code`, async () => {
    await served(async ({ url, upstream }) => {
      const client = open(url, transport), gaps: string[] = [], errors: string[] = [];
      const { id } = await client.publish("news", "first");
      for (let i = 0; i < 3; i++) await client.publish("news", "gone");
      upstream.forget();
      const got: string[] = [];
      client.subscribe("news", ({ data }) => got.push(String(data)), {
        after: id,
        onGap: ({ reason, missing }) =>
          gaps.push(`${reason} ${missing[0]?.from}-${missing[0]?.to}`),
      });
      await until(() => gaps.length > 0, "the gap");
      assert.deepEqual(gaps, ["expired 2-4"]);
      await client.publish("news", "later");
      await until(() => got.length > 0, "the message");
      assert.deepEqual(got, ["later"]);

      client.subscribe("bad\nname", () => {}, { onError: ({ code }) => errors.push(code) });
      await until(() => errors.length > 0, "the refusal");
      assert.deepEqual(errors, ["channel_invalid"]);
      await assert.rejects(client.publish("news", "x", { event: "gap" }), {
        code: "event_reserved",
      });
      await assert.rejects(client.publish("news", "x", { ack: "replicated" }), {
        code: "not_replicated",
      });
      await client.publish("news", "still there");
      await until(() => got.length === 2, "the next message");
      await leave(client, upstream);
    });
  });
}

Deno.test("where WebSockets do not get through, SSE does", async () => {
  await served(async ({ url, upstream }) => {
    const platform: Platform = {
      ...hasty,
      openSocket: (_url, protocol, events) =>
        hasty.openSocket(new URL(`${url}/no`), protocol, events),
    };
    const client = connect(url, { platform }), got: string[] = [];
    client.subscribe("news", ({ data }) => got.push(String(data)));
    await until(() => client.state === "open", "another transport");
    assert.equal(client.transport, "sse");
    await client.publish("news", "hello");
    await until(() => got.length === 1, "the message");
    await leave(client, upstream);
  });
});

/** Closes the client and waits until the relay has noticed. */
async function leave(client: Client, upstream: MemoryUpstream): Promise<void> {
  client.close();
  await until(() => upstream.subscriptions === 0, "the end of all subscriptions");
}

function same(a: string | Uint8Array | undefined, b: string | Uint8Array): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
