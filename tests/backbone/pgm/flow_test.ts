/**
 * Flow control: whose acknowledgements hold a source, for how long, and what they cost.
 *
 * @module
 */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { LARGEST_ACK, LARGEST_TAG } from "../../../backbone/pgm/ack.ts";
import { Acknowledgements } from "../../../backbone/pgm/acknowledgements.ts";
import { newCounters } from "../../../backbone/pgm/counters.ts";
import { FLOW_WINDOW, FlowControl } from "../../../backbone/pgm/flow.ts";
import { RepairPressure } from "../../../backbone/pgm/pressure.ts";
import { plus } from "../../../backbone/pgm/serial.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";

const A = 1, B = 2;

/** Flow control with these tags, all of whom have acknowledged up to `sqn`. */
function flow(sqn: number, ...gsis: number[]) {
  const counters = newCounters();
  const flow = new FlowControl(counters);
  flow.tag(gsis);
  for (const gsi of gsis) flow.acked(gsi, sqn, sqn);
  return { flow, counters };
}

Deno.test("nobody is tagged: nothing holds the source", () => {
  const { flow: free } = flow(0);
  equal(free.allows(1_000_000, 0), true);
});

Deno.test("the slowest of the tagged holds the source to the window, across the wrap", () => {
  const first = 0xffff_ff00;
  const { flow: held } = flow(first, A, B);
  equal(held.allows(plus(first, FLOW_WINDOW - 1), 0), true);
  equal(held.allows(plus(first, FLOW_WINDOW), 0), false);
  const lead = plus(first, FLOW_WINDOW);
  held.acked(A, lead, lead);
  equal(held.allows(lead, 1), false, "B is still there");
  held.acked(B, plus(first, 1), lead);
  equal(held.allows(lead, 2), true);
  equal(held.allows(plus(lead, 1), 2), false);
});

Deno.test("a tag does not count before its receiver has acknowledged something recent", () => {
  const { flow: control, counters } = flow(0);
  control.tag([A]);
  equal(control.allows(10 * FLOW_WINDOW, 0), true, "it may not even know of us");
  control.acked(A, 0, 10 * FLOW_WINDOW);
  equal(control.allows(10 * FLOW_WINDOW, 0), true, "it is too far behind");
  control.acked(A, 10 * FLOW_WINDOW, 10 * FLOW_WINDOW);
  equal(control.allows(11 * FLOW_WINDOW, 0), false);
  equal(counters.tags_admitted, 1);
});

Deno.test("who is not tagged does not hold the source, and who was no longer does", () => {
  const { flow: control } = flow(0, A);
  control.acked(B, 0, 0);
  control.acked(A, 2 * FLOW_WINDOW, 2 * FLOW_WINDOW);
  equal(control.allows(2 * FLOW_WINDOW, 0), true);
  equal(control.allows(3 * FLOW_WINDOW, 0), false);
  control.tag([]);
  deepEqual(control.tagged, []);
  equal(control.allows(3 * FLOW_WINDOW, 0), true);
});

Deno.test("a receiver that stalls holds the source for a bounded time, and counts again when it has caught up", () => {
  const { flow: control, counters } = flow(0, A, B);
  control.acked(B, FLOW_WINDOW, FLOW_WINDOW);
  equal(control.allows(FLOW_WINDOW, 100), false);
  equal(control.retryMs, 100 + TIMING.stallMs);
  equal(control.allows(FLOW_WINDOW, 100 + TIMING.stallMs - 1), false);
  equal(control.allows(FLOW_WINDOW, 100 + TIMING.stallMs), true, "A has lost its tag");
  equal(counters.tags_lapsed, 1);
  equal(control.allows(2 * FLOW_WINDOW, 400), false, "B has not");
  control.acked(A, 2 * FLOW_WINDOW, 2 * FLOW_WINDOW);
  control.acked(B, 2 * FLOW_WINDOW, 2 * FLOW_WINDOW);
  equal(counters.tags_admitted, 3);
  control.acked(B, 3 * FLOW_WINDOW, 3 * FLOW_WINDOW);
  equal(control.allows(3 * FLOW_WINDOW, 500), false, "A counts again");
});

