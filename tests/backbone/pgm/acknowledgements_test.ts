/**
 * When a receiver acknowledges, what, and what that costs.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { LARGEST_ACK } from "../../../backbone/pgm/ack.ts";
import { Acknowledgements, type Progress } from "../../../backbone/pgm/acknowledgements.ts";
import { encodeData, encodeSpm } from "../../../backbone/pgm/encode.ts";
import { TYPE } from "../../../backbone/pgm/packet.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { PgmNode } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** A raised socket buffer. */
const BUFFER = 8 << 20;

function stream(gsi: number, through: number): Progress & { through: number } {
  return { stream: { gsi, sourcePort: 32_769, destinationPort: 3055 }, from: 1, through };
}

Deno.test("one packet says of every stream how far it is, and how much the socket holds", () => {
  const streams = [1, 2, 3].map((gsi) => stream(gsi, gsi));
  const acknowledgements = new Acknowledgements(() => 212_992);
  equal(acknowledgements.nextTimeoutMs(), Infinity);
  equal(acknowledgements.poll(10), undefined);
  for (const progress of streams) acknowledgements.note(progress);
  streams[0]!.through = 8;
  deepEqual(acknowledgements.poll(10), {
    window: 46,
    streams: [8, 2, 3].map((through, at) => (
      { gsi: at + 1, sourcePort: 32_769, from: 1, through }
    )),
  });
  equal(acknowledgements.poll(10), undefined);
});

/** When a stream that comes on every `everyMs` for 100 ms is acknowledged. */
function acknowledgedMs(acknowledgements: Acknowledgements, everyMs: number): number[] {
  const at: number[] = [], progress = stream(1, 0);
  for (let nowMs = 0; nowMs < 100; nowMs += everyMs) {
    acknowledgements.note(progress);
    if (acknowledgements.poll(nowMs)) at.push(nowMs);
    else ok(acknowledgements.nextTimeoutMs() > nowMs);
  }
  return at;
}

Deno.test("after a pause each packet is acknowledged at once; a steady stream once a millisecond", () => {
  equal(acknowledgedMs(new Acknowledgements(() => BUFFER), 1).length, 100, "one a millisecond");
  const busy = acknowledgedMs(new Acknowledgements(() => BUFFER), 1 / 64);
  deepEqual(busy.slice(0, 4), [0, 1, 2, 3].map((n) => n / 64));
  equal(busy.at(4), TIMING.ackMs);
  ok(busy.length <= 100 + 4, `${busy.length} packets in 100 ms`);
});

Deno.test("a quarter of a window is acknowledged at once, and makes nobody wait longer afterwards", () => {
  const acknowledgements = new Acknowledgements(() => 212_992);
  const busy = acknowledgedMs(acknowledgements, 1 / 64);
  const everyMs = Math.ceil(46 / 4) / 64;
  ok(Math.abs(busy.length - 100 / everyMs) < 8, `${busy.length} packets in 100 ms`);
  acknowledgements.note(stream(1, 0));
  ok(acknowledgements.nextTimeoutMs() <= 100 + TIMING.ackMs);
});

Deno.test("more streams than one packet holds take several, at once", () => {
  const acknowledgements = new Acknowledgements(() => BUFFER);
  for (let gsi = 0; gsi < 2 * LARGEST_ACK + 1; gsi++) acknowledgements.note(stream(gsi, 0));
  const sizes = [1, 2, 3, 4].map(() => acknowledgements.poll(0)?.streams.length);
  deepEqual(sizes, [LARGEST_ACK, LARGEST_ACK, 1, undefined]);
});

Deno.test("a buffer beyond all measure is a window that fits its field", () => {
  const acknowledgements = new Acknowledgements(() => Infinity);
  acknowledgements.note(stream(1, 0));
  equal(acknowledgements.poll(0)?.window, 65_535);
});

Deno.test("what was forgotten is not acknowledged", () => {
  const acknowledgements = new Acknowledgements(() => BUFFER), left = stream(1, 5);
  acknowledgements.note(left);
  acknowledgements.forget(left);
  equal(acknowledgements.poll(0), undefined);
});

/** Nodes of one network. */
function lan() {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const node = (gsi: number) => new PgmNode({ clock, network, random: seededRandom(gsi), gsi });
  return { clock, network, node };
}

Deno.test("a receiver acknowledges from where it began: the first packet that it hears, or a position that it knows", () => {
  for (const isKnown of [false, true]) {
    const { clock, network, node } = lan(), source = node(1);
    const send = (count: number) => {
      for (let sent = 0; sent < count; sent++, clock.advance(1)) source.send(Uint8Array.of(1));
    };
    send(100);
    source.tag([2]);
    const late = node(2);
    if (isKnown) late.startAt(1, source.session.position);
    // Nobody hears these ten.
    network.faults.drop = () => true;
    send(10);
    network.faults = {};
    send(10);
    clock.advance(TIMING.windowMs / 2);
    const from = isKnown ? 101 : 111;
    deepEqual(source.acknowledged.at(-1), { by: 2, from, through: 120 });
    equal(late.received().length, 121 - from);
  }
});

Deno.test("the last acknowledgement of a stream that rests is said again with each heartbeat, until it arrives", () => {
  for (const lostAcks of [1, 2, 3]) {
    const { clock, network, node } = lan(), source = node(1);
    node(2);
    source.tag([2]);
    source.send(Uint8Array.of(1));
    clock.advance(TIMING.windowMs / 2);
    let left = lostAcks;
    network.faults.drop = ([, , , , type]) => type === TYPE.ack && left-- > 0;
    source.send(Uint8Array.of(2));
    const acknowledged = () => source.acknowledged.at(-1)?.through === 2;
    // The first heartbeat brings the second, and so on.
    const beats = Array.from({ length: lostAcks }, (_, at) => TIMING.heartbeatGrowth ** at);
    const dueMs = TIMING.heartbeatFirstMs * beats.reduce((sum, beat) => sum + beat, 0);
    clock.advance(dueMs - 1);
    ok(!acknowledged(), `${lostAcks} lost`);
    clock.advance(2);
    ok(acknowledged(), `${lostAcks} lost`);
  }
});

Deno.test("who leaves a group before it was handed what came does not acknowledge it", () => {
  for (const leaves of [false, true]) {
    const source = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 };
    const { session } = lan().node(2);
    const spm = { sqn: 0, trail: 0, lead: 0xffff_ffff, nla: 1, fin: false, tagged: [2] };
    session.handleDatagram(encodeSpm(source, spm), 0);
    session.handleDatagram(encodeData(source, { sqn: 0, trail: 0, payload: Uint8Array.of(1) }), 0);
    if (leaves) session.deafen();
    session.acknowledge(0);
    const types: number[] = [];
    for (let packet = session.pollTransmit(0); packet; packet = session.pollTransmit(0)) {
      types.push(packet[4] ?? NaN);
    }
    equal(types.includes(TYPE.ack), !leaves);
  }
});
