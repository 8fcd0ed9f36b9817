/**
 * Floods and forgeries of somebody who means harm, with and without the key.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { Authenticator } from "../../backbone/pgm/auth.ts";
import { encodeAck, encodeData, encodeSpm, encodeSpmr } from "../../backbone/pgm/encode.ts";
import { gsiText } from "../../backbone/pgm/gsi.ts";
import { decodePacket, TYPE } from "../../backbone/pgm/packet.ts";
import { LARGEST_SPAN } from "../../backbone/pgm/receive_window.ts";
import { LIMITS } from "../../backbone/pgm/session.ts";
import { TIMING } from "../../backbone/pgm/timing.ts";
import { credentials, groupKey } from "../support/group_keys.ts";
import { attackedLan, ATTACKER, GROUP, nak, spm, STREAM } from "../support/pgm_attack.ts";
import { PgmNode, type PgmNodeOptions } from "../support/pgm_node.ts";
import { seededRandom } from "../support/random.ts";
import { SimulatedNetwork } from "../support/sim_network.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** A second of a flood against a source that sent 9 MB; answers what it sent out for a byte that came in. */
function flood(
  packet: (n: number) => Uint8Array,
  perMs: number,
  options: Partial<PgmNodeOptions>,
): number {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const source = new PgmNode({ clock, network, random: seededRandom(1), gsi: 1, ...options });
  for (let i = 0; i < WINDOW; i++) {
    source.send(new Uint8Array(1_400));
    if (i % 40 === 0) clock.advance(1);
  }
  clock.advance(100);
  const before = source.counters.bytes_sent;
  let received = 0;
  for (let ms = 0, n = 0; ms < 1_000; ms++) {
    for (; n < ms * perMs; n++) {
      const bytes = packet(n);
      received += bytes.length;
      source.receive(bytes, ATTACKER);
    }
    clock.advance(1);
  }
  return (source.counters.bytes_sent - before) / received;
}

const WINDOW = 6_300;
const run = (first: number) => Array.from({ length: 63 }, (_, i) => (63 * first + i) % WINDOW);

/** An SPM of one of so many sources that are not there. */
const asking = (n: number, sources: number) =>
  encodeSpm({ ...STREAM, gsi: 9 + n % sources }, {
    sqn: Math.floor(n / sources),
    trail: 0,
    lead: 0xffff_ffff,
    nla: 0,
    fin: false,
    tagged: [{ gsi: STREAM.gsi, now: true, waitMs: 0 }],
  });

/** What comes out for a byte that comes in, at most, without a key. */
const FLOODS: [string, (n: number) => Uint8Array, perMs: number, most: number][] = [
  ["NAK lists, 1,000 a second", (n) => nak(...run(n)), 1, 125],
  ["NAK lists, 10,000 a second", (n) => nak(...run(n)), 10, 11],
  ["single NAKs, 1,000 a second", (n) => nak(n % WINDOW), 1, 42],
  ["single NAKs, 100,000 a second", (n) => nak(n % WINDOW), 100, 11],
  ["NAKs for one packet", () => nak(5), 100, 1],
  ["NAKs for what is gone", (n) => nak(...run(n).map((sqn) => 0xffff_0000 + sqn)), 10, 1.1],
  ["NAKs for what is to come", (n) => nak(...run(n).map((sqn) => 1e6 + sqn)), 10, 0.1],
  ["SPMRs", () => encodeSpmr(STREAM), 10, 0.1],
  ["SPMs for ACKs, 1,000 a second", (n) => asking(n, 1), 1, 1.1],
  ["of 200 sources, 10,000 a second", (n) => asking(n, 200), 10, 1.1],
];

Deno.test("amplification: bytes out for a byte in, without the key and with", () => {
  const rows: string[] = [];
  for (const [name, packet, perMs, most] of FLOODS) {
    const keyless = flood(packet, perMs, {}),
      keyed = flood(packet, perMs, {
        credentials: credentials(),
      });
    rows.push(
      `${name.padEnd(32)} ${keyless.toFixed(2).padStart(8)} ${keyed.toFixed(2).padStart(8)}`,
    );
    ok(keyless <= most, `${name}: ${keyless}`);
    // The heartbeats that it sends in any case.
    ok(keyed < 0.02, `${name}: ${keyed} with a key`);
  }
  console.log(["bytes out per byte in".padEnd(32) + "  keyless    keyed", ...rows].join("\n"));
});

