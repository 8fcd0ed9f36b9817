/**
 * A receiver that has the beginning of a stream by other means, and wants the rest from there.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { LARGEST_SPAN } from "../../../backbone/pgm/receive_window.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { dropper } from "../../support/pgm_faults.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { type Faults, SimulatedNetwork } from "../../support/sim_network.ts";
import { seeds } from "../../support/soak.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** So many that who hears of the stream then does not take it for a young one. */
const BEFORE = 100;

/** A source that has sent {@link BEFORE} numbers, and a receiver that heard nothing of it. */
function lan(seed = 1, options: Partial<PgmNodeOptions> = {}) {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const random = seededRandom(seed);
  const node = (gsi: number) => new PgmNode({ clock, network, random, gsi, ...options });
  const source = node(1), receiver = node(2), RECEIVER = 1;
  let sent = 0;
  /** Sends so many numbers, one a millisecond; what is lost is lost to the receiver. */
  const send = (count: number, drop: (bytes: Uint8Array) => boolean = () => false) => {
    network.faults.drop = (bytes, _from, to) => to === RECEIVER && drop(bytes);
    for (const end = sent + count; sent < end; clock.advance(1)) {
      source.send(Uint8Array.of(sent >> 8, sent));
      sent++;
    }
    network.faults = {} satisfies Faults;
  };
  send(BEFORE, () => true);
  const numbers = () => receiver.received().map(([high = 0, low = 0]) => high << 8 | low);
  const lost = () => receiver.events.flatMap((event) => event.type === "lost" ? [event.range] : []);
  return { clock, source, receiver, random, send, numbers, lost };
}

const upTo = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

Deno.test("a position is that of the next packet, also before the first and across the wrap", () => {
  const { source } = lan(1, { firstSqn: 0xffff_fffe });
  equal(source.session.position, BEFORE - 2);
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  equal(
    new PgmNode({ clock, network, random: seededRandom(1), gsi: 9, firstSqn: 7 }).session.position,
    7,
  );
});

Deno.test("from a known position nothing is missed, though its first packets were lost; without it they are", () => {
  for (const seed of seeds(200, 20_000)) {
    const run = (isKnown: boolean) => {
      const { clock, source, receiver, random, send, numbers, lost } = lan(seed);
      const loss = dropper({ data: 0.3, repair: 0.3, nak: 0.3, control: 0.3 }, random);
      const { position } = source.session;
      if (isKnown) receiver.startAt(source.gsi, position);
      send(1 + Math.floor(random() * 20), () => true);
      send(50, loss);
      const end = source.session.position;
      clock.advance(TIMING.windowMs);
      deepEqual(lost(), [], `seed ${seed}`);
      return { received: numbers(), wanted: upTo(BEFORE, BEFORE + end - position - 1) };
    };
    const { received, wanted } = run(true);
    deepEqual(received, wanted, `seed ${seed}`);
    const without = run(false);
    ok(without.received.length < without.wanted.length, `seed ${seed}`);
  }
});

Deno.test("whenever the position is told: in order, and what is missing after it was announced", () => {
  for (const seed of seeds(300, 30_000)) {
    const { clock, source, receiver, random, send, numbers, lost } = lan(seed);
    const loss = dropper({ data: 0.4, repair: 0.4, nak: 0.2, control: 0.4 }, random);
    const { position } = source.session;
    for (let toldIn = Math.floor(random() * 30); toldIn > -30; toldIn--) {
      if (toldIn === 0) receiver.startAt(source.gsi, position);
      send(1, loss);
    }
    clock.advance(2 * TIMING.windowMs);
    send(1);
    clock.advance(TIMING.windowMs);
    const received = numbers();
    deepEqual(received, [...new Set(received)].sort((a, b) => a - b), `seed ${seed}`);
    // Without packing a number is its packet's.
    const told = lost().flatMap(({ from, to }) => upTo(from, to));
    const missing = upTo(position, source.session.position - 1).filter((n) =>
      !received.includes(n)
    );
    deepEqual(told.toSorted((a, b) => a - b), missing, `seed ${seed}`);
  }
});

