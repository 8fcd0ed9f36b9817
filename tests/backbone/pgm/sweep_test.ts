/**
 * Random schedules of everything that can go wrong at once. A failure names its seed: `sweep(seed)` replays it.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { gsiText } from "../../../backbone/pgm/gsi.ts";
import { LIMITS } from "../../../backbone/pgm/session.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { dropper, kindOf } from "../../support/pgm_faults.ts";
import { PgmNode } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const SEEDS = 300;

/** Everything a schedule is made of. */
interface Schedule {
  readonly nodes: number;
  readonly messages: number;
  readonly largest: number;
  readonly loss: { data: number; repair: number; nak: number; control: number };
  readonly duplication: number;
  readonly jitterMs: number;
  readonly firstSqn: number;
  readonly rate: number;
}

function drawSchedule(random: () => number): Schedule {
  const share = () => random() < 0.4 ? 0 : random() * 0.3;
  return {
    nodes: 2 + Math.floor(random() * 3),
    messages: 1 + Math.floor(random() * 60),
    largest: random() < 0.3 ? 10_000 : 300,
    loss: { data: share(), repair: share(), nak: share(), control: share() },
    duplication: share(),
    jitterMs: random() < 0.5 ? 0 : random() * 5,
    firstSqn: random() < 0.3 ? 0xffff_ffe0 : 0,
    rate: random() < 0.2 ? 2_000_000 : 100_000_000,
  };
}

/** Runs one schedule; answers how many packets were announced as lost. */
function sweep(seed: number): number {
  const random = seededRandom(seed);
  const { nodes: count, messages, largest, loss, duplication, jitterMs, firstSqn, rate } =
    drawSchedule(random);
  const clock = new VirtualClock();
  const network = new SimulatedNetwork(clock, {
    drop: dropper(loss, random),
    copies: () => random() < duplication ? 2 : 1,
    delayMs: () => 0.05 + random() * jitterMs,
  });
  const nodes = Array.from(
    { length: count },
    (_, gsi) => new PgmNode({ clock, network, random, gsi, firstSqn, rate }),
  );
  // Let everybody find everybody: what is sent before a source is known may be missed without a word.
  for (const node of nodes) node.send(new Uint8Array());
  clock.advance(1_000);
  const sent: Uint8Array[][] = nodes.map(() => []);
  for (let i = 0; i < messages; i++) {
    const from = Math.floor(random() * count);
    const payload = Uint8Array.from({ length: 1 + random() * largest }, () => random() * 256);
    if (nodes[from]?.send(payload)) sent[from]?.push(payload);
    if (random() < 0.7) clock.advance(random() * 4);
  }
  clock.advance(3 * TIMING.windowMs);
  for (const [to, node] of nodes.entries()) {
    for (const [from, payloads] of sent.entries()) {
      const expected = from === to ? [] : payloads;
      const received = node.received(gsiText(from)).filter(({ length }) => length > 0);
      checkStream(received, expected, node.lost);
    }
    ok(node.peakBytesHeld <= LIMITS.receiveWindowBytes * count);
    const { rdata_sent, nak_sqns_received } = node.counters;
    ok(rdata_sent <= nak_sqns_received, "no repair that nobody asked for");
    equal(node.counters.dropped_checksum, 0);
  }
  return nodes.reduce((sum, node) => sum + node.lost, 0);
}

/** In order, each at most once; all there unless a loss was announced. */
function checkStream(received: Uint8Array[], sent: Uint8Array[], lost: number): void {
  const texts = sent.map((payload) => payload.join());
  let next = 0;
  for (const payload of received) {
    const at = texts.indexOf(payload.join(), next);
    ok(at >= 0, `message ${next} or a later one is out of order, repeated, or was never sent`);
    ok(at === next || lost > 0, `messages ${next} to ${at - 1} are missing without a word`);
    next = at + 1;
  }
  ok(next === sent.length || lost > 0, `messages from ${next} on are missing without a word`);
}

Deno.test(`${SEEDS} random schedules: in order, no duplicate, nothing lost unless reported`, () => {
  let withLosses = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      if (sweep(seed) > 0) withLosses++;
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause}`, { cause });
    }
  }
  ok(withLosses < SEEDS / 50, `${withLosses} schedules announced losses: repair hardly works`);
});

Deno.test("a loss that can be repaired is repaired: none of the schedules' worst is reported", () => {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const network = new SimulatedNetwork(clock, {
    drop: dropper({ data: 0.5, repair: 0.5, nak: 0.5, control: 0.5 }, random),
  });
  const [source, receiver] = [1, 2].map((gsi) => new PgmNode({ clock, network, random, gsi }));
  ok(source && receiver);
  for (let i = 0; i < 500; i++) {
    source.send(Uint8Array.of(i >> 8, i));
    clock.advance(2);
  }
  clock.advance(2 * TIMING.windowMs);
  deepEqual(receiver.received().length, 500);
  equal(receiver.lost, 0);
});

Deno.test("NAKs for a lost packet stay few from 1 receiver to 300, and one repair serves all", () => {
  for (const receivers of [1, 10, 100, 300]) {
    const clock = new VirtualClock();
    const random = seededRandom(receivers);
    const network = new SimulatedNetwork(clock);
    const [source, ...nodes] = Array.from(
      { length: receivers + 1 },
      (_, gsi) => new PgmNode({ clock, network, random, gsi }),
    );
    ok(source);
    // A switch loses it for everybody: the worst case for the source.
    let data = 0;
    network.faults.drop = onceEach((bytes) => kindOf(bytes) === "data" && data++ % 10 === 5);
    for (let i = 0; i < 100; i++) {
      source.send(Uint8Array.of(i));
      clock.advance(5);
    }
    clock.advance(500);
    for (const node of nodes) equal(node.received().length, 100);
    const naks = nodes.reduce((sum, node) => sum + node.counters.nak_sent, 0);
    ok(naks <= 10 * 12, `${naks} NAKs for 10 losses at ${receivers} receivers`);
    ok(source.counters.rdata_sent <= 12, `${source.counters.rdata_sent} repairs`);
  }
});

/** Decides once per datagram. */
function onceEach(decide: (bytes: Uint8Array) => boolean): (bytes: Uint8Array) => boolean {
  const decided = new WeakMap<Uint8Array, boolean>();
  return (bytes) => {
    const verdict = decided.get(bytes) ?? decide(bytes);
    decided.set(bytes, verdict);
    return verdict;
  };
}
