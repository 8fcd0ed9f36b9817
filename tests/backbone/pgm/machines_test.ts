import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { drawBackoffMs } from "../../../backbone/pgm/backoff.ts";
import { Deque } from "../../../backbone/pgm/deque.ts";
import { gsiText, parseGsi } from "../../../backbone/pgm/gsi.ts";
import { LARGEST_TPDU } from "../../../backbone/pgm/packet.ts";
import { packable } from "../../../backbone/pgm/packing.ts";
import { Reassembler } from "../../../backbone/pgm/reassembly.ts";
import { Slabs } from "../../../backbone/pgm/slab.ts";
import { LARGEST_SPAN, ReceiveWindow } from "../../../backbone/pgm/receive_window.ts";
import { RepairRequests } from "../../../backbone/pgm/repair_requests.ts";
import { RoundTrip } from "../../../backbone/pgm/round_trip.ts";
import { ahead, before, plus } from "../../../backbone/pgm/serial.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { TransmitWindow } from "../../../backbone/pgm/transmit_window.ts";
import { seededRandom } from "../../support/random.ts";

const tpdu = (...payload: number[]) => ({
  payload: Uint8Array.from(payload),
  fragment: undefined,
  packed: false,
});

Deno.test("serial numbers compare across the wrap", () => {
  equal(plus(0xffff_ffff, 1), 0);
  equal(plus(0, -1), 0xffff_ffff);
  equal(ahead(1, 0xffff_ffff), 2);
  equal(ahead(0xffff_ffff, 1), -2);
  ok(before(0xffff_ffff, 0) && !before(0, 0xffff_ffff) && !before(5, 5));
});

Deno.test("a GSI survives its text", () => {
  for (const gsi of [0, 1, 63, 64, 0xffff_ffff, 0x1_0000_0000, 2 ** 48 - 1]) {
    equal(gsiText(gsi).length, 8);
    equal(parseGsi(gsiText(gsi)), gsi);
  }
  equal(gsiText(0), "AAAAAAAA");
  equal(parseGsi("________"), 2 ** 48 - 1);
  for (const text of ["", "AAAAAAA", "AAAAAAAAA", "AAAAAAA=", "AAAA AAA"]) {
    throws(() => parseGsi(text), RangeError);
  }
});

Deno.test("a deque is an array, whatever was shifted before", () => {
  const deque = new Deque<number>(), model: number[] = [];
  const random = seededRandom(1);
  for (let step = 0; step < 5_000; step++) {
    if (random() < 0.55) {
      deque.push(step);
      model.push(step);
    } else equal(deque.shift(), model.shift());
    equal(deque.length, model.length);
    const index = Math.floor(random() * model.length);
    equal(deque.at(index), model[index]);
    equal(deque.at(-1), undefined);
    equal(deque.at(model.length), undefined);
  }
});

Deno.test("the back-off stays within its bounds, and most of a large group draw late", () => {
  const random = seededRandom(2);
  let early = 0;
  for (let draw = 0; draw < 10_000; draw++) {
    const ms = drawBackoffMs(10, 1_000, random());
    ok(ms >= 0 && ms <= 10 + 1e-9);
    if (ms < 2) early++;
  }
  ok(early > 0 && early < 30, `${early} of 10,000 in the first fifth`);
});

Deno.test("waits follow the measured round trip, within bounds", () => {
  const trip = new RoundTrip();
  equal(trip.waitMs, TIMING.waitMs.first);
  for (let i = 0; i < 50; i++) trip.sample(0.1);
  equal(trip.waitMs, TIMING.waitMs.least);
  equal(trip.backoffMs, TIMING.backoffMs.least);
  for (let i = 0; i < 50; i++) trip.sample(500);
  equal(trip.waitMs, TIMING.waitMs.most);
  equal(trip.backoffMs, TIMING.backoffMs.most);
});

/** Requests of a receiver that draws the middle of each back-off. */
function requests() {
  const requests = new RepairRequests({ random: () => 0.5, echoes: false });
  /** Lets time pass until something is asked for; answers when. */
  const askedMs = (fromMs: number, untilMs: number) => {
    for (let nowMs = fromMs; nowMs < untilMs; nowMs += 0.25) {
      if (requests.handleTimeout(nowMs, 9, () => true).ask.length > 0) return nowMs;
    }
    return Infinity;
  };
  return { requests, askedMs };
}

