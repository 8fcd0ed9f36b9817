/**
 * One behaviour of RFC 3208 of a source each, on the simulated network.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeNak, encodeSpmr, seal } from "../../../backbone/pgm/encode.ts";
import { TYPE } from "../../../backbone/pgm/packet.ts";
import { LIMITS } from "../../../backbone/pgm/session.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import type { Urgency } from "../../../backbone/pgm/urgency.ts";
import { lan, loseOnce, numbers, ofType, SOURCE_STREAM, upTo } from "../../support/pgm_scenario.ts";

Deno.test("spm_before_data: a new source announces itself first, more than once, with lead one before trail", () => {
  const { wire, send } = lan(1);
  send(0, 0);
  const announced = wire.slice(0, wire.findIndex(({ type }) => type === "odata"));
  const known = announced.map((packet) => packet.type === "spm" && [packet.trail, packet.lead]);
  deepEqual(known, [[0, 0xffff_ffff], [0, 0xffff_ffff], [0, 0xffff_ffff]]);
});

Deno.test("idle: who has sent nothing says nothing", () => {
  const { clock, network } = lan(3);
  clock.advance(60_000);
  equal(network.sent, 0);
});

Deno.test("tail_loss_heartbeat: the loss of the last packet is found by an SPM within milliseconds", () => {
  const { clock, network, receiver, send } = lan(1);
  network.faults.drop = loseOnce([3]);
  send(0, 3);
  const foundIn = clock.nowMs();
  ok(clock.advanceUntil(() => receiver.received().length === 4, 100));
  ok(clock.nowMs() - foundIn <= TIMING.heartbeatFirstMs + TIMING.backoffMs.first + 2);
});

Deno.test("tail_loss_heartbeat: the heartbeats decay to the ambient interval", () => {
  const { clock, send, wire } = lan(1);
  send(0, 0);
  clock.advance(60_000);
  const times = wire.filter(({ type }) => type === "spm").map(({ atMs }) => atMs).slice(3);
  const gaps = times.slice(1).map((atMs, i) => Math.round(atMs - (times[i] ?? 0)));
  deepEqual(gaps.slice(0, 4), [12, 48, 192, 768]);
  ok(gaps.slice(5).every((gap) => gap === TIMING.ambientSpmMs));
});

Deno.test("tail_loss_heartbeat: what is said again soon can wait, unless other data shares its packet", () => {
  const foundIn = (...urgencies: readonly Urgency[]) => {
    const { clock, network, source, receiver } = lan(1);
    source.send(Uint8Array.of(0));
    clock.advance(5000);
    let left = 1;
    network.faults.drop = (bytes, _from, to) => ofType(bytes, TYPE.odata) && to > 1 && left-- > 0;
    const fromMs = clock.nowMs(), last = urgencies.at(-1);
    for (const urgency of urgencies.slice(0, -1)) {
      source.session.send(Uint8Array.of(1), urgency, fromMs);
    }
    source.send(Uint8Array.of(1), last);
    ok(clock.advanceUntil(() => receiver.received().length === 1 + urgencies.length, 1000));
    return clock.nowMs() - fromMs;
  };
  const soonMs = TIMING.heartbeatFirstMs + TIMING.backoffMs.first + 2;
  ok(foundIn("usual") <= soonMs);
  const laterMs = foundIn("repeated");
  ok(laterMs >= TIMING.heartbeatRepeatedMs && laterMs < TIMING.heartbeatRepeatedMs + soonMs);
  ok(foundIn("usual", "repeated", "repeated") <= soonMs);
});

Deno.test("ambient_spm: SPMs come during a steady stream too", () => {
  const { send, wire } = lan(1);
  send(0, 200);
  for (let round = 0; round < 50; round++) send(0, 200);
  const times = wire.filter(({ type }) => type === "spm").map(({ atMs }) => atMs);
  times.slice(1).forEach((atMs, i) => ok(atMs - (times[i] ?? 0) <= TIMING.ambientSpmMs + 1));
  ok(times.length >= 2);
});

Deno.test("linger: a packet asked for by many at once is repaired once", () => {
  const { clock, network, source, send, count } = lan(1);
  send(0, 5);
  const inject = network.attach(() => {});
  for (let i = 0; i < 10; i++) {
    inject(encodeNak(SOURCE_STREAM, "nak", { sqns: [3], sourceNla: 0, groupNla: 0 }));
  }
  clock.advance(1);
  equal(source.counters.naks_received, 10);
  equal(count("rdata"), 1);
});

Deno.test("outofwindow_ncf: a request that comes too late is confirmed and answered by the trail", () => {
  const { clock, network, send, count, wire } = lan(1);
  send(0, 5);
  clock.advance(2 * TIMING.windowMs);
  const before = count("spm");
  network.attach(() => {})(
    encodeNak(SOURCE_STREAM, "nak", { sqns: [3], sourceNla: 0, groupNla: 0 }),
  );
  clock.advance(10);
  deepEqual([count("ncf"), count("rdata")], [1, 0]);
  const spm = wire.filter((packet) => packet.type === "spm").at(-1);
  ok(count("spm") > before && spm?.trail === 6 && spm.lead === 5);
});

Deno.test("nak_of_the_future: what was never sent is neither confirmed nor repaired", () => {
  const { clock, network, send, count, source } = lan(1);
  send(0, 5);
  network.attach(() => {})(
    encodeNak(SOURCE_STREAM, "nak", { sqns: [6, 1_000], sourceNla: 0, groupNla: 0 }),
  );
  clock.advance(10);
  deepEqual([count("ncf"), count("rdata"), source.counters.dropped_nak], [0, 0, 2]);
});

Deno.test("nnak: what another has repaired is neither confirmed nor repaired", () => {
  const { clock, network, send, count, source } = lan(1);
  send(0, 5);
  const nnak = encodeNak(SOURCE_STREAM, "nak", { sqns: [3], sourceNla: 0, groupNla: 0 });
  nnak[4] = TYPE.nnak;
  network.attach(() => {})(seal(nnak, new DataView(nnak.buffer)));
  clock.advance(10);
  deepEqual([count("nnak"), count("ncf"), count("rdata")], [1, 0, 0]);
  equal(source.counters.naks_received, 0);
});

Deno.test("nak_flood: repairs and confirmations keep to their share of the budget", () => {
  const { clock, network, source, send } = lan(1, { rate: 1_000_000 });
  send(0, 99);
  const flood = network.attach(() => {});
  const nak = encodeNak(SOURCE_STREAM, "nak", { sqns: upTo(0, 62), sourceNla: 0, groupNla: 0 });
  const before = source.counters.bytes_sent;
  for (let ms = 0; ms < 1_000; ms++) {
    for (let i = 0; i < 10; i++) flood(nak);
    clock.advance(1);
  }
  const asked = 10_000 * nak.length;
  const answered = source.counters.bytes_sent - before;
  ok(answered < asked / 4, `${answered} bytes out for ${asked} in`);
  ok(source.send(Uint8Array.of(1)));
});

Deno.test("spmr_suppression: a source answers a crowd with few SPMs, and says nothing if it has sent nothing", () => {
  const { clock, network, send, count } = lan(1);
  const crowd = network.attach(() => {});
  crowd(encodeSpmr(SOURCE_STREAM));
  clock.advance(10);
  equal(count("spm"), 0);
  send(0, 0);
  clock.advance(20_000);
  const before = count("spm");
  for (let i = 0; i < 100; i++) crowd(encodeSpmr(SOURCE_STREAM));
  clock.advance(1);
  equal(count("spm") - before, 1);
});

Deno.test("fin: three SPMs say goodbye, and packets lost before are still repaired", () => {
  const { clock, network, receiver, source, send, wire } = lan(1);
  network.faults.drop = loseOnce([3]);
  send(0, 3);
  source.close();
  clock.advance(50);
  deepEqual(numbers(receiver), upTo(0, 3));
  equal(wire.filter((packet) => packet.type === "spm" && packet.fin).length, 3);
});

Deno.test("fin: data that still waits does not put goodbyes off", () => {
  const { wire, source, send } = lan(1);
  send(0, 9);
  source.close();
  send(10, 29);
  const goodbyesMs = wire.flatMap((packet) =>
    packet.type === "spm" && packet.fin ? [packet.atMs] : []
  );
  equal(goodbyesMs.length, 3);
  const [firstMs = NaN, , lastMs = NaN] = goodbyesMs;
  equal(lastMs - firstMs, 2 * TIMING.spmrHoldMs);
});

Deno.test("packing: payloads that had to wait share packets, a lone one travels alone", () => {
  const { clock, receiver, source, wire, count } = lan(1, { rate: 1_000_000 });
  source.send(new Uint8Array(100).fill(0));
  clock.advance(50);
  for (let i = 1; i < 100; i++) source.send(new Uint8Array(100).fill(i));
  clock.advance(200);
  deepEqual(numbers(receiver), upTo(0, 99));
  ok(count("odata") < 20, `${count("odata")} packets`);
  const [first] = wire.flatMap((packet) => packet.type === "odata" ? [packet.packed] : []);
  equal(first, false);
});

Deno.test("back_pressure: a queue that is full refuses, and loses nothing it took", () => {
  const { clock, receiver, source } = lan(1, { rate: 20_000_000 });
  let sent = 0;
  while (source.send(new Uint8Array(100_000).fill(sent))) sent++;
  ok(sent * 100_000 <= LIMITS.queueBytes && sent > 50);
  clock.advance(2_000);
  deepEqual(numbers(receiver), upTo(0, sent - 1));
});

Deno.test("back_pressure: payloads of nothing fill the queue, too", () => {
  const { clock, receiver, source } = lan(1, { rate: 20_000_000 });
  let sent = 0;
  while (sent < LIMITS.queueBytes && source.send(new Uint8Array())) sent++;
  ok(sent > 1_000 && sent < LIMITS.queueBytes / 100, `${sent} were taken`);
  clock.advance(2_000);
  equal(receiver.received().length, sent);
});
