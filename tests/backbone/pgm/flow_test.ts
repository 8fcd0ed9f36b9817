/**
 * Flow control: whose acknowledgements hold a source, and for how long.
 *
 * @module
 */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { LARGEST_TAG } from "../../../backbone/pgm/ack.ts";
import { newCounters } from "../../../backbone/pgm/counters.ts";
import {
  FIRST_WINDOW,
  FLOW_WINDOW,
  FlowControl,
  type Heard,
  REACH,
} from "../../../backbone/pgm/flow.ts";
import { RepairPressure } from "../../../backbone/pgm/pressure.ts";
import { plus } from "../../../backbone/pgm/serial.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";

const A = 1, B = 2;

/** What a receiver says that has all there was for long, with room for a whole window. */
function has(through: number): Heard {
  return { from: plus(through, -(1 << 20)), through, window: FLOW_WINDOW };
}

/** Flow control with these tags, all of whom have acknowledged up to `sqn`. */
function flow(sqn: number, ...gsis: number[]) {
  const counters = newCounters();
  const flow = new FlowControl(counters);
  flow.tag(gsis, sqn);
  for (const gsi of gsis) flow.acked(gsi, has(sqn), sqn);
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
  held.acked(A, has(lead), lead);
  equal(held.allows(lead, 1), false, "B is still there");
  held.acked(B, has(plus(first, 1)), lead);
  equal(held.allows(lead, 2), true);
  equal(held.allows(plus(lead, 1), 2), false);
});

Deno.test("a tag counts from the moment it is named, by a small window until its receiver says what it holds", () => {
  const { flow: control, counters } = flow(0);
  control.tag([A], 100);
  equal(control.allows(100 + FIRST_WINDOW - 1, 0), true);
  equal(control.allows(100 + FIRST_WINDOW, 0), false);
  equal(counters.tags_admitted, 0);
  control.acked(A, { ...has(101), window: 50 }, 100 + FIRST_WINDOW);
  equal(counters.tags_admitted, 1);
  equal(control.allows(101 + 49, 1), true);
  equal(control.allows(101 + 50, 1), false);
  control.acked(A, { ...has(102), window: 0 }, 150);
  equal(control.allows(103, 1), true, "nobody can bring a source to a standstill by words");
  control.acked(A, { ...has(103), window: 65_535 }, 150);
  equal(control.allows(103 + FLOW_WINDOW - 1, 1), true);
  equal(control.allows(103 + FLOW_WINDOW, 1), false, "nor have it throw away all care");
});

Deno.test("who is named and never answers holds the source once, for a bounded time", () => {
  const { flow: control, counters } = flow(0);
  control.tag([A], 0);
  equal(control.allows(FIRST_WINDOW, 100), false);
  equal(control.allows(FIRST_WINDOW, 100 + TIMING.stallMs - 1), false);
  equal(control.allows(FIRST_WINDOW, 100 + TIMING.stallMs), true);
  equal(control.allows(100 * FLOW_WINDOW, 10_000), true);
  deepEqual([counters.tags_admitted, counters.tags_lapsed], [0, 1]);
});

Deno.test("who begins, late or again, is waited for if it is in reach, and at once", () => {
  const far = 100 * FLOW_WINDOW;
  for (const isKnown of [false, true]) {
    const { flow: control, counters } = flow(0);
    control.tag([A], 0);
    if (isKnown) control.acked(A, has(5), 5);
    control.allows(FLOW_WINDOW + 5, 0);
    equal(control.allows(FLOW_WINDOW + 5, TIMING.stallMs), true, "it lapsed");
    const admitted = counters.tags_admitted;
    const begins = (through: number) => ({ from: through + 1, through, window: FLOW_WINDOW });
    control.acked(A, begins(far - REACH - 1), far);
    equal(control.allows(far, 1_000), true, "it is out of reach");
    control.acked(A, begins(far - REACH + 1), far);
    equal(control.allows(far, 1_000), false, "it is waited for");
    equal(counters.tags_admitted, admitted + 1);
  }
});

Deno.test("who lapsed and comes on is not waited for before it has caught up", () => {
  const { flow: control } = flow(0, A);
  control.allows(FLOW_WINDOW, 0);
  equal(control.allows(FLOW_WINDOW, TIMING.stallMs), true);
  const lead = 2 * FLOW_WINDOW;
  control.acked(A, has(1.5 * FLOW_WINDOW - 1), lead);
  equal(control.allows(3 * FLOW_WINDOW, 300), true, "not yet");
  control.acked(A, has(1.5 * FLOW_WINDOW), lead);
  equal(control.allows(3 * FLOW_WINDOW, 300), false);
});

Deno.test("who is not tagged does not hold the source, and who was no longer does", () => {
  const { flow: control } = flow(0, A);
  control.acked(B, has(0), 0);
  control.acked(A, has(2 * FLOW_WINDOW), 2 * FLOW_WINDOW);
  equal(control.allows(2 * FLOW_WINDOW, 0), true);
  equal(control.allows(3 * FLOW_WINDOW, 0), false);
  control.tag([], 0);
  equal(control.allows(3 * FLOW_WINDOW, 0), true);
});

/** How receivers are asked, in their order. */
function asked(control: FlowControl, lead: number, restMs: number, isAwaited = true) {
  return control.ask({ lead, restMs, isAwaited }).map(({ gsi, now, waitMs }) => [gsi, now, waitMs]);
}