Deno.test("a request that was confirmed backs off before it is repeated", () => {
  const { requests: confirmed, askedMs } = requests();
  confirmed.add([1], 0);
  confirmed.confirm([1], 0);
  const waitMs = TIMING.waitMs.first;
  equal(askedMs(0, waitMs + 0.5), Infinity, "not as soon as the wait ends");
  ok(askedMs(waitMs + 0.5, 100) <= waitMs + TIMING.backoffMs.first);
});

Deno.test("a request without an answer is repeated ever more seldom, up to a point", () => {
  const { requests: unanswered, askedMs } = requests();
  unanswered.add([1], 0);
  const times: number[] = [];
  for (let nowMs = 0; times.length < 12; times.push(nowMs)) nowMs = askedMs(nowMs + 0.25, 10_000);
  const gaps = times.slice(1).map((ms, i) => ms - (times[i] ?? 0));
  ok((gaps[4] ?? 0) > 2 * (gaps[0] ?? 0), gaps.join());
  ok(
    (gaps.at(-1) ?? Infinity) <= 4 * TIMING.waitMs.first + TIMING.backoffMs.first + 1,
    gaps.join(),
  );
});

Deno.test("only so many packets are asked for and awaited", () => {
  const { requests: many } = requests();
  many.add(Array.from({ length: 100 }, (_, sqn) => sqn), 0);
  const { ask } = many.handleTimeout(3, 9, () => true);
  equal(ask.length, 9);
  equal(many.handleTimeout(5, 9, () => true).ask.length, 0);
  ask.forEach((sqn) => many.remove(sqn, 6));
  equal(many.handleTimeout(7, 9, () => true).ask.length, 9);
});

Deno.test("what is no longer missing is no longer asked for", () => {
  const { requests: stale } = requests();
  stale.add([1, 2], 0);
  deepEqual(stale.handleTimeout(3, 9, (sqn) => sqn === 2), { ask: [2], lost: [] });
  equal(stale.has(1), false);
});

const NO_PAYLOADS = { begun: 0, done: 0 };

Deno.test("a transmit window is bounded by bytes and by age", () => {
  const window = new TransmitWindow(1_000, 0xffff_fffe);
  deepEqual([window.trail, window.lead], [0xffff_fffe, 0xffff_fffd]);
  const packet = new Uint8Array(400);
  window.add(packet, NO_PAYLOADS, 0);
  window.add(packet, NO_PAYLOADS, 10);
  deepEqual([window.trail, window.lead], [0xffff_fffe, 0xffff_ffff]);
  equal(window.makeRoom(400, 20), false, "both are young");
  equal(window.roomMs(), TIMING.windowLeastMs);
  equal(window.makeRoom(400, TIMING.windowLeastMs), true, "the older is given up");
  equal(window.get(0xffff_fffe), undefined);
  equal(window.get(0xffff_ffff)?.packet, packet);
  window.add(packet, NO_PAYLOADS, TIMING.windowLeastMs);
  deepEqual([window.trail, window.lead], [0xffff_ffff, 0]);
  window.expire(10 * TIMING.windowMs);
  deepEqual([window.trail, window.lead], [1, 0], "empty: trail is one past lead");
});

Deno.test("a full transmit window does not give up what was asked for a moment ago, but for its age", () => {
  const window = new TransmitWindow(1_000, 0), packet = new Uint8Array(600);
  window.add(packet, NO_PAYLOADS, 0);
  const askedMs = TIMING.windowLeastMs;
  window.get(0)!.requestedMs = askedMs;
  equal(window.makeRoom(600, askedMs + 1), false);
  equal(window.roomMs(), askedMs + TIMING.windowLeastMs);
  equal(window.makeRoom(600, window.roomMs()), true);
  window.add(packet, NO_PAYLOADS, askedMs);
  window.get(1)!.requestedMs = Infinity;
  window.expire(askedMs + TIMING.windowMs);
  equal(window.get(1), undefined);
});

function receiveWindow(first: number, capacity = 1_000) {
  const log: string[] = [];
  const window = new ReceiveWindow(first, capacity, {
    deliver: ({ payload }) => log.push(String(payload[0])),
    lost: ({ from, to }) => log.push(`lost ${from} to ${to}`),
  });
  return { window, log };
}

Deno.test("a receive window hands on in order, across the wrap", () => {
  const { window, log } = receiveWindow(0xffff_fffe);
  deepEqual(window.expose(1), [0xffff_fffe, 0xffff_ffff, 0, 1]);
  for (const [sqn, value] of [[0, 3], [0xffff_ffff, 2], [1, 4], [0xffff_fffe, 1]] as const) {
    equal(window.lacks(sqn), true);
    equal(window.take(sqn, tpdu(value)), true);
    equal(window.lacks(sqn), false);
  }
  deepEqual(log, ["1", "2", "3", "4"]);
  equal(window.bytes, 0);
});

