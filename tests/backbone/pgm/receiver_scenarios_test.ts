/**
 * One behaviour of RFC 3208 of a receiver each, on the simulated network.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeSpm, encodeSpmr } from "../../../backbone/pgm/encode.ts";
import { gsiText } from "../../../backbone/pgm/gsi.ts";
import { TYPE } from "../../../backbone/pgm/packet.ts";
import { LIMITS } from "../../../backbone/pgm/session.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { lan, loseOnce, numbers, ofType, SOURCE_STREAM, upTo } from "../../support/pgm_scenario.ts";
import { seededRandom } from "../../support/random.ts";

Deno.test("nak_repair: a lost packet is asked for, confirmed, repaired, and delivered in order", () => {
  const { clock, network, receiver, source, send, count } = lan(1);
  network.faults.drop = loseOnce([2]);
  send(0, 5);
  clock.advance(20);
  deepEqual(numbers(receiver), upTo(0, 5));
  deepEqual([count("nak"), count("ncf"), count("rdata")], [1, 1, 1]);
  equal(source.counters.nak_sqns_received, 1);
});

Deno.test("list_nak: a run of losses is asked for in one NAK", () => {
  const { clock, network, receiver, send, wire } = lan(1);
  network.faults.drop = loseOnce(upTo(3, 40));
  send(0, 41);
  clock.advance(20);
  deepEqual(numbers(receiver), upTo(0, 41));
  const asked = wire.flatMap((packet) => packet.type === "nak" ? [packet.sqns] : []);
  deepEqual(asked, [upTo(3, 40)]);
});

Deno.test("ncf_cancellation: a confirmation keeps others from asking", () => {
  const { clock, network, nodes, send, count, receiver } = lan(20);
  // Nobody hears another's NAK: the NCF alone suppresses. Repairs are slow to come.
  network.faults.drop = (bytes, from, to) =>
    loseOnce([2])(bytes, from, to) || (ofType(bytes, TYPE.nak) && to !== 1);
  send(0, 5);
  clock.advance(50);
  for (const node of nodes) deepEqual(numbers(node), upTo(0, 5));
  const asked = nodes.reduce((sum, node) => sum + node.counters.nak_sent, 0);
  ok(asked >= 1 && asked <= 8, `${asked} NAKs of 20 receivers`);
  equal(count("rdata"), 1);
  equal(receiver.lost, 0);
});

Deno.test("nak_suppression: another's NAK keeps one from asking", () => {
  const { clock, network, nodes, send } = lan(20);
  // No NCF and no repair reaches anybody for a while: NAKs alone suppress.
  network.faults.drop = (bytes, from, to) =>
    loseOnce([2])(bytes, from, to) || ofType(bytes, TYPE.ncf, TYPE.rdata);
  send(0, 5);
  const asked = nodes.reduce((sum, node) => sum + node.counters.nak_sent, 0);
  ok(asked >= 1 && asked <= 8, `${asked} NAKs of 20 receivers`);
  ok(nodes.some((node) => node.counters.naks_suppressed > 0));
  network.faults = {};
  clock.advance(100);
  for (const node of nodes) deepEqual(numbers(node), upTo(0, 5));
});

Deno.test("nak_retry: a lost NAK, NCF or RDATA is asked for again", () => {
  for (const type of [TYPE.nak, TYPE.ncf, TYPE.rdata]) {
    const { clock, network, receiver, send } = lan(1);
    let lost = 0;
    network.faults.drop = (bytes, from, to) =>
      loseOnce([2])(bytes, from, to) || (ofType(bytes, type) && to > 0 && lost++ < 3);
    send(0, 5);
    clock.advance(300);
    deepEqual(numbers(receiver), upTo(0, 5), `type ${type}`);
    ok(lost >= 1);
  }
});

Deno.test("spmr: who joins in the middle asks for an SPM, and one asks for many", () => {
  const { clock, network, node, send, count, nodes } = lan(1);
  send(0, 99);
  const before = count("spm");
  network.faults.drop = (bytes) => ofType(bytes, TYPE.spm);
  const late = Array.from({ length: 10 }, (_, i) => node(500 + i));
  send(100, 101);
  network.faults = {};
  send(102, 110);
  clock.advance(5);
  const asked = late.reduce((sum, { counters }) => sum + counters.spmr_sent, 0);
  ok(asked >= 1 && asked < 10, `${asked} SPMRs of 10 receivers`);
  ok(count("spm") > before);
  for (const receiver of [...late, ...nodes]) equal(numbers(receiver).at(-1), 110);
});

Deno.test("late_join: who joins in the middle hears from there on, and misses nothing before", () => {
  const { clock, node, send } = lan(1);
  send(0, 99);
  const late = node(500);
  send(100, 110);
  clock.advance(100);
  deepEqual(numbers(late), upTo(100, 110));
  equal(late.lost, 0);
});

Deno.test("young_stream: a first packet that is lost is still had", () => {
  const { clock, network, receiver, send } = lan(1);
  let lost = 0;
  network.faults.drop = (_bytes, _from, to) => to === 2 && lost++ < 4;
  send(0, 9);
  clock.advance(50);
  deepEqual(numbers(receiver), upTo(0, 9));
});

Deno.test("rejoin: who left and joins again hears nothing twice", () => {
  const { receiver, send } = lan(1);
  send(0, 3);
  receiver.session.deafen();
  send(4, 5);
  receiver.session.listen();
  send(6, 9);
  deepEqual(numbers(receiver), [...upTo(0, 3), ...upTo(6, 9)]);
});

Deno.test("odata_jump: what is missing when the source can no longer repair it is announced once, in its place", () => {
  const { clock, network, receiver, send } = lan(1);
  send(0, 4);
  network.faults.drop = (bytes, _from, to) => to === 2 && ofType(bytes, TYPE.odata, TYPE.spm);
  send(5, 9);
  clock.advance(2 * TIMING.windowMs);
  network.faults = {};
  send(10, 14);
  clock.advance(50);
  deepEqual(numbers(receiver), [...upTo(0, 4), ...upTo(10, 14)]);
  deepEqual(receiver.events.map(({ type }) => type), [
    ...Array(5).fill("message"),
    "lost",
    ...Array(5).fill("message"),
  ]);
  equal(receiver.lost, 5);
});

Deno.test("spm_trail: an SPM alone tells that the source can no longer repair", () => {
  const { clock, network, receiver, send } = lan(1);
  network.faults.drop = (bytes, from, to) =>
    loseOnce([2])(bytes, from, to) || ofType(bytes, TYPE.nak);
  send(0, 4);
  const spm = { sqn: 1_000, trail: 4, lead: 4, nla: 0, fin: false };
  network.attach(() => {})(encodeSpm(SOURCE_STREAM, spm));
  clock.advance(1);
  deepEqual(numbers(receiver), [0, 1, 3, 4]);
  equal(receiver.lost, 1);
});

Deno.test("nak_after_spm: nothing is asked for before an SPM told whom to ask", () => {
  const { clock, network, receiver, send } = lan(1);
  network.faults.drop = (bytes, from, to) =>
    loseOnce([2])(bytes, from, to) || ofType(bytes, TYPE.spm);
  send(0, 9);
  clock.advance(100);
  equal(receiver.counters.nak_sent, 0);
  ok(receiver.counters.spmr_sent > 0);
  network.faults = {};
  clock.advance(100);
  deepEqual(numbers(receiver), upTo(0, 9));
});

Deno.test("unrecoverable_loss_event: what nobody repairs is given up after the window's age", () => {
  const { clock, network, receiver, send, source } = lan(1);
  network.faults.drop = (bytes, from, to) =>
    loseOnce([2])(bytes, from, to) || ofType(bytes, TYPE.rdata);
  send(0, 5);
  clock.advance(TIMING.windowMs / 2);
  equal(receiver.lost, 0);
  clock.advance(TIMING.windowMs);
  deepEqual(numbers(receiver), [0, 1, 3, 4, 5]);
  equal(receiver.lost, 1);
  ok(source.counters.naks_received < 250, "a hopeless case is no flood");
});

Deno.test("fragments_lost: messages over a packet arrive whole, whatever fragments were lost", () => {
  const { clock, network, receiver, source } = lan(1);
  const random = seededRandom(5);
  network.faults.drop = (bytes) => ofType(bytes, TYPE.odata) && random() < 0.3;
  const messages = [1_448, 1_449, 2_856, 20_000, 1 << 20].map((length) =>
    Uint8Array.from({ length }, () => random() * 256)
  );
  for (const message of messages) ok(source.send(message));
  ok(clock.advanceUntil(() => receiver.received().length === messages.length, 10_000));
  deepEqual(receiver.received(), messages);
});

Deno.test("fragments_lost: a message that loses a fragment for good is dropped whole, and no other", () => {
  const { clock, network, receiver, source, send } = lan(1);
  network.faults.drop = (bytes, from, to) =>
    loseOnce([1])(bytes, from, to) || ofType(bytes, TYPE.rdata);
  source.send(new Uint8Array(5_000));
  send(7, 9);
  clock.advance(2 * TIMING.windowMs);
  deepEqual(numbers(receiver), [7, 8, 9]);
  equal(
    receiver.counters.messages_broken,
    3,
    "its first fragment, and two that came after the lost one",
  );
});

Deno.test("restart_new_gsi: a source that comes back under a new GSI is another source", () => {
  const { clock, node, receiver, source, send } = lan(1);
  send(0, 3);
  source.kill();
  const again = node(2);
  for (let i = 0; i < 3; i++) {
    again.send(Uint8Array.of(i));
    clock.advance(1);
  }
  clock.advance(100);
  deepEqual(receiver.received(gsiText(1)).length, 4);
  deepEqual(receiver.received(gsiText(2)).map(([first]) => first), [0, 1, 2]);
  equal(receiver.lost, 0);
});

Deno.test("wrap: numbers pass 2^32 with losses on either side of it", () => {
  const { clock, network, receiver, send } = lan(1, { firstSqn: 0xffff_fff0 });
  network.faults.drop = loseOnce([0xffff_fffe, 0xffff_ffff, 0, 3]);
  send(0, 40);
  clock.advance(50);
  deepEqual(numbers(receiver), upTo(0, 40));
});

Deno.test("duplicate_suppression: what arrives twice is delivered once", () => {
  const { clock, network, receiver, send } = lan(1);
  network.faults = { copies: () => 3 };
  send(0, 9);
  clock.advance(50);
  deepEqual(numbers(receiver), upTo(0, 9));
  ok(receiver.counters.duplicates >= 20);
});

Deno.test("reordering: packets that overtake each other are put in order, mostly without a NAK", () => {
  const { clock, network, receiver, send, count } = lan(1);
  const random = seededRandom(6);
  network.faults = { delayMs: () => random() * 1.5 };
  send(0, 99);
  clock.advance(50);
  deepEqual(numbers(receiver), upTo(0, 99));
  ok(count("nak") < 30, `${count("nak")} NAKs`);
});

Deno.test("partition: who was cut off shorter than the window has everything afterwards", () => {
  const { clock, network, receiver, send } = lan(1);
  send(0, 9);
  network.faults.drop = (_bytes, from, to) => from === 2 || to === 2;
  send(10, 200);
  network.faults = {};
  clock.advance(1_000);
  deepEqual(numbers(receiver), upTo(0, 200));
  equal(receiver.lost, 0);
});

Deno.test("spm_stale: an SPM that is older than the last is ignored, and so is one that contradicts itself", () => {
  const { clock, network, receiver, send } = lan(1);
  send(0, 9);
  clock.advance(100);
  const inject = network.attach(() => {});
  inject(encodeSpm(SOURCE_STREAM, { sqn: 0, trail: 0, lead: 99, nla: 0, fin: false }));
  inject(encodeSpm(SOURCE_STREAM, { sqn: 1_000, trail: 500, lead: 9, nla: 0, fin: false }));
  clock.advance(10);
  equal(receiver.counters.dropped_spm, 2);
  send(10, 12);
  deepEqual(numbers(receiver), upTo(0, 12));
});

Deno.test("peers: a flood of forged sources takes neither memory without end nor the place of the real", () => {
  const { clock, network, receiver, send } = lan(1);
  send(0, 1);
  const inject = network.attach(() => {});
  for (let gsi = 1_000; gsi < 3_000; gsi++) {
    const spm = { sqn: 0, trail: 0, lead: 0xffff_ffff, nla: 0, fin: false };
    inject(encodeSpm({ ...SOURCE_STREAM, gsi }, spm));
  }
  clock.advance(10);
  equal(receiver.counters.peers_refused, 2_000 - (LIMITS.peers - 1));
  send(2, 9);
  deepEqual(numbers(receiver), upTo(0, 9));
  clock.advance(TIMING.peerExpiryMs + 1);
  equal(receiver.counters.peers_expired, LIMITS.peers - 1);
});

Deno.test("foreign: packets of another port are counted and ignored", () => {
  const { clock, network, receiver } = lan(1);
  const inject = network.attach(() => {});
  inject(encodeSpmr({ ...SOURCE_STREAM, destinationPort: 9 }));
  inject(new Uint8Array());
  inject(new Uint8Array(100).fill(1));
  clock.advance(1);
  const { dropped_foreign, dropped_truncated, dropped_checksum } = receiver.counters;
  deepEqual([dropped_foreign, dropped_truncated, dropped_checksum], [1, 1, 1]);
});