Deno.test("what was lost at a known position is found though nothing follows it", () => {
  const { clock, source, receiver, send, numbers } = lan();
  const { position } = source.session;
  send(5, () => true);
  clock.advance(20);
  receiver.startAt(source.gsi, position);
  // Long before the next heartbeat: the receiver asks for an SPM.
  clock.advance(2 * TIMING.waitMs.first);
  deepEqual(numbers(), upTo(BEFORE, BEFORE + 4));
});

Deno.test("a stream that is known, but of which nothing was handed on, begins where it is told", () => {
  const { clock, source, receiver, send, numbers, lost } = lan();
  const { position } = source.session;
  send(5, () => true);
  // An SPM says where the stream is now.
  clock.advance(TIMING.ambientSpmMs);
  ok(receiver.counters.packets_received > 0);
  receiver.startAt(source.gsi, position);
  send(3);
  clock.advance(50);
  // The first five are too old to be repaired by now.
  deepEqual([numbers(), lost()], [upTo(BEFORE + 5, BEFORE + 7), [{ from: 100, to: 104 }]]);
  const again = lan();
  again.send(5, ([, , , , type]) => type === 4);
  again.receiver.startAt(1, BEFORE);
  again.clock.advance(50);
  deepEqual([again.numbers(), again.lost()], [upTo(BEFORE, BEFORE + 4), []]);
});

Deno.test("where something was handed on already, what is missing before it is announced, once", () => {
  const { clock, source, receiver, send, numbers, lost } = lan();
  const { position } = source.session;
  send(5, () => true);
  send(5);
  receiver.startAt(source.gsi, position);
  receiver.startAt(source.gsi, position);
  send(5);
  clock.advance(50);
  deepEqual(numbers(), upTo(BEFORE + 5, BEFORE + 14));
  deepEqual(lost(), [{ from: 100, to: 104 }]);
  equal(receiver.counters.tpdus_lost, 5);
});

Deno.test("a position that the stream has passed, or has not reached, leaves it as it is", () => {
  const { clock, source, receiver, send, numbers, lost } = lan();
  send(5);
  receiver.startAt(source.gsi, BEFORE + 3);
  receiver.startAt(source.gsi, BEFORE + 10);
  send(10, ([, , , , type]) => type === 4 && numbers().length === 6);
  clock.advance(50);
  deepEqual([numbers(), lost()], [upTo(BEFORE, BEFORE + 14), []]);
});

Deno.test("a position further back than a window spans is announced as lost, and costs no memory", () => {
  const { clock, source, receiver, send, lost, numbers } = lan();
  send(1, ([, , , , type]) => type === 4);
  clock.advance(5);
  receiver.startAt(source.gsi, (BEFORE - LARGEST_SPAN) >>> 0);
  send(2);
  clock.advance(50);
  deepEqual(lost(), [{ from: (BEFORE - LARGEST_SPAN) >>> 0, to: BEFORE }]);
  deepEqual(numbers(), upTo(BEFORE + 1, BEFORE + 2));
});

Deno.test("a stream that is never heard is asked after ever more seldom, and forgotten", () => {
  const { clock, receiver } = lan();
  receiver.startAt(77, 5);
  clock.advance(TIMING.peerExpiryMs - 1);
  const asked = receiver.counters.spmr_sent;
  ok(asked >= 5 && asked < 20, `${asked} SPMRs`);
  clock.advance(TIMING.peerExpiryMs);
  equal(receiver.counters.peers_expired, 1);
  ok(receiver.counters.spmr_sent - asked <= 1);
});

Deno.test("a receiver that does not listen takes no position, and nobody takes one of its own stream", () => {
  const { clock, source, receiver, send, numbers } = lan();
  source.startAt(source.gsi, 5);
  clock.advance(50);
  equal(source.counters.spmr_sent, 0);
  receiver.session.deafen();
  receiver.startAt(source.gsi, BEFORE);
  receiver.session.listen();
  send(5, () => true);
  send(5);
  clock.advance(50);
  deepEqual(numbers(), upTo(BEFORE + 5, BEFORE + 9));
});