Deno.test("a flood of NAKs from one address leaves the repairs of another as they were", () => {
  const { clock, network, source, receiver, send, received } = attackedLan({ rate: 20_000_000 });
  const random = seededRandom(8);
  network.faults = { drop: (bytes) => bytes[4] === TYPE.odata && random() < 0.1 };
  for (let round = 0; round < 500; round++) {
    send(1);
    for (let i = 0; i < 20; i++) source.receive(nak(...run(round)), ATTACKER);
  }
  clock.advance(100);
  deepEqual(received(), Array.from({ length: 500 }, (_, i) => i));
  equal(receiver.lost, 0);
  ok(source.counters.requests_refused > 0);
});

Deno.test("forged sources: with a key none becomes a peer; without, memory is bounded and the real are heard", () => {
  for (const options of [{}, { credentials: credentials() }]) {
    const { clock, receiver, send, received, inject } = attackedLan(options);
    send(2);
    for (let gsi = 1_000; gsi < 2_000; gsi++) {
      const stream = { ...STREAM, gsi };
      inject(encodeSpm(stream, { sqn: 0, trail: 0, lead: 9, nla: 0, fin: false }));
      for (let sqn = 100; sqn < 110; sqn++) {
        inject(encodeData(stream, { sqn, trail: 0, payload: new Uint8Array(1_400) }));
      }
      clock.advance(0.1);
    }
    send(8);
    deepEqual(received(), Array.from({ length: 10 }, (_, i) => i));
    equal(receiver.counters.peers_refused > 0, options.credentials === undefined);
    equal(receiver.peakBytesHeld > 0, options.credentials === undefined);
    ok(receiver.peakBytesHeld <= LIMITS.peers * 110 * (1_400 + 256));
  }
});

Deno.test("forged acknowledgements: with a key none counts, also no real one once more; without, none of what cannot be", () => {
  const claim = (by: number, from: number, through: number) =>
    encodeAck({ ...STREAM, gsi: by }, { window: 0, streams: [{ ...STREAM, from, through }] });
  const possible = claim(2, 0, 9);
  const impossible = [claim(2, 0, 10), claim(2, 8, 3), claim(2, 0x8000_0009, 9), claim(3, 0, 9)];
  for (const options of [{}, { credentials: credentials() }]) {
    const { clock, network, source, receiver, send, inject } = attackedLan(options);
    source.tag([receiver.gsi]);
    const recorded: Uint8Array[] = [];
    network.attach((bytes) => bytes[4] === TYPE.ack && recorded.push(bytes));
    send(5);
    clock.advance(TIMING.gatherMs.unawaited);
    const { gsi: by } = receiver, honest = { by, from: 1, through: 5 };
    deepEqual(source.acknowledged.at(-1), honest);
    receiver.kill();
    send(5);
    const forged = options.credentials ? [possible, ...recorded] : recorded;
    for (const bytes of [...impossible, ...forged]) inject(bytes);
    clock.advance(50);
    deepEqual(source.acknowledged.at(-1), honest);
    equal(source.counters.dropped_replayed > 0, options.credentials !== undefined);
    equal(source.counters.dropped_unauthenticated, options.credentials ? 5 : 0);
  }
});

/** Makes up a source with a packet, and one more of it each time. */
function forger(receiver: PgmNode, gsi: number, address?: string) {
  const stream = { ...STREAM, gsi };
  let sqn = 0;
  return () =>
    receiver.receive(
      encodeSpm(stream, { sqn: sqn++, trail: 0, lead: 0xffff_ffff, nla: 0, fin: false }),
      address,
    );
}