Deno.test("what is given up is announced in its place", () => {
  const { window, log } = receiveWindow(0);
  window.expose(5);
  for (const sqn of [1, 4]) window.take(sqn, tpdu(sqn));
  window.giveUp(2);
  window.giveUp(0);
  window.giveUp(3);
  window.take(5, tpdu(5));
  deepEqual(log, ["lost 0 to 0", "1", "lost 2 to 2", "lost 3 to 3", "4", "5"]);
});

Deno.test("a source whose trail has moved on gives up what is missing, however far", () => {
  const { window, log } = receiveWindow(0);
  window.expose(3);
  window.take(1, tpdu(1));
  window.advance(1_000_000_000);
  deepEqual(log, ["lost 0 to 0", "1", "lost 2 to 999999999"]);
  equal(window.next, 1_000_000_000);
});

Deno.test("a gap longer than the span costs no more memory than the span", () => {
  const { window, log } = receiveWindow(0);
  equal(window.expose(LARGEST_SPAN + 9).length, LARGEST_SPAN);
  deepEqual(log, ["lost 0 to 9"]);
});

Deno.test("the oldest gap is given up to the first packet that is held, and frees what it took", () => {
  const { window, log } = receiveWindow(0xffff_fffe);
  window.expose(9);
  window.take(2, tpdu(2));
  window.take(3, tpdu(3));
  window.giveUp(6);
  const before = window.bytes;
  window.giveUpGap();
  deepEqual(log.splice(0), ["lost 4294967294 to 1", "2", "3"]);
  ok(window.bytes < before / 2);
  window.giveUpGap();
  deepEqual(log, ["lost 4 to 9"]);
  deepEqual([window.bytes, window.next], [0, 10]);
});

Deno.test("a full receive window takes only what lets it drain", () => {
  const { window, log } = receiveWindow(0, 3);
  window.expose(2);
  equal(window.take(1, tpdu(1, 1, 1)), true);
  equal(window.take(2, tpdu(2)), false);
  equal(window.lacks(2), true);
  equal(window.take(0, tpdu(0)), true);
  equal(window.take(2, tpdu(2)), true);
  deepEqual(log, ["0", "1", "2"]);
});

Deno.test("messages come out of fragments; a broken one harms no other", () => {
  const out: number[][] = [];
  const reassembler = new Reassembler(100, new Slabs().allocate);
  const part = (first: number, offset: number, length: number, ...payload: number[]) =>
    reassembler.add(
      { ...tpdu(...payload), fragment: { first, offset, length } },
      (message) => out.push([...message]),
    );
  ok(part(1, 0, 3, 1, 2) && part(1, 2, 3, 3));
  deepEqual(out.splice(0), [[1, 2, 3]]);
  equal(part(7, 2, 4, 1), false, "the rest of what was not heard from its beginning");
  ok(part(1, 0, 4, 1));
  equal(part(1, 2, 4, 3), false, "a hole");
  ok(part(1, 0, 4, 1));
  equal(part(1, 1, 4, 2, 3, 4, 5), false, "too long");
  ok(part(1, 0, 4, 1));
  equal(part(2, 1, 4, 2), false, "another message's");
  equal(part(1, 0, 101, 1), false, "over the largest message");
  ok(part(1, 0, 4, 1));
  equal(reassembler.interrupt(), false);
  equal(part(1, 1, 4, 2), false, "after a loss");
  ok(part(3, 0, 2, 1, 2), "whole after all");
  ok(part(1, 0, 4, 1));
  equal(reassembler.add(tpdu(9), (message) => out.push([...message])), false, "cut off");
  deepEqual(out, [[1, 2], [9]]);
});

Deno.test("payloads share a packet while they fit", () => {
  const lengths = (...all: number[]) => (index: number) => all[index];
  equal(packable(LARGEST_TPDU, lengths(200)), 1);
  equal(packable(LARGEST_TPDU, lengths(...Array(10).fill(200))), 7);
  equal(
    packable(LARGEST_TPDU, lengths(287, 287, 287, 287, 283)),
    4,
    "each costs its length prefix",
  );
  equal(packable(LARGEST_TPDU, lengths(1448, 1)), 1);
  equal(packable(LARGEST_TPDU, lengths(5000, 1)), 1);
  equal(packable(LARGEST_TPDU, lengths(1, 5000)), 1);
});
