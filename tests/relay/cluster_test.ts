import assert from "node:assert/strict";
import type { Relay } from "../../relay/relay.ts";
import type { AckLevel } from "../../relay/protocol/upstream.ts";
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { lossyUdp } from "../support/lossy_socket.ts";
import { freeLan, type Lan, metric, startTestRelay, until } from "../support/relays.ts";
import { RecordingSink } from "../support/recording_sink.ts";

const GROUPS = 4;

/** Real relays; what is multicast to the pool reaches nobody while `deaf` is set. */
class Cluster {
  readonly lan: Lan = freeLan(GROUPS);
  readonly relays: Relay[] = [];
  deaf = false;

  async start(id: string): Promise<Relay> {
    const openSocket = lossyUdp((bytes) => this.deaf && isOfPool(bytes));
    const relay = await startTestRelay(this.lan, { id, openSocket });
    this.relays.push(relay);
    await relay.settled;
    return relay;
  }

  /** Every group has two ready custodians, or as many as there are relays. */
  async ready(): Promise<void> {
    const expected = Math.min(2, this.relays.length) * GROUPS;
    const kept = () => this.relays.reduce((sum, relay) => sum + metric(relay, "custody_ready"), 0);
    await until(() => kept() === expected, "every group is kept");
  }

  async close(): Promise<void> {
    this.deaf = false;
    await Promise.all(this.relays.map((relay) => relay.close()));
  }
}

/** Types that go from a source to a group (RFC 3208 §8): SPM, ODATA, RDATA, NCF. */
const DOWNSTREAM: readonly number[] = [0x00, 0x04, 0x05, 0x0a];

/** Whether a source sent this to the pool: its port is 32768 and the group's number, 0 for the control group. */
function isOfPool(bytes: Uint8Array): boolean {
  const sourcePort = new DataView(bytes.buffer, bytes.byteOffset).getUint16(0);
  return DOWNSTREAM.includes(bytes[4] ?? -1) && sourcePort > 32768;
}

async function withCluster(
  ids: readonly string[],
  body: (cluster: Cluster, ...relays: Relay[]) => Promise<void>,
): Promise<void> {
  const cluster = new Cluster();
  try {
    const relays: Relay[] = [];
    for (const id of ids) relays.push(await cluster.start(id));
    await cluster.ready();
    await body(cluster, ...relays);
  } finally {
    await cluster.close();
  }
}

function publish(relay: Relay, data: string, channel = "news", ack: AckLevel = "accepted") {
  return relay.upstream.publish({ channel, data, ack });
}

/** What a relay holds of a channel, without asking anybody. */
async function held(relay: Relay, channel = "news"): Promise<string[]> {
  const page = await relay.upstream.read({ channels: [channel], start: "earliest", limit: 1000 });
  return page.events.map((event) =>
    event.type === "message" ? String(event.message.data) : event.type
  );
}

Deno.test("what multicast brought to nobody reaches the custodians by digests, and outlives its publisher", () =>
  withCluster(["a", "b", "c"], async (cluster, a, b, c) => {
    const sink = new RecordingSink();
    const subscription = await a!.upstream.subscribe({ channels: ["news"], start: "live" }, sink);
    subscription.resume();
    const cursor = subscription.cursor();
    cluster.deaf = true;
    for (let i = 0; i < 20; i++) await publish(b!, `${i}`);
    await until(() => metric(b!, "custody_ready") > 0, "b keeps something");
    await sink.until(20);
    await b!.close();
    assert.deepEqual(sink.texts, Array.from({ length: 20 }, (_, i) => `${i}`));
    for (const relay of [a!, c!]) {
      const resumed = new RecordingSink();
      const start = parseCursor(cursor);
      (await relay.upstream.subscribe({ channels: ["news"], start }, resumed)).resume();
      await resumed.until(20);
      assert.deepEqual(resumed.texts, sink.texts);
    }
  }));

Deno.test("`replicated` is reached by unicast where multicast is blocked", () =>
  withCluster(["a", "b", "c"], async (cluster, ...relays) => {
    cluster.deaf = true;
    for (const relay of relays) {
      const { ack } = await publish(relay, "x", "news", "replicated");
      assert.equal(ack, "replicated");
    }
  }));

Deno.test("a relay that leaves hands over what it alone holds", () =>
  withCluster(["a", "b"], async (cluster, a, b) => {
    cluster.deaf = true;
    for (let i = 0; i < 5; i++) await publish(a!, `${i}`);
    await a!.close();
    assert.deepEqual(await held(b!), ["0", "1", "2", "3", "4"]);
  }));

Deno.test("relays converge when publishers stop, and then tell each other nothing", () =>
  withCluster(["a", "b", "c"], async (cluster, ...relays) => {
    const channels = Array.from({ length: 12 }, (_, i) => `channel ${i}`);
    assert.equal(new Set(channels.map((channel) => slotOf(channel) % GROUPS)).size, GROUPS);
    const sinks = await Promise.all(relays.map(async (relay) => {
      const sink = new RecordingSink();
      (await relay.upstream.subscribe({ channels, start: "live" }, sink)).resume();
      return sink;
    }));
    for (let i = 0; i < 300; i++) {
      cluster.deaf = i % 3 > 0;
      await publish(relays[i % 3]!, `${i}`, channels[i % 12]);
    }
    cluster.deaf = true;
    await Promise.all(sinks.map((sink) => sink.until(300)));
    for (const sink of sinks) {
      assert.deepEqual(new Set(sink.texts), new Set(Array.from({ length: 300 }, (_, i) => `${i}`)));
    }
    const told = () =>
      relays.reduce((sum, relay) => sum + metric(relay, "digest_entries_total"), 0);
    const rounds = () => Math.min(...relays.map((relay) => metric(relay, "digests_total")));
    const quiet = async () => {
      const before = told(), round = rounds();
      await until(() => rounds() >= round + 2, "a round has passed");
      return told() === before;
    };
    for (let round = 0; !await quiet(); round++) assert.ok(round < 5, "digests are never empty");
  }));
