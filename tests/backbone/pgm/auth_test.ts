import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import {
  Authenticator,
  type AuthRefusal,
  MOST_SENDERS,
  OPEN_GATE,
  STALE_MS,
} from "../../../backbone/pgm/auth.ts";
import type { Credentials } from "../../../backbone/pgm/auth_keys.ts";
import { REPLAY_SPAN, ReplayWindow } from "../../../backbone/pgm/auth_replay.ts";
import {
  encodeAck,
  encodeData,
  encodeNak,
  encodePacked,
  encodeRepair,
  encodeSpm,
  encodeSpmr,
  seal,
} from "../../../backbone/pgm/encode.ts";
import { decodePacket, LARGEST_TPDU, type Stream } from "../../../backbone/pgm/packet.ts";
import { credentials, groupKey } from "../../support/group_keys.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const STREAM: Stream = { gsi: 0xc18a_7594_c44a, sourcePort: 32_769, destinationPort: 3_055 };
const GROUP = 0xefc0_0701;
const SENDER = 0x1234_5678_9abc;

const payload = Uint8Array.of(1, 2, 3);
const odata = encodeData(STREAM, { sqn: 5, trail: 2, payload });
const nak = { sourceNla: 1, groupNla: GROUP };
const PLAIN: Record<string, Uint8Array> = {
  "SPM": encodeSpm(STREAM, { sqn: 1, trail: 0, lead: 9, nla: 1, fin: false }),
  "SPM with FIN": encodeSpm(STREAM, { sqn: 1, trail: 0, lead: 9, nla: 1, fin: true }),
  "ODATA": odata,
  "ODATA without payload": encodeData(STREAM, { sqn: 5, trail: 2, payload: new Uint8Array() }),
  "ODATA with FRAGMENT": encodeData(STREAM, {
    sqn: 6,
    trail: 2,
    payload,
    fragment: { first: 5, offset: 3, length: 6 },
  }),
  "packed ODATA": encodePacked(STREAM, { sqn: 6, trail: 2, payloads: [payload, payload] }),
  "RDATA": encodeRepair(odata, 4),
  "NAK": encodeNak(STREAM, "nak", { ...nak, sqns: [3] }),
  "NAK with a full list": encodeNak(STREAM, "nak", {
    ...nak,
    sqns: Array.from({ length: 63 }, (_, i) => i),
  }),
  "NCF with a list": encodeNak(STREAM, "ncf", { ...nak, sqns: [3, 4] }),
  "SPMR": encodeSpmr(STREAM),
  "ACK": encodeAck(STREAM, {
    window: 9,
    streams: [{ gsi: 1, sourcePort: 2, from: 3, through: 4 }],
  }),
};

function gate(
  gsi: number,
  keys: Credentials = credentials(),
  groupNla = GROUP,
): Authenticator {
  return new Authenticator({ ...keys, gsi, groupNla });
}

/** Writes the right checksum into a bent packet, as who forges it would. */
function resealed(bytes: Uint8Array, bend: (copy: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  bend(copy);
  return seal(copy, new DataView(copy.buffer));
}

for (const [name, plain] of Object.entries(PLAIN)) {
  Deno.test(`${name} with a tag says what it said without, and is taken by who has the key, once`, () => {
    const signed = gate(SENDER).sign(plain, 0), receiver = gate(7);
    deepEqual(decodePacket(signed), decodePacket(plain));
    ok(signed.length - plain.length <= receiver.overheadBytes);
    equal(receiver.refuse(signed, 0), undefined);
    equal(receiver.refuse(signed, 0), "replayed");
  });

  Deno.test(`${name} with a tag and any bit flipped is refused, and leaves no trace`, () => {
    const signed = gate(SENDER).sign(plain, 0), receiver = gate(7);
    for (let bit = 0; bit < 8 * signed.length; bit++) {
      // The checksum is made anew.
      if (bit >> 4 === 3) continue;
      const at = bit >> 3;
      const bent = resealed(signed, (copy) => copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7)));
      // As a session does: what is no packet is not looked at any further.
      if (typeof decodePacket(bent) === "string") continue;
      notEqual(receiver.refuse(bent, 0), undefined, `bit ${bit}`);
    }
    equal(receiver.refuse(signed, 0), undefined);
  });
}