Deno.test("forged sources that keep sending: a new one that is real gets a place, those that had one keep it", () => {
  const { clock, network, receiver, send, received } = attackedLan();
  send(1);
  // From an address of their own, and from that of the real.
  const forged = Array.from(
    { length: 2 * LIMITS.peers },
    (_, i) => forger(receiver, 1_000 + i, i % 2 === 0 ? ATTACKER : undefined),
  );
  for (let round = 0; round < 20; round++) {
    for (const forge of forged) forge();
    clock.advance(TIMING.ambientSpmMs / 4);
  }
  const late = new PgmNode({ clock, network, random: seededRandom(9), gsi: 9 });
  // Its packets come from elsewhere.
  network.faults = { drop: (_bytes, from, to) => from === 3 && to === 1 };
  network.attach((bytes) => bytes[13] === 9 && receiver.receive(bytes, "10.77.0.9"));
  for (let round = 0; round < 10; round++) {
    late.send(Uint8Array.of(0, round, 0));
    for (const forge of forged) forge();
    send(1);
  }
  clock.advance(20);
  equal(receiver.received(gsiText(9)).length, 10);
  deepEqual(received(), Array.from({ length: 11 }, (_, i) => i));
  ok(receiver.counters.peers_refused > LIMITS.peers);
});

Deno.test("forged gaps: memory is bounded over all sources, and what the real lose is repaired all the same", () => {
  const receiveBytes = 8 << 20, gaps = 40, packets = 200;
  const { clock, network, receiver, send, received } = attackedLan({ receiveBytes });
  send(1);
  for (let sqn = 0; sqn < packets; sqn++) {
    for (let gsi = 1_000; gsi < 1_000 + gaps; gsi++) {
      // The first is missing, and so is every other one.
      const stream = { ...STREAM, gsi }, payload = new Uint8Array(1_400);
      receiver.receive(encodeData(stream, { sqn: 100 + 2 * sqn, trail: 0, payload }), ATTACKER);
    }
    const lost = sqn % 10 === 0;
    network.faults = { drop: ([, , , , type]) => lost && type === TYPE.odata };
    send(1);
  }
  network.faults = {};
  send(1);
  clock.advance(20);
  deepEqual(received(), Array.from({ length: packets + 2 }, (_, i) => i));
  ok(receiver.peakBytesHeld > receiveBytes / 2 && receiver.peakBytesHeld <= receiveBytes);
  ok(receiver.events.every((event) => event.type !== "lost" || event.origin !== gsiText(1)));
});

Deno.test("forged spans: a packet that claims tens of thousands are missing takes memory for them, within the bound", () => {
  const receiveBytes = 40 << 20;
  const { receiver, send, received } = attackedLan({ receiveBytes });
  send(1);
  for (let gsi = 1_000; gsi < 1_010; gsi++) {
    const stream = { ...STREAM, gsi };
    for (const [sqn, lead] of [[0, 100], [1, 100 + LARGEST_SPAN]] as const) {
      receiver.receive(encodeSpm(stream, { sqn, trail: 0, lead, nla: 0, fin: false }), ATTACKER);
    }
  }
  send(10);
  ok(receiver.peakBytesHeld <= receiveBytes && receiver.lost >= 7 * LARGEST_SPAN);
  deepEqual(received(), Array.from({ length: 11 }, (_, i) => i));
});

Deno.test("who has an old key, or signs for another group, is as good as a stranger", () => {
  const { clock, receiver, send, received, inject } = attackedLan({ credentials: credentials() });
  send(10);
  const liars = [
    new Authenticator({ ...credentials([groupKey(1, 7)]), gsi: 9, groupNla: GROUP }),
    new Authenticator({ ...credentials([groupKey(2)]), gsi: 9, groupNla: GROUP }),
    new Authenticator({ ...credentials(), gsi: 9, groupNla: GROUP + 1 }),
  ];
  for (const liar of liars) {
    const forged = liar.sign(spm({ sqn: 500, trail: 1e9, lead: 1e9 }), clock.nowMs());
    equal(typeof decodePacket(forged), "object");
    for (let i = 0; i < 100; i++) {
      inject(forged);
      clock.advance(10);
    }
  }
  send(10);
  deepEqual(received(), Array.from({ length: 20 }, (_, i) => i));
  deepEqual([receiver.counters.dropped_forged, receiver.counters.dropped_unknown_key], [200, 100]);
});
