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
  for (const progress of streams) acknowledgements.note(progress, 1, 0, 10);
  streams[0]!.through = 8;
  deepEqual(acknowledgements.poll(10), {
    window: 46,
    streams: [8, 2, 3].map((through, at) => (
      { gsi: at + 1, sourcePort: 32_769, from: 1, through }
    )),
  });
  equal(acknowledgements.poll(10), undefined);
});

/** When a stream that comes on every `everyMs` for 100 ms, and may wait, is acknowledged. */
function acknowledgedMs(
  acknowledgements: Acknowledgements,
  everyMs: number,
  waitMs = 0,
): number[] {
  const at: number[] = [], progress = stream(1, 0);
  for (let nowMs = 0; nowMs < 100; nowMs += everyMs) {
    acknowledgements.note(progress, 1, waitMs, nowMs);
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
  for (const waitMs of [0, 200]) {
    const acknowledgements = new Acknowledgements(() => 212_992);
    const busy = acknowledgedMs(acknowledgements, 1 / 64, waitMs);
    const everyMs = Math.ceil(46 / 4) / 64;
    ok(Math.abs(busy.length - 100 / everyMs) < 8, `${busy.length} packets in 100 ms`);
    acknowledgements.note(stream(1, 0), 1, 0, 100);
    ok(acknowledgements.nextTimeoutMs() <= 100 + TIMING.ackMs);
  }
});

Deno.test("a stream that comes on by many at a time has soon come on by a quarter of a window", () => {
  const acknowledgements = new Acknowledgements(() => 212_992), progress = stream(1, 0);
  acknowledgements.note(progress, 11, 200, 0);
  equal(acknowledgements.poll(0), undefined);
  acknowledgements.note(progress, 1, 200, 0);
  equal(acknowledgements.poll(0)?.streams.length, 1);
});

Deno.test("what may wait goes when its time is over, or with what may not", () => {
  deepEqual(acknowledgedMs(new Acknowledgements(() => BUFFER), 1, 30), [30, 61, 92]);
  const acknowledgements = new Acknowledgements(() => BUFFER);
  const gsis = () => acknowledgements.poll(5)?.streams.map(({ gsi }) => gsi);
  acknowledgements.note(stream(1, 0), 1, 30, 0);
  acknowledgements.note(stream(2, 0), 1, 200, 0);
  equal(gsis(), undefined);
  acknowledgements.note(stream(3, 0), 1, 0, 5);
  deepEqual(gsis(), [3, 1, 2]);
  equal(acknowledgements.nextTimeoutMs(), Infinity);
});

Deno.test("what is awaited has waited enough when it is noted as what may wait, and the other way round", () => {
  for (const [first, then] of [[0, 200], [200, 0]] as const) {
    const acknowledgements = new Acknowledgements(() => BUFFER), both = stream(1, 0);
    acknowledgements.note(both, 1, first, 0);
    acknowledgements.note(both, 1, then, 0);
    equal(acknowledgements.poll(0)?.streams.length, 1);
    equal(acknowledgements.nextTimeoutMs(), Infinity);
  }
});

Deno.test("more streams than one packet holds take several, at once", () => {
  const acknowledgements = new Acknowledgements(() => BUFFER);
  const note = (waitMs: number) => {
    for (let gsi = 0; gsi < LARGEST_ACK + 1; gsi++) {
      acknowledgements.note(stream(gsi, 0), 1, waitMs, 0);
    }
  };
  const sizes = (nowMs: number) =>
    [1, 2, 3].map(() => acknowledgements.poll(nowMs)?.streams.length);
  note(0);
  deepEqual(sizes(0), [LARGEST_ACK, 1, undefined]);
  note(200);
  acknowledgements.note(stream(-1, 0), 1, 0, 0);
  deepEqual(sizes(0), [LARGEST_ACK, undefined, undefined], "what may wait makes no more packets");
  deepEqual(sizes(200), [2, undefined, undefined]);
});

Deno.test("a buffer beyond all measure is a window that fits its field", () => {
  const acknowledgements = new Acknowledgements(() => Infinity);
  acknowledgements.note(stream(1, 0), 1, 0, 0);
  equal(acknowledgements.poll(0)?.window, 65_535);
});

