import { deepEqual, equal } from "node:assert/strict";
import { SpmSchedule } from "../../../backbone/pgm/spm_schedule.ts";

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
  spms.dataSent(3000);
  equal(spms.dueMs, Infinity);
});