Deno.test("who held the source before, and does no longer, does not wake it", () => {
  const { flow: control } = flow(0, A, B);
  const lead = FLOW_WINDOW;
  control.acked(B, lead, lead);
  equal(control.allows(lead, 0), false, "for A");
  control.acked(A, 10, lead);
  equal(control.allows(lead, 200), true);
  control.acked(A, lead, lead + FLOW_WINDOW - 1);
  const later = 10 * TIMING.stallMs;
  equal(control.allows(lead + FLOW_WINDOW, later), false, "for both");
  equal(control.retryMs > later, true);
});

Deno.test("a receiver that crawls holds the source no longer than one that stands", () => {
  const { flow: control, counters } = flow(0, A);
  let acked = 0, nowMs = 0;
  for (; counters.tags_lapsed === 0 && nowMs < 60_000; nowMs += 10) {
    control.allows(acked + FLOW_WINDOW, nowMs);
    control.acked(A, ++acked, acked + FLOW_WINDOW);
  }
  ok(nowMs <= 2 * TIMING.stallMs, `${nowMs} ms`);
});

Deno.test("a receiver that is slow but walks keeps its tag", () => {
  const { flow: control, counters } = flow(0, A);
  let acked = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    control.allows(acked + FLOW_WINDOW, nowMs);
    acked += 5;
    control.acked(A, acked, acked + FLOW_WINDOW);
  }
  equal(counters.tags_lapsed, 0);
});

Deno.test("acknowledgements of what was never sent, or of the past, change nothing", () => {
  const { flow: control } = flow(0, A);
  control.acked(A, 5_000, 4_999);
  equal(control.allows(FLOW_WINDOW, 0), false);
  control.acked(A, 100, 4_999);
  control.acked(A, 50, 4_999);
  equal(control.allows(100 + FLOW_WINDOW - 1, 0), true);
});

Deno.test("a source asks no more receivers than an SPM can name", () => {
  const { flow: control } = flow(0);
  control.tag(Array.from({ length: LARGEST_TAG }, (_, gsi) => gsi));
  throws(() => control.tag(Array.from({ length: LARGEST_TAG + 1 }, (_, gsi) => gsi)), RangeError);
});

Deno.test("one packet a millisecond acknowledges all streams, each as far as it has come", () => {
  const streams = [1, 2, 3].map((gsi) => ({ gsi, sourcePort: 32_769, destinationPort: 3055 }));
  const acknowledgements = new Acknowledgements();
  equal(acknowledgements.nextTimeoutMs(), Infinity);
  for (const stream of streams) acknowledgements.note(stream, stream.gsi);
  const first = acknowledgements.poll(10);
  deepEqual(first.map(({ gsi, sqn }) => [gsi, sqn]), [[1, 1], [2, 2], [3, 3]]);
  deepEqual(acknowledgements.poll(10), []);
  for (let sqn = 4; sqn < 9; sqn++) acknowledgements.note(streams[0]!, sqn);
  deepEqual(acknowledgements.poll(10.9), []);
  equal(acknowledgements.nextTimeoutMs(), 10 + TIMING.ackMs);
  deepEqual(acknowledgements.poll(11), [{ gsi: 1, sourcePort: 32_769, sqn: 8 }]);
});

Deno.test("more streams than one packet holds take several, at once", () => {
  const acknowledgements = new Acknowledgements();
  for (let gsi = 0; gsi < 2 * LARGEST_ACK + 1; gsi++) {
    acknowledgements.note({ gsi, sourcePort: 1, destinationPort: 2 }, 0);
  }
  const sizes = [1, 2, 3, 4].map(() => acknowledgements.poll(0).length);
  deepEqual(sizes, [LARGEST_ACK, LARGEST_ACK, 1, 0]);
});

/** Sends a packet of data, and is asked for a share of them; answers for which share of a second it has to pause. */
function pausedShare(askedShare: number): number {
  const pressure = new RepairPressure();
  let paused = 0, asked = 0;
  for (let nowMs = 0; nowMs < 1_000; nowMs += 0.02) {
    if (nowMs < pressure.untilMs) paused += 0.02;
    else pressure.sent();
    asked += askedShare;
    if (asked >= 10) {
      pressure.asked(10, nowMs);
      asked -= 10;
    }
  }
  return paused / 1_000;
}

Deno.test("a source pauses where too much is asked for, and never for good", () => {
  equal(pausedShare(0), 0);
  equal(pausedShare(0.2), 0, "one in five is bad luck");
  ok(pausedShare(0.5) > 0.3);
  const flooded = pausedShare(10), { pause, least } = TIMING.yieldMs;
  ok(flooded > 0.5 && flooded <= pause / least + 0.02, `${flooded}`);
});
