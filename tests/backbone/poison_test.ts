/**
 * Packets that are wrong, made so or bent: they end no stream.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeRepair, seal } from "../../backbone/pgm/encode.ts";
import { TYPE } from "../../backbone/pgm/packet.ts";
import { LARGEST_SPAN } from "../../backbone/pgm/receive_window.ts";
import { LIMITS } from "../../backbone/pgm/session.ts";
import { TIMING } from "../../backbone/pgm/timing.ts";
import { credentials } from "../support/group_keys.ts";
import { attackedLan, odata, spm } from "../support/pgm_attack.ts";
import { seededRandom } from "../support/random.ts";
import { seeds } from "../support/soak.ts";

/** What a receiver that has 100 packets of a stream is told about it. */
const POISON: Record<string, Uint8Array[]> = {
  "an SPM far ahead": [spm({ sqn: 500, trail: 1e9, lead: 1e9 })],
  "an SPM as far ahead as can be": [spm({ sqn: 500, trail: 99, lead: 0x7fff_fff0 })],
  "an SPM that is believed": [spm({ sqn: 500, trail: 60_000, lead: 60_000 })],
  "an SPM whose lead is believed": [spm({ sqn: 500, trail: 0, lead: 60_000 })],
  "an SPM from the end of its numbers": [spm({ sqn: 0x7fff_fff0, trail: 0, lead: 99 })],
  "an SPM that makes the next thousands old": [spm({ sqn: 9_000, trail: 0, lead: 99 })],
  "ODATA far ahead": [odata(1e9, 1e9)],
  "ODATA that is believed": [odata(60_000, 60_000)],
  "ODATA that leaves a hole": [odata(60_000)],
  "ODATA half a turn ahead": [odata(0x8000_0063, 0x8000_0063)],
  "ODATA half a turn from its trail": [odata(0x63, 0x8000_0064), odata(0x63, 0x8000_0063)],
  "RDATA half a turn ahead": [encodeRepair(odata(0x8000_0063, 0x8000_0063), 0x8000_0063)],
  "a stairway of ODATA": Array.from({ length: 40 }, (_, i) => odata(60_000 * i, 60_000 * i)),
  "ODATA behind": [odata(3), odata(0xffff_ff00, 0xffff_ff00)],
  "FIN": [spm({ sqn: 500, trail: 0, lead: 99, fin: true })],
};

for (const [name, packets] of Object.entries(POISON)) {
  for (const repeated of [false, true]) {
    Deno.test(`poison: ${name}${repeated ? ", for a while" : ""}, does not end a stream`, () => {
      const { clock, network, send, received, receiver, inject } = attackedLan();
      send(100);
      clock.advance(20);
      deepEqual(received(), Array.from({ length: 100 }, (_, i) => i));
      for (let round = 0; round < (repeated ? 40 : 1); round++) {
        packets.forEach(inject);
        clock.advance(repeated ? 50 : 1);
      }
      // Within seconds it is as before, whatever was lost meanwhile.
      send(300, 10);
      const before = received().length;
      send(99);
      // That the last packet is lost only SPMs tell.
      network.faults = { drop: (bytes) => bytes[4] === TYPE.odata };
      send(1);
      network.faults = {};
      clock.advance(50);
      deepEqual(received().slice(before), Array.from({ length: 100 }, (_, i) => 400 + i));
      const all = received();
      deepEqual(all, [...new Set(all)].sort((a, b) => a - b), "in order, each once");
      ok(receiver.peakBytesHeld <= LIMITS.receiveWindowBytes);
    });
  }
}

Deno.test("poison: a single leap of a busy stream is not believed, and costs nothing", () => {
  const { clock, send, received, receiver, inject } = attackedLan();
  send(100);
  inject(odata(1e9, 1e9));
  inject(spm({ sqn: 500, trail: 1e9, lead: 1e9 }));
  send(100);
  clock.advance(20);
  deepEqual(received(), Array.from({ length: 200 }, (_, i) => i));
  deepEqual([receiver.counters.streams_begun_again, receiver.lost], [0, 0]);
});

Deno.test("poison: whoever was deaf for longer than a leap goes on, and is told what it lost", () => {
  const { clock, network, source, receiver, send } = attackedLan();
  send(10);
  network.faults = { drop: (_bytes, _from, to) => to === 1 };
  for (let left = LARGEST_SPAN + 1_000; left > 0;) {
    if (source.send(new Uint8Array(1_400))) left--;
    else clock.advance(1);
  }
  clock.advance(3_000);
  network.faults = {};
  send(500);
  clock.advance(100);
  equal(receiver.counters.streams_begun_again, 1);
  equal(receiver.lost, LARGEST_SPAN + 1_000);
  equal(receiver.received().length, 510);
});

/** A packet of those seen, bent: cut, a byte changed, or grown; mostly with a checksum that is right again. */
function bent(seen: Uint8Array, random: () => number): Uint8Array {
  const length = random() < 0.2 ? Math.floor(random() * (seen.length + 40)) : seen.length;
  const copy = new Uint8Array(length);
  copy.set(seen.subarray(0, length));
  for (let changes = random() * 4; changes > 0; changes--) {
    copy[Math.floor(random() * length)] = random() * 256;
  }
  return length >= 16 && random() < 0.9 ? seal(copy, new DataView(copy.buffer)) : copy;
}

for (const options of [{}, { credentials: credentials() }]) {
  const keyed = options.credentials ? "with" : "without";
  Deno.test(`fuzz: bent packets ${keyed} a key throw nothing, and the stream recovers`, () => {
    for (const seed of seeds(8, 1_000)) {
      const { clock, network, send, received, receiver } = attackedLan(options);
      const random = seededRandom(seed), seen: Uint8Array[] = [];
      const inject = network.attach((bytes) => seen.push(bytes));
      for (let round = 0; round < 100; round++) {
        send(1);
        for (let i = 0; i < 10; i++) {
          inject(bent(seen[Math.floor(random() * seen.length)] ?? odata(0), random));
        }
      }
      clock.advance(20);
      seen.length = 0;
      if (options.credentials) {
        deepEqual(received(), Array.from({ length: 100 }, (_, i) => i), `seed ${seed}`);
        ok(receiver.counters.dropped_forged > 0);
        continue;
      }
      send(300, 10);
      const before = received().length;
      send(50);
      clock.advance(TIMING.windowMs);
      const last = received().slice(before).slice(-50);
      deepEqual(last, Array.from({ length: 50 }, (_, i) => 400 + i), `seed ${seed}`);
    }
  });
}