Deno.test("the first that counts acknowledges at once what is awaited", () => {
  const { others, unawaited } = TIMING.gatherMs, { flow: control } = flow(0, A, B);
  deepEqual(asked(control, 0, 0), [[A, false, 0], [B, false, others]]);
  deepEqual(asked(control, 0, 0, false), [[A, false, unawaited], [B, false, unawaited]]);
  control.tag([B, A], 0);
  deepEqual(asked(control, 0, 0), [[B, false, 0], [A, false, others]]);
  control.allows(FLOW_WINDOW, 0);
  control.acked(A, has(FLOW_WINDOW), FLOW_WINDOW);
  equal(control.allows(FLOW_WINDOW, TIMING.stallMs), true, "B lapses");
  deepEqual(asked(control, FLOW_WINDOW, 0), [[B, false, 0], [A, false, 0]]);
  control.tag([], 0);
  deepEqual(asked(control, 0, 0), []);
});

Deno.test("who is late is asked again, and the others with the first", () => {
  const { others, unawaited } = TIMING.gatherMs, { flow: control } = flow(0, A, B);
  const again = (restMs: number, isAwaited: boolean) =>
    asked(control, 1, restMs, isAwaited).map(([, now]) => now);
  deepEqual(again(TIMING.heartbeatFirstMs - 1, true), [false, false]);
  deepEqual(again(TIMING.heartbeatFirstMs, true), [true, true]);
  deepEqual(again(unawaited - 1, false), [false, false]);
  deepEqual(again(unawaited, false), [true, true]);
  control.acked(A, has(1), 1);
  deepEqual(again(others - 1, true), [false, false]);
  deepEqual(again(others, true), [false, true]);
  control.acked(B, has(1), 1);
  deepEqual(again(10_000, true), [false, false]);
});

Deno.test("who was never heard, or holds the source up, is asked in any case", () => {
  const { flow: control } = flow(0, A);
  control.tag([A, B], 0);
  const isAsked = () =>
    control.ask({ lead: FLOW_WINDOW, restMs: 0, isAwaited: false }).map(({ now }) => now);
  deepEqual(isAsked(), [false, true]);
  control.acked(B, has(FLOW_WINDOW), FLOW_WINDOW);
  equal(control.allows(FLOW_WINDOW, 0), false);
  deepEqual(isAsked(), [true, false]);
});

Deno.test("a receiver that stalls holds the source for a bounded time, and counts again when it has caught up", () => {
  const { flow: control, counters } = flow(0, A, B);
  control.acked(B, has(FLOW_WINDOW), FLOW_WINDOW);
  equal(control.allows(FLOW_WINDOW, 100), false);
  equal(control.retryMs, 100 + TIMING.stallMs);
  equal(control.allows(FLOW_WINDOW, 100 + TIMING.stallMs - 1), false);
  equal(control.allows(FLOW_WINDOW, 100 + TIMING.stallMs), true, "A has lost its tag");
  equal(counters.tags_lapsed, 1);
  equal(control.allows(2 * FLOW_WINDOW, 400), false, "B has not");
  control.acked(A, has(2 * FLOW_WINDOW), 2 * FLOW_WINDOW);
  control.acked(B, has(2 * FLOW_WINDOW), 2 * FLOW_WINDOW);
  equal(counters.tags_admitted, 3);
  control.acked(B, has(3 * FLOW_WINDOW), 3 * FLOW_WINDOW);
  equal(control.allows(3 * FLOW_WINDOW, 500), false, "A counts again");
});

Deno.test("who held the source before, and does no longer, does not wake it", () => {
  const { flow: control } = flow(0, A, B);
  const lead = FLOW_WINDOW;
  control.acked(B, has(lead), lead);
  equal(control.allows(lead, 0), false, "for A");
  control.acked(A, has(10), lead);
  equal(control.allows(lead, 200), true);
  control.acked(A, has(lead), lead + FLOW_WINDOW - 1);
  const later = 10 * TIMING.stallMs;
  equal(control.allows(lead + FLOW_WINDOW, later), false, "for both");
  equal(control.retryMs > later, true);
});

Deno.test("a receiver that crawls holds the source no longer than one that stands", () => {
  const { flow: control, counters } = flow(0, A);
  let acked = 0, nowMs = 0;
  for (; counters.tags_lapsed === 0 && nowMs < 60_000; nowMs += 10) {
    control.allows(acked + FLOW_WINDOW, nowMs);
    control.acked(A, has(++acked), acked + FLOW_WINDOW);
  }
  ok(nowMs <= 2 * TIMING.stallMs, `${nowMs} ms`);
});

Deno.test("a receiver that is slow but walks keeps its tag", () => {
  const { flow: control, counters } = flow(0, A);
  let acked = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    control.allows(acked + FLOW_WINDOW, nowMs);
    acked += 5;
    control.acked(A, has(acked), acked + FLOW_WINDOW);
  }
  equal(counters.tags_lapsed, 0);
});

Deno.test("acknowledgements of what was never sent, of the past, or by others change nothing", () => {
  const { flow: control } = flow(0, A);
  equal(control.acked(A, has(5_000), 4_999), false);
  equal(control.acked(B, has(50), 4_999), false);
  equal(control.allows(FLOW_WINDOW, 0), false);
  control.acked(A, has(100), 4_999);
  control.acked(A, has(50), 4_999);
  equal(control.allows(100 + FLOW_WINDOW - 1, 0), true);
});

Deno.test("a source asks no more receivers than an SPM can name", () => {
  const { flow: control } = flow(0);
  control.tag(Array.from({ length: LARGEST_TAG }, (_, gsi) => gsi), 0);
  throws(
    () => control.tag(Array.from({ length: LARGEST_TAG + 1 }, (_, gsi) => gsi), 0),
    RangeError,
  );
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
