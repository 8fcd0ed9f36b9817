/**
 * What every {@link Upstream} must do, as tests over a factory. Each implementation's own test file calls
 * {@link testUpstream} with a way to make one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { parseCursor } from "../../../relay/protocol/cursor.ts";
import { GroundwaveError } from "../../../relay/protocol/errors.ts";
import { parseMessageId } from "../../../relay/protocol/message.ts";
import type {
  Draft,
  StreamEvent,
  SubscribeRequest,
  Subscription,
  Upstream,
} from "../../../relay/protocol/upstream.ts";
import { RecordingSink } from "../../support/recording_sink.ts";

/** An upstream under test and how to end it. */
export interface UnderTest {
  readonly upstream: Upstream;
  /** Ends every subscription from the relay's side. */
  drain(): void;
  close(): Promise<void>;
}

/** Registers the suite under `name`. */
export function testUpstream(name: string, make: () => Promise<UnderTest>): void {
  const test = (what: string, body: (t: Subject) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      const made = await make();
      try {
        await body(new Subject(made));
      } finally {
        await made.close();
      }
    });

  test("a live subscription gets what is published after it, in order", async (t) => {
    await t.publish("before");
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    const ids = [await t.publish("one"), await t.publish("two")];
    await sink.until(2);
    assert.deepEqual(sink.texts, ["one", "two"]);
    assert.equal(subscription.recovered, true);
    assert.deepEqual(ids.map((id) => parseMessageId(id)?.seq), [2, 3]);
  });

  test("nothing is delivered before the first resume, and nothing is missed", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    await t.publish("early");
    assert.deepEqual(sink.texts, []);
    subscription.resume();
    await sink.until(1);
    assert.deepEqual(sink.texts, ["early"]);
  });

  test("a sink that refuses gets no more until it resumes, and then everything once", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    sink.room = 1;
    subscription.resume();
    for (const text of ["1", "2", "3"]) await t.publish(text);
    await sink.until(1);
    assert.deepEqual(sink.texts, ["1"]);
    sink.room = 1;
    subscription.resume();
    await sink.until(2);
    assert.deepEqual(sink.texts, ["1", "2"]);
    sink.room = Infinity;
    subscription.resume();
    await sink.until(3);
    assert.deepEqual(sink.texts, ["1", "2", "3"]);
  });

  test("every cursor continues exactly after what came before it", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    const connect = subscription.cursor();
    subscription.resume();
    for (const text of ["1", "2", "3"]) await t.publish(text);
    await sink.until(3);
    const rests = [["1", "2", "3"], ["2", "3"], ["3"], []];
    for (const [i, cursor] of [connect, ...sink.cursors].entries()) {
      const again = await t.subscribe({ start: parseCursor(cursor) });
      assert.equal(again.subscription.recovered, true);
      again.subscription.resume();
      await again.sink.until(rests[i]?.length ?? 0);
      assert.deepEqual(again.sink.texts, rests[i]);
    }
  });

  test("earliest gets all that is held, without a gap", async (t) => {
    for (const text of ["1", "2"]) await t.publish(text);
    const { sink, subscription } = await t.subscribe({ start: "earliest" });
    assert.equal(subscription.recovered, true);
    subscription.resume();
    await sink.until(2);
    assert.deepEqual(sink.texts, ["1", "2"]);
  });

  test("a cursor of an origin that nobody knows is answered with a gap first", async (t) => {
    await t.publish("held");
    const probe = await t.subscribe({ start: "live" });
    const [slot] = [...parseCursor(probe.subscription.cursor()).slots.keys()];
    assert.ok(slot !== undefined);
    const slots = new Map([[slot, new Map([["unheard_", 5]])]]);
    const { sink, subscription } = await t.subscribe({ start: { slots, asOfMs: undefined } });
    assert.equal(subscription.recovered, false);
    subscription.resume();
    await sink.until(2);
    assert.deepEqual(sink.texts, ["gap", "held"]);
    const [gap] = sink.events;
    assert.ok(gap?.type === "gap" && gap.reason === "unknown" && gap.channel === "news");
  });

  test("of an origin that a cursor had to leave out nothing comes twice, and a gap says so", async (t) => {
    for (const text of ["1", "2"]) await t.publish(text);
    const probe = await t.subscribe({ start: "live" });
    const [[slot, vector] = [0]] = parseCursor(probe.subscription.cursor()).slots;
    const [origin = ""] = vector?.keys() ?? [];
    const start = {
      slots: new Map([[slot, new Map()]]),
      asOfMs: undefined,
      cut: new Set([origin]),
    };
    const { events: [read] } = await t.upstream.read({ channels: ["news"], start, limit: 9 });
    const { sink, subscription } = await t.subscribe({ start });
    assert.equal(subscription.recovered, false);
    subscription.resume();
    await t.publish("3");
    await sink.until(2);
    assert.deepEqual(sink.texts, ["gap", "3"]);
    for (const gap of [sink.events[0], read]) {
      assert.ok(gap?.type === "gap" && gap.reason === "unknown");
      assert.deepEqual(gap.missing, [{ origin, from: 1, to: 2 }]);
      const again = await t.subscribe({ start: parseCursor(gap.cursor) });
      again.subscription.resume();
      await again.sink.until(1);
      assert.deepEqual(again.sink.texts, ["3"]);
    }
  });

  test("several channels are one stream with one cursor", async (t) => {
    const channels = ["a", "b", "c{a}"];
    const { sink, subscription } = await t.subscribe({ channels, start: "live" });
    subscription.resume();
    for (const channel of ["a", "b", "c{a}", "other", "a"]) await t.publish(channel, { channel });
    await sink.until(4);
    assert.deepEqual(sink.texts, ["a", "b", "c{a}", "a"]);
    const again = await t.subscribe({ channels, start: parseCursor(sink.cursors[1] ?? "") });
    again.subscription.resume();
    await again.sink.until(2);
    assert.deepEqual(again.sink.texts.toSorted(), ["a", "c{a}"]);
  });

  test("a sink of several channels that refuses stops all of them", async (t) => {
    const channels = ["a", "b"];
    const { sink, subscription } = await t.subscribe({ channels, start: "live" });
    sink.room = 1;
    subscription.resume();
    for (const channel of ["a", "b", "a", "b"]) await t.publish(channel, { channel });
    await sink.until(1);
    assert.equal(sink.events.length, 1);
    const cursor = subscription.cursor();
    sink.room = Infinity;
    subscription.resume();
    await sink.until(4);
    assert.deepEqual(sink.texts.toSorted(), ["a", "a", "b", "b"]);
    const again = await t.subscribe({ channels, start: parseCursor(cursor) });
    again.subscription.resume();
    await again.sink.until(3);
    assert.equal(new Set([...sink.ids.slice(0, 1), ...again.sink.ids]).size, 4);
  });

  test("a closed subscription gets nothing more", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    await t.publish("1");
    await sink.until(1);
    subscription.close();
    subscription.close();
    await t.publish("2");
    assert.deepEqual(sink.texts, ["1"]);
    assert.equal(sink.error, undefined);
  });

  test("a sink may close its subscription, and publish, while it is called", async (t) => {
    const all = await t.subscribe({ start: "live" });
    all.subscription.resume();
    const { sink, subscription } = await t.subscribe({ start: "live" });
    const take = sink.event.bind(sink);
    sink.event = (event) => {
      subscription.close();
      void t.publish("from the sink");
      return take(event);
    };
    subscription.resume();
    await t.publish("first");
    await all.sink.until(2);
    assert.deepEqual(all.sink.texts, ["first", "from the sink"]);
    assert.deepEqual(sink.texts, ["first"]);
  });

  test("a page holds what is there, up to its limit, and says where it ends", async (t) => {
    for (const text of ["1", "2", "3"]) await t.publish(text);
    const channels = ["news"];
    const first = await t.upstream.read({ channels, start: "earliest", limit: 2 });
    assert.deepEqual(texts(first.events), ["1", "2"]);
    const next = await t.upstream.read({ channels, start: parseCursor(first.cursor), limit: 2 });
    assert.deepEqual(texts(next.events), ["3"]);
    const end = await t.upstream.read({ channels, start: parseCursor(next.cursor), limit: 2 });
    assert.deepEqual(texts(end.events), []);
    const live = await t.upstream.read({ channels, start: "live", limit: 2 });
    assert.deepEqual(texts(live.events), []);
  });

  test("data, event, time and region arrive as they were given", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    const bytes = new Uint8Array([0, 255, 13, 10]);
    await t.publish("", { event: "tick" });
    await t.publish(bytes);
    await sink.until(2);
    const [text, binary] = sink.events;
    assert.ok(text?.type === "message" && binary?.type === "message");
    assert.equal(text.message.data, "");
    assert.equal(text.message.event, "tick");
    assert.equal(text.message.region, t.upstream.node.region);
    assert.ok(Number.isFinite(text.message.timeMs));
    assert.deepEqual(binary.message.data, bytes);
    assert.equal(binary.message.event, undefined);
  });

  test("a level that cannot be reached is refused by the table", async (t) => {
    await assert.rejects(t.publish("x", { ack: "archived" }), { code: "not_archived" });
  });

  test("a key is one message, whoever repeats it; with other data it conflicts", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    const ids = await Promise.all([1, 2, 3].map(() => t.publish("x", { key: "k" })));
    ids.push(await t.publish("x", { key: "k", order: "total" }));
    assert.equal(new Set(ids).size, 1);
    for (const other of [{ data: "y" }, { data: "x", event: "tick" }]) {
      await assert.rejects(t.publish(other.data, { ...other, key: "k" }), { code: "key_conflict" });
    }
    assert.notEqual(await t.publish("x", { key: "k", channel: "other" }), ids[0]);
    assert.notEqual(await t.publish("x", { key: "another" }), ids[0]);
    await sink.until(2);
    assert.deepEqual(sink.texts, ["x", "x"]);
  });

  test("of several drafts each succeeds or fails for itself, and their order is that of the call", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    const draft = { channel: "news", data: "x" };
    const keyed = [draft, { ...draft, key: "k" }, { ...draft, key: "k", data: "other" }];
    const plain = [{ ...draft, data: "1" }, { ...draft, ack: "archived" as const }, {
      ...draft,
      data: "2",
    }];
    const one = await t.upstream.publishAll(plain), two = await t.upstream.publishAll(keyed);
    await sink.until(4);
    assert.deepEqual(sink.texts, ["1", "2", "x", "x"]);
    const ids = [...one, ...two].map((outcome) => "id" in outcome ? outcome.id : outcome.code);
    assert.deepEqual(ids.toSpliced(1, 1).toSpliced(-1), sink.ids);
    assert.deepEqual([ids[1], ids.at(-1)], ["not_archived", "key_conflict"]);
    assert.deepEqual(await t.upstream.publishAll([]), []);
  });

  test("the answers to several drafts have their order, whatever each of them needs", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    const drafts = ["1", "2", "keyed", "3", "also keyed", "keyed again", "4"].map((data, i) => {
      const draft = { channel: "news", data };
      return data.includes("keyed") ? { ...draft, key: `${i}` } : draft;
    });
    const outcomes = await t.upstream.publishAll(drafts);
    await sink.until(drafts.length);
    const texts = outcomes.map((outcome) =>
      "id" in outcome ? sink.texts[sink.ids.indexOf(outcome.id)] : outcome.code
    );
    assert.deepEqual(texts, drafts.map(({ data }) => data));
  });

  test("draining ends subscriptions and takes nothing new", async (t) => {
    const { sink, subscription } = await t.subscribe({ start: "live" });
    subscription.resume();
    t.drain();
    assert.equal(sink.error?.code, "draining");
    await assert.rejects(t.publish("x"), { code: "draining" });
    const [outcome] = await t.upstream.publishAll([{ channel: "news", data: "x" }]);
    assert.ok(outcome instanceof GroundwaveError && outcome.code === "draining");
    await assert.rejects(t.subscribe({ start: "live" }), { code: "draining" });
    assert.equal(t.upstream.readiness().ready, false);
  });
}

function texts(events: readonly StreamEvent[]): unknown[] {
  return events.map((event) => event.type === "message" ? event.message.data : event.type);
}

/** Shorthands over one upstream, for the channel `news`. */
class Subject {
  readonly upstream: Upstream;
  readonly drain: () => void;

  constructor({ upstream, drain }: UnderTest) {
    this.upstream = upstream;
    this.drain = drain;
  }

  async publish(data: Draft["data"], draft: Partial<Draft> = {}): Promise<string> {
    return (await this.upstream.publish({ channel: "news", data, ...draft })).id;
  }

  async subscribe(
    request: Partial<SubscribeRequest> & Pick<SubscribeRequest, "start">,
  ): Promise<{ sink: RecordingSink; subscription: Subscription }> {
    const sink = new RecordingSink();
    const subscription = await this.upstream.subscribe({ channels: ["news"], ...request }, sink);
    return { sink, subscription };
  }
}
