import assert from "node:assert/strict";
import { openBackbone } from "../../backbone/endpoint.ts";
import { parseCursor } from "../../relay/protocol/cursor.ts";
import type { RelayLog } from "../../relay/options.ts";
import type { Relay } from "../../relay/relay.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { AckLevel, Start } from "../../relay/protocol/upstream.ts";
import { freeLan, type Lan, metric, startTestRelay, until } from "../support/relays.ts";
import { RecordingSink } from "../support/recording_sink.ts";

async function withRelays(
  count: number,
  body: (relays: readonly Relay[], lan: Lan) => Promise<void>,
): Promise<void> {
  const lan = freeLan();
  const relays: Relay[] = [];
  try {
    for (let i = 0; i < count; i++) relays.push(await startTestRelay(lan, { id: `relay ${i}` }));
    await Promise.all(relays.map((relay) => relay.settled));
    await body(relays, lan);
  } finally {
    await Promise.all(relays.map((relay) => relay.close()));
  }
}

async function follow(relay: Relay | undefined, start: Start = "live", channel = "news") {
  assert.ok(relay);
  const sink = new RecordingSink();
  const subscription = await relay.upstream.subscribe({ channels: [channel], start }, sink);
  const { recovered } = subscription;
  subscription.resume();
  return { sink, subscription, recovered };
}

/** At the level that needs nobody else, unless told otherwise. */
function publish(
  relay: Relay | undefined,
  data: string,
  { channel = "news", ack = "accepted" as AckLevel } = {},
) {
  assert.ok(relay);
  return relay.upstream.publish({ channel, data, ack });
}

Deno.test("what is published on either of two relays arrives on both, in order, once", () =>
  withRelays(2, async ([a, b]) => {
    const onA = await follow(a), onB = await follow(b);
    for (let i = 0; i < 50; i++) {
      await publish(a, `a${i}`);
      await publish(b, `b${i}`);
    }
    await Promise.all([onA.sink.until(100), onB.sink.until(100)]);
    for (const { sink } of [onA, onB]) {
      for (const from of ["a", "b"]) {
        const texts = sink.texts.filter((text) => String(text).startsWith(from));
        assert.deepEqual(texts, Array.from({ length: 50 }, (_, i) => `${from}${i}`));
      }
    }
  }));

Deno.test("a reader goes on at the other relay exactly after its cursor", () =>
  withRelays(2, async ([a, b]) => {
    const first = await follow(a);
    await follow(b);
    for (const text of ["1", "2", "3", "4"]) await publish(a, text);
    await first.sink.until(4);
    const second = await follow(b, parseCursor(first.sink.cursors[1] ?? ""));
    assert.equal(second.recovered, true);
    await second.sink.until(2);
    assert.deepEqual(second.sink.texts, ["3", "4"]);
  }));

Deno.test("a relay that never heard a group fetches its history from a peer", () =>
  withRelays(2, async ([a, b]) => {
    const first = await follow(a);
    for (const text of ["1", "2", "3"]) await publish(a, text);
    await first.sink.until(3);
    const second = await follow(b, parseCursor(first.sink.cursors[0] ?? ""));
    assert.equal(second.recovered, true);
    await second.sink.until(2);
    assert.deepEqual(second.sink.texts, ["2", "3"]);
  }));

Deno.test("who joins a group is told where its sources stand, so that nothing is missed after what it fetched", () =>
  withRelays(1, async ([a], lan) => {
    assert.ok(a);
    await publish(a, "before");
    const starts: [string, number][] = [];
    const b = await startTestRelay(lan, {
      id: "late",
      async openBackbone(options, events) {
        const backbone = await openBackbone(options, events);
        const startAt = backbone.startAt.bind(backbone);
        backbone.startAt = (group, origin, position) => {
          starts.push([origin, position]);
          startAt(group, origin, position);
        };
        return backbone;
      },
    });
    try {
      await b.settled;
      const { sink } = await follow(b, "earliest");
      await sink.until(1);
      assert.ok(starts.length > 0 && starts.every(([origin]) => origin === a.upstream.node.origin));
    } finally {
      await b.close();
    }
  }));

Deno.test("a live reader on a relay that joins late gets no history and no gap", () =>
  withRelays(2, async ([a, b]) => {
    for (const text of ["old", "older"]) await publish(a, text);
    const late = await follow(b);
    await publish(a, "new");
    await late.sink.until(1);
    assert.deepEqual(late.sink.texts, ["new"]);
  }));

Deno.test("a relay that restarts resumes its readers from the other's log, without a gap", () =>
  withRelays(1, async ([b], lan) => {
    const a = await startTestRelay(lan);
    await a.settled;
    const onB = await follow(b);
    const onA = await follow(a);
    await publish(a, "from a");
    await publish(b, "from b");
    await Promise.all([onA.sink.until(2), onB.sink.until(2)]);
    await a.close();
    await publish(b, "while a was down");
    const again = await startTestRelay(lan);
    try {
      const resumed = await follow(again, parseCursor(onA.sink.cursors.at(-1) ?? ""));
      assert.equal(resumed.recovered, true);
      await resumed.sink.until(1);
      assert.deepEqual(resumed.sink.texts, ["while a was down"]);
    } finally {
      await again.close();
    }
  }));

