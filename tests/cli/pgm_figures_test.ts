/** What the `pgm` commands compute, without sockets. */
import assert from "node:assert/strict";
import {
  encodeData,
  encodeNak,
  encodePacked,
  encodeSpm,
  encodeSpmr,
} from "../../backbone/pgm/encode.ts";
import { describePacket } from "../../src/cli/pgm/describe.ts";
import { Latencies } from "../../src/cli/pgm/latencies.ts";
import { Payloads } from "../../src/cli/pgm/payloads.ts";
import { readStamp, writeStamp } from "../../src/cli/pgm/stamp.ts";
import { Tally } from "../../src/cli/pgm/tally.ts";
import { createWallClock } from "../../src/cli/pgm/wall_clock.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("a stamp is two 64-bit integers, little-endian, as any language reads them", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 1000; i++) {
    const counter = Math.floor(random() * 2 ** (1 + i % 53)), wallUs = 1.7e15 + random() * 1e15;
    const payload = new Uint8Array(24);
    writeStamp(payload.subarray(4, 20), { counter, wallUs });
    const view = new DataView(payload.buffer);
    assert.equal(view.getBigUint64(4, true), BigInt(counter));
    const ns = Number(view.getBigUint64(12, true));
    assert(Math.abs(ns / 1000 - wallUs) <= 0.5, `${ns} for ${wallUs}`);
    const stamp = readStamp(payload.subarray(4));
    assert.equal(stamp?.counter, counter);
    assert(Math.abs(stamp.wallUs - wallUs) <= 0.5);
  }
  assert.equal(readStamp(new Uint8Array(15)), undefined);
  assert.equal(readStamp(new Uint8Array(16).fill(0x41)), undefined);
});

Deno.test("payloads keep their counter and size, and share no bytes", () => {
  for (const size of [16, 200, 70_000]) {
    const payloads = new Payloads(size, () => 1e15);
    const made = Array.from({ length: 1000 }, (_, counter) => payloads.stamped(counter));
    assert.deepEqual(made.map((payload) => readStamp(payload)?.counter), [...made.keys()]);
    assert(made.every((payload) => payload.length === size));
  }
  assert.throws(() => new Payloads(15, () => 0), RangeError);
});

Deno.test("quantiles are those of the sorted values, to 2 %", () => {
  const random = seededRandom(2);
  for (const largest of [3, 1e3, 5e7]) {
    const latencies = new Latencies();
    const values = Array.from({ length: 5_000 }, () => largest * random() ** 3);
    for (const value of values) latencies.add(value);
    values.sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.99, 1]) {
      const exact = values[Math.ceil(share * values.length) - 1] ?? 0;
      const found = latencies.quantile(share) ?? NaN;
      assert(Math.abs(found - exact) <= 0.02 * exact + 0.1, `${share}: ${found} for ${exact}`);
    }
  }
});

Deno.test("what cannot be a latency is left out", () => {
  const latencies = new Latencies();
  for (const us of [-1_001, 60e6 + 1, NaN, Infinity]) latencies.add(us);
  assert.equal(latencies.quantile(0.5), null);
  latencies.add(-5);
  assert.equal(latencies.quantile(0.5), 0, "clocks that differ a little");
  latencies.add(60e6);
  assert(Math.abs((latencies.quantile(1) ?? 0) - 60e6) < 1.2e6);
});

Deno.test("senders are counted apart; the first that is heard of one is where it begins", () => {
  const tally = new Tally();
  const add = (sender: string, counter: number, nowUs: number) => {
    const payload = new Uint8Array(16);
    writeStamp(payload, { counter, wallUs: nowUs - 100 });
    tally.add(sender, payload, nowUs);
  };
  add("a", 7, 1e15);
  add("b", 0, 1e15 + 1e6);
  add("a", 8, 1e15 + 2e6);
  add("a", 8, 1e15 + 2e6);
  add("b", 3, 1e15 + 2e6);
  assert.equal(tally.accounted, 7);
  const { p50_us, p99_us, ...rest } = tally.report(4);
  assert.deepEqual(rest, {
    received: 5,
    bytes: 80,
    duplicates: 1,
    lost: 2,
    naks: 4,
    elapsed_s: 2,
    messages_per_s: 2,
  });
  for (const us of [p50_us, p99_us]) assert(us !== null && Math.abs(us - 100) <= 2);
});

Deno.test("the wall clock agrees with the system's, and moves by parts of its millisecond", () => {
  const nowUs = createWallClock();
  const before = Date.now(), now = nowUs(), after = Date.now() + 1;
  assert(now / 1000 >= before - 1 && now / 1000 <= after + 1);
  const reads = Array.from({ length: 1000 }, nowUs);
  assert(new Set(reads.map((us) => Math.floor(us))).size > 2);
  assert.deepEqual(reads, reads.toSorted((a, b) => a - b));
});

Deno.test("every type of packet in one line", () => {
  const stream = { gsi: 0, sourcePort: 7, destinationPort: 3055 }, payload = new Uint8Array(10);
  const nlas = { sourceNla: 0x0a000001, groupNla: 0xefc00701 };
  const spm = { sqn: 1, trail: 2, lead: 3, nla: 0x0a000001 };
  const fragment = { first: 4, offset: 10, length: 20 };
  const unknown = encodeSpm(stream, { ...spm, fin: true });
  // Any checksum will do where none is required; an option type that nobody has.
  unknown.fill(0, 6, 8);
  unknown[40] = 0xf7;
  const cases: [Uint8Array, string][] = [
    [
      encodeSpm(stream, { ...spm, fin: false }),
      "SPM   AAAAAAAA:7 spm=1 trail=2 lead=3 nla=10.0.0.1 36 B",
    ],
    [
      encodeSpm(stream, { ...spm, fin: true }),
      "SPM   AAAAAAAA:7 spm=1 trail=2 lead=3 nla=10.0.0.1 44 B [fin]",
    ],
    [unknown, "SPM   AAAAAAAA:7 spm=1 trail=2 lead=3 nla=10.0.0.1 44 B [0x77]"],
    [
      encodeData(stream, { sqn: 5, trail: 4, payload }),
      "ODATA AAAAAAAA:7 sqn=5 trail=4 tsdu=10 34 B",
    ],
    [
      encodeData(stream, { sqn: 5, trail: 4, payload, fragment }),
      "ODATA AAAAAAAA:7 sqn=5 trail=4 tsdu=10 first=4 at=10 of=20 54 B [fragment]",
    ],
    [
      encodePacked(stream, { sqn: 5, trail: 4, payloads: [payload, payload] }),
      "ODATA AAAAAAAA:7 sqn=5 trail=4 tsdu=24 56 B [packed]",
    ],
    [
      encodeNak(stream, "nak", { sqns: [3, 5, 6, 7, 9], ...nlas }),
      "NAK   AAAAAAAA:7 sqns=3,5-7,9 to=10.0.0.1 group=239.192.7.1 60 B [nakList]",
    ],
    [
      encodeNak(stream, "ncf", { sqns: [3], ...nlas }),
      "NCF   AAAAAAAA:7 sqns=3 to=10.0.0.1 group=239.192.7.1 36 B",
    ],
    [encodeSpmr(stream), "SPMR  AAAAAAAA:7 16 B"],
    [new Uint8Array(), "refused: truncated, 0 B"],
    [new Uint8Array(40).fill(0xff), "refused: type, 40 B"],
  ];
  for (const [packet, line] of cases) assert.equal(describePacket(packet), line);
});