/** Why each of these is refused by a relay with key 1 in `GROUP`. */
const REFUSED: [string, AuthRefusal, () => Uint8Array][] = [
  ["a packet without a tag", "unauthenticated", () => odata],
  [
    "a packet of a relay with another key of the same id",
    "forged",
    () => gate(SENDER, credentials([groupKey(1, 9)])).sign(odata, 0),
  ],
  [
    "a packet of a key that is not known",
    "unknown_key",
    () => gate(SENDER, credentials([groupKey(2)])).sign(odata, 0),
  ],
  [
    "a packet of another group",
    "forged",
    () => gate(SENDER, credentials(), GROUP + 1).sign(odata, 0),
  ],
  ["our own packet, looped back", "echo", () => gate(7).sign(odata, 0)],
  [
    "a packet of an hour ago",
    "stale",
    () => gate(SENDER, credentials([groupKey(1)], -3_600_000)).sign(odata, 0),
  ],
  ["a packet longer than any of ours", "unauthenticated", () => {
    const long = gate(SENDER).sign(odata, 0);
    return resealed(Uint8Array.of(...long, ...new Uint8Array(LARGEST_TPDU)), () => {});
  }],
];

for (const [name, reason, packet] of REFUSED) {
  Deno.test(`${name} is refused: ${reason}`, () => equal(gate(7).refuse(packet(), 0), reason));
}

Deno.test("a relay without a key takes what has no tag, and nothing else", () => {
  equal(OPEN_GATE.refuse(odata, 0), undefined);
  equal(OPEN_GATE.refuse(gate(SENDER).sign(odata, 0), 0), "keyed");
  equal(OPEN_GATE.sign(odata, 0), odata);
});

Deno.test("a refusal costs one hash at most", () => {
  let hashes = 0;
  const real = credentials();
  const hash = (bytes: Uint8Array) => (hashes++, real.hash(bytes));
  const receiver = gate(7, { ...real, hash });
  for (const [name, reason, packet] of REFUSED) {
    hashes = 0;
    receiver.refuse(packet(), 0);
    equal(hashes, reason === "forged" ? 1 : 0, name);
  }
});

Deno.test("while keys are rotated both verify, and the first signs", () => {
  const [old, young] = [groupKey(1), groupKey(2)];
  const before = credentials([old]), sender = gate(SENDER, before);
  const receivers = [[old], [old, young], [young, old]] as const;
  const refusals = () =>
    receivers.map((keys) =>
      gate(7, credentials(keys as [typeof old])).refuse(sender.sign(odata, 0), 0)
    );
  deepEqual(refusals(), [undefined, undefined, undefined]);
  before.keys.replace([young, old]);
  deepEqual(refusals(), ["unknown_key", undefined, undefined]);
});

Deno.test("packets that overtake each other are taken, up to a point, and each once", () => {
  const sender = gate(SENDER), receiver = gate(7);
  const packets = Array.from({ length: REPLAY_SPAN + 1 }, () => sender.sign(odata, 0));
  const [first, second] = packets, last = packets.at(-1);
  ok(first && second && last);
  equal(receiver.refuse(last, 0), undefined);
  equal(receiver.refuse(first, 0), "replayed", "too far behind to know");
  equal(receiver.refuse(second, 0), undefined);
  for (const packet of packets) receiver.refuse(packet, 0);
  for (const packet of packets) equal(receiver.refuse(packet, 0), "replayed");
});

Deno.test("a sender that starts again under its old name is not behind", () => {
  const receiver = gate(7);
  const sender = gate(SENDER);
  for (let i = 0; i < 1_000; i++) equal(receiver.refuse(sender.sign(odata, i), i), undefined);
  equal(receiver.refuse(gate(SENDER).sign(odata, 1_001), 1_001), undefined);
});

Deno.test("who begins takes what was recorded shortly before, once; never what is older", () => {
  const recorded = gate(SENDER).sign(odata, 0);
  const soon = gate(7), late = gate(7);
  equal(soon.refuse(recorded, STALE_MS), undefined);
  equal(soon.refuse(recorded, STALE_MS), "replayed");
  equal(late.refuse(recorded, STALE_MS + 1), "stale");
});

Deno.test("a clock that is behind follows the others after one packet, and is not kept out", () => {
  const slow = gate(SENDER, credentials([groupKey(1)], -10 * STALE_MS));
  const right = gate(7);
  equal(right.refuse(slow.sign(odata, 0), 0), "stale");
  equal(slow.refuse(right.sign(odata, 1), 1), undefined);
  equal(right.refuse(slow.sign(odata, 2), 2), undefined);
});