Deno.test("what was forgotten is not acknowledged", () => {
  const acknowledgements = new Acknowledgements(() => BUFFER), left = stream(1, 5);
  for (const waitMs of [0, 1]) {
    acknowledgements.note(left, 1, waitMs, 0);
    acknowledgements.forget(left);
    equal(acknowledgements.poll(1), undefined);
  }
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
    source.send(Uint8Array.of(1), "awaited");
    clock.advance(TIMING.windowMs / 2);
    let left = lostAcks;
    network.faults.drop = ([, , , , type]) => type === TYPE.ack && left-- > 0;
    source.send(Uint8Array.of(2), "awaited");
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

/** A source, and two that it tags and that have heard it; nobody waits for anything. */
function tagging() {
  const { clock, network, node } = lan(), source = node(1), first = node(2), second = node(3);
  source.tag([2, 3]);
  source.send(Uint8Array.of(0));
  clock.advance(TIMING.awaitedMs);
  const acks = () => [first, second].map(({ counters }) => counters.acks_sent);
  const before = acks();
  return {
    clock,
    network,
    source,
    /** Sends so many, one every so many milliseconds. */
    send(count: number, everyMs: number, isAwaited: boolean): void {
      for (let n = 0; n < count; n++, clock.advance(everyMs)) {
        source.send(Uint8Array.of(n), isAwaited ? "awaited" : "usual");
      }
    },
    /** ACKs of each since. */
    acks: () => acks().map((count, at) => count - (before[at] ?? 0)),
    /** The last payload that each is known to have. */
    known: () => [2, 3].map((gsi) => source.acknowledged.findLast(({ by }) => by === gsi)?.through),
  };
}

Deno.test("what somebody waits for the first acknowledges at once, message by message, the others now and then", () => {
  const { send, acks, known, clock } = tagging();
  send(50, 10, true);
  const [first, second = 0] = acks(), { others } = TIMING.gatherMs;
  equal(first, 50);
  ok(second > 0 && second <= 500 / others, `${second} by the other`);
  clock.advance(others);
  deepEqual(known(), [51, 51]);
  const before = acks();
  clock.advance(TIMING.awaitedMs);
  deepEqual(acks(), before, "heartbeats of what is known are not answered");
});
Deno.test("what nobody waits for costs an acknowledgement now and then, of each", () => {
  const { send, acks, known, clock } = tagging(), { unawaited } = TIMING.gatherMs;
  send(500, 2, false);
  for (const count of acks()) ok(count > 0 && count <= 1_000 / unawaited, `${count} ACKs`);
  clock.advance(unawaited);
  deepEqual(known(), [501, 501]);
});

Deno.test("where nobody has waited, the first that is awaited is acknowledged at once; soon, if the word of it is lost", () => {
  for (const lost of [0, 1, 2]) {
    const { send, network, known, clock } = tagging();
    send(10, 1, false);
    let left = 2 * lost;
    network.faults.drop = ([, , , , type]) => type === TYPE.spm && left-- > 0;
    // So fast that no heartbeat comes between.
    send(1, 1, true);
    equal(known()[0] === 12, lost === 0, `${lost} lost`);
    send(4 ** (lost + 1), 1, true);
    equal(known()[0], 12 + 4 ** (lost + 1), `${lost} lost`);
    clock.advance(TIMING.awaitedMs);
  }
});

Deno.test("while data flows that is awaited, receivers are told so a few times, not again and again", () => {
  const { send, source } = tagging(), { spm_sent } = source.counters;
  send(TIMING.ambientSpmMs / 2, 1, true);
  const told = source.counters.spm_sent - spm_sent;
  ok(told > 2 && told < 8, `${told} SPMs`);
});

Deno.test("where the first is silent, the next one acknowledges with the heartbeat, and the first when it is back", () => {
  const { send, network, known, clock } = tagging();
  const from = { first: 1 };
  network.faults.drop = ([, , , , type], by) => type === TYPE.ack && by === from.first;
  send(1, TIMING.heartbeatFirstMs - 1, true);
  deepEqual(known(), [1, 1]);
  clock.advance(2);
  deepEqual(known(), [1, 2]);
  network.faults = {};
  clock.advance(TIMING.heartbeatGrowth * TIMING.heartbeatFirstMs);
  deepEqual(known(), [2, 2]);
});

Deno.test("what a repair lets go on is acknowledged at once: it may have kept a busy source waiting", () => {
  const { send, network, known } = tagging();
  let left = 1;
  network.faults.drop = ([, , , , type], _from, to) =>
    type === TYPE.odata && to === 1 && left-- > 0;
  send(50, 1, false);
  ok((known()[0] ?? 0) > 2);
  equal(known()[1], 1, "who was spared takes its time");
});

Deno.test("an acknowledgement that nobody waits for is asked for when it is late", () => {
  const { send, network, known, clock } = tagging();
  network.faults.drop = ([, , , , type]) => type === TYPE.ack;
  send(1, TIMING.gatherMs.unawaited + 2, false);
  deepEqual(known(), [1, 1]);
  network.faults = {};
  clock.advance(TIMING.windowMs);
  deepEqual(known(), [2, 2]);
});

Deno.test("who leaves a group before it was handed what came does not acknowledge it", () => {
  for (const leaves of [false, true]) {
    const source = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 };
    const { session } = lan().node(2);
    const spm = { sqn: 0, trail: 0, lead: 0xffff_ffff, nla: 1, fin: false };
    const tagged = [{ gsi: 2, now: false, waitMs: 0 }];
    session.handleDatagram(encodeSpm(source, { ...spm, tagged }), 0);
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