Deno.test("a cursor ahead of a relay's log is no gap, though nobody holds what it names", () =>
  withRelays(2, async ([a, b]) => {
    const onA = await follow(a);
    await publish(a, "1");
    await onA.sink.until(1);
    const cursor = parseCursor(onA.sink.cursors[0] ?? "");
    await a?.close();
    const onB = await follow(b, cursor);
    assert.equal(onB.recovered, true);
    await publish(b, "2");
    await onB.sink.until(1);
    assert.deepEqual(onB.sink.texts, ["2"]);
  }));

Deno.test("a relay publishes to groups that it does not hear", () =>
  withRelays(3, async (relays) => {
    const [a] = relays, channels = ["a", "b", "c", "d"];
    assert.equal(new Set(channels.map((channel) => slotOf(channel) % 4)).size, 4);
    const sink = new RecordingSink();
    (await a!.upstream.subscribe({ channels, start: "live" }, sink)).resume();
    const custodians = () => relays.map((relay) => metric(relay, "custody_ready"));
    await until(() => custodians().reduce((sum, n) => sum + n) === 8, "two keep each group");
    assert.ok(custodians().some((groups) => groups < 4), "not everybody keeps all");
    for (const relay of relays) {
      for (const channel of channels) await publish(relay, "x", { channel, ack: "replicated" });
    }
    await sink.until(12);
  }));

Deno.test("`after` is cut to what exists, and fetched where a peer has it", () =>
  withRelays(2, async ([a, b]) => {
    const onA = await follow(a);
    await publish(a, "question");
    await onA.sink.until(1);
    const cursor = parseCursor(onA.sink.cursors[0] ?? "");
    await b?.upstream.publish({ channel: "news", data: "answer", after: cursor });
    await onA.sink.until(2);
    const slots = new Map([...cursor.slots].map(([slot, vector]) => {
      return [slot, new Map([...vector].map(([origin, seq]) => [origin, seq + 1000]))] as const;
    }));
    await b?.upstream.publish({ channel: "news", data: "beyond", after: { ...cursor, slots } });
    await onA.sink.until(3);
    assert.deepEqual(onA.sink.texts, ["question", "answer", "beyond"]);
    const event = onA.sink.events[2];
    assert.ok(event?.type === "message");
    const [, stated] = [...cursor.slots][0] ?? [];
    assert.deepEqual(
      [...event.message.after ?? []],
      [...stated ?? []].filter(([, seq]) => seq > 0),
    );
  }));

Deno.test("peers come into view, and say goodbye when they leave it", () =>
  withRelays(1, async ([b], lan) => {
    assert.ok(b);
    const left: unknown[] = [];
    const log: RelayLog = (_level, text, fields) => {
      if (text === "peer left") left.push(fields?.["reason"]);
    };
    const a = await startTestRelay(lan, { id: "witness", log });
    try {
      await until(() => metric(a, "relay_peers") === 1, "a sees b");
      await until(() => a.upstream.readiness().ready, "a is ready");
      await b.close();
      await until(() => metric(a, "relay_peers") === 0, "b has left");
      assert.deepEqual(left, ["leaving"]);
    } finally {
      await a.close();
    }
  }));

Deno.test("channels that were only looked at cost nothing afterwards", () =>
  withRelays(1, async ([a]) => {
    assert.ok(a);
    const channels = Array.from({ length: 100 }, (_, i) => `idle ${i}`);
    await a.upstream.read({ channels, start: "earliest", limit: 10 });
    const followed = await follow(a, "live", "one");
    const after = { slots: new Map([[7, new Map([["stranger", 3]])]]), asOfMs: undefined };
    await a.upstream.publish({ channel: "one", data: "x", after });
    await followed.sink.until(1);
    followed.subscription.close();
    assert.equal(metric(a, "relay_slots"), 1, "where something was published");
  }));

Deno.test("a sink that throws is told that its subscription is over, and harms nobody else", () =>
  withRelays(1, async ([a]) => {
    assert.ok(a);
    const ended = Promise.withResolvers<string>();
    const broken = await a.upstream.subscribe({ channels: ["news"], start: "live" }, {
      event: () => {
        throw new Error("broken");
      },
      closed: ({ code }) => ended.resolve(code),
    });
    broken.resume();
    const { sink } = await follow(a);
    await publish(a, "1");
    await publish(a, "2");
    assert.equal(await ended.promise, "internal");
    await sink.until(2);
    assert.equal(metric(a, "relay_subscriptions"), 1);
  }));