Deno.test("a forged packet does not set the time", () => {
  const future = gate(SENDER, credentials([groupKey(1, 9)], 10 * STALE_MS)).sign(odata, 0);
  const receiver = gate(7);
  equal(receiver.refuse(future, 0), "forged");
  equal(receiver.refuse(gate(8).sign(odata, 0), 0), undefined);
});

Deno.test("only so many senders are remembered; those long silent make room", () => {
  const receiver = gate(7);
  const hear = (gsi: number, nowMs: number) => receiver.refuse(gate(gsi).sign(odata, nowMs), nowMs);
  for (let i = 0; i < MOST_SENDERS; i++) equal(hear(1_000 + i, 0), undefined);
  equal(hear(1, STALE_MS), "stranger");
  equal(hear(1_000, STALE_MS), undefined, "who is known is heard");
  equal(hear(1, STALE_MS + 1), undefined);
});

Deno.test("a replay window is a set, as far as it reaches", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 50; round++) {
    const first = Math.floor(random() * 2 ** 52), taken = new Set<number>();
    const window = new ReplayWindow(first);
    let newest = first;
    for (let step = 0; step < 500; step++) {
      const leap = random() < 0.05 ? 3_000 : 40;
      const counter = newest + Math.floor((random() - 0.6) * leap);
      const fresh = window.isFresh(counter);
      equal(fresh, !taken.has(counter) && newest - counter < REPLAY_SPAN, `round ${round}`);
      if (!fresh) continue;
      window.take(counter);
      taken.add(counter);
      newest = Math.max(newest, counter);
    }
  }
});

/** A source and a receiver with the options of each. */
function pair(source: Partial<PgmNodeOptions>, receiver: Partial<PgmNodeOptions>) {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const sizes: number[] = [];
  network.attach((bytes) => sizes.push(bytes.length));
  const node = (gsi: number, options: Partial<PgmNodeOptions>) =>
    new PgmNode({ clock, network, random: seededRandom(gsi), gsi, ...options });
  return { clock, network, sizes, source: node(1, source), receiver: node(2, receiver) };
}

Deno.test("with a key everything arrives through loss, in packets no larger than without", () => {
  const { clock, network, sizes, source, receiver } = pair(
    { credentials: credentials() },
    { credentials: credentials() },
  );
  const random = seededRandom(3);
  network.faults = { drop: () => random() < 0.2, delayMs: () => random() };
  const messages = [1, 1_412, 1_413, 1_448, 5_000, 100_000].map((length) =>
    Uint8Array.from({ length }, () => random() * 256)
  );
  for (const message of messages) ok(source.send(message));
  ok(clock.advanceUntil(() => receiver.received().length === messages.length, 10_000));
  deepEqual(receiver.received(), messages);
  equal(Math.max(...sizes), LARGEST_TPDU);
  ok(source.counters.rdata_sent > 0);
  ok(receiver.counters.dropped_echo > 0, "its own requests");
});

Deno.test("who has a key does not hear who has none, nor the other way round, and counts why", () => {
  const keyed = { credentials: credentials() };
  for (const [a, b, reason] of [[keyed, {}, "keyed"], [{}, keyed, "unauthenticated"]] as const) {
    const { clock, source, receiver } = pair(a, b);
    source.send(payload);
    clock.advance(100);
    equal(receiver.received().length, 0);
    equal(receiver.counters[`dropped_${reason}`], receiver.counters.packets_received);
    ok(receiver.counters.packets_received > 0);
    equal(receiver.counters.spmr_sent, 0, "no peer was made of it");
  }
});

Deno.test("replayed to a receiver that goes on, a whole session is dropped", () => {
  const { clock, network, receiver, source } = pair(
    { credentials: credentials() },
    { credentials: credentials() },
  );
  const recorded: Uint8Array[] = [];
  const replay = network.attach((bytes) => recorded.push(bytes));
  for (let i = 0; i < 20; i++) {
    source.send(Uint8Array.of(i));
    clock.advance(1);
  }
  source.kill();
  clock.advance(40_000);
  equal(receiver.counters.peers_expired, 1, "forgotten as a peer");
  const said = recorded.slice();
  for (const packet of said) replay(packet);
  clock.advance(10);
  equal(receiver.counters.dropped_replayed, said.length);
  clock.advance(STALE_MS);
  for (const packet of said) replay(packet);
  clock.advance(10);
  equal(receiver.counters.dropped_stale, said.length);
  equal(receiver.received().length, 20);
});
