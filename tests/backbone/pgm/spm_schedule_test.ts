import { deepEqual, equal } from "node:assert/strict";
import { SpmSchedule } from "../../../backbone/pgm/spm_schedule.ts";

const SENT_MS = 10_000;

/** When SPMs come within `forMs` of the first data, of which some is sent at these times; those at the start are long over. */
function beats(
  forMs: number,
  ...sent: readonly { readonly atMs: number; readonly isRepeated: boolean }[]
): number[] {
  const spms = new SpmSchedule(), times: number[] = [];
  spms.begin(0);
  for (let nowMs = 0; nowMs <= SENT_MS + forMs; nowMs++) {
    for (const { atMs, isRepeated } of sent) {
      if (nowMs === SENT_MS + atMs) spms.dataSent(nowMs, isRepeated);
    }
    for (; nowMs >= spms.dueMs; spms.next(nowMs)) times.push(nowMs - SENT_MS);
  }
  return times.filter((atMs) => atMs >= 0);
}

Deno.test("data that is said again each 500 ms is followed by one heartbeat each, halfway", () => {
  const sent = [0, 500, 1000, 1500].map((atMs) => ({ atMs, isRepeated: true }));
  deepEqual(beats(1999, ...sent), [250, 750, 1250, 1750]);
});

Deno.test("when it is said no more, the heartbeats decay to the ambient interval", () => {
  deepEqual(beats(10_000, { atMs: 0, isRepeated: true }), [250, 1250, 5250, 9250]);
});

Deno.test("data that is said again does not put off the heartbeats of data before", () => {
  const once = { atMs: 0, isRepeated: false }, again = { atMs: 0, isRepeated: true };
  deepEqual(beats(300, once, { ...again, atMs: 5 }), [3, 15, 63, 255]);
  deepEqual(beats(300, again, { ...once, atMs: 5 }), [8, 20, 68, 260]);
});

Deno.test("who asks a source that has said goodbye is told so again", () => {
  const spms = new SpmSchedule();
  spms.begin(0);
  while (spms.dueMs === 0) equal(spms.next(0).fin, false);
  spms.sayGoodbye(10);
  const goodbyes = [];
  while (spms.dueMs < Infinity) goodbyes.push(spms.next(spms.dueMs).fin);
  deepEqual(goodbyes, [true, true, true]);
  for (const nowMs of [1000, 2000]) {
    spms.hasten(nowMs);
    equal(spms.dueMs, nowMs);
    equal(spms.next(nowMs).fin, true);
    equal(spms.dueMs, Infinity);
  }
  spms.dataSent(3000, false);
  equal(spms.dueMs, Infinity);
});
