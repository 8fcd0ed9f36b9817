/**
 * What receivers ask for, and which of them are kept: rules whose absence no scenario would show.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { RepairRequests } from "../../../backbone/pgm/repair_requests.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";

const LACKS = () => true;
const random = () => 0.5;
const SOMEBODY_ELSES = 1_000_000;

/** Misses a packet, asks for it when its time has come, hears what was asked and gets it. Answers what was asked. */
function ask(requests: RepairRequests, sqn: number, nowMs: number): readonly number[] {
  requests.add([sqn], nowMs);
  const { ask } = requests.handleTimeout(nowMs + 100, 63, LACKS);
  requests.suppress([sqn], nowMs + 100);
  requests.remove(sqn);
  return ask;
}

/** Whether what is found missing now is asked for without back-off. */
function asksAtOnce(requests: RepairRequests, sqn: number, nowMs: number): boolean {
  requests.add([sqn], nowMs);
  const { ask } = requests.handleTimeout(nowMs, 63, LACKS);
  requests.remove(sqn);
  return ask.length > 0;
}

Deno.test("who is alone asks at once, but not while packets overtake each other", () => {
  const requests = new RepairRequests({ random, echoes: true });
  equal(asksAtOnce(requests, 0, 0), false);
  for (let sqn = 1; sqn < 50; sqn++) deepEqual(ask(requests, sqn, 200 * sqn), [sqn]);
  ok(asksAtOnce(requests, 50, 10_000));
  requests.reordered(10_100);
  equal(asksAtOnce(requests, 51, 10_200), false);
  ok(asksAtOnce(requests, 52, 21_000));
});

Deno.test("what is given up is asked for no more, whether it is few or many", () => {
  for (
    const [range, left] of [
      [{ from: 0xffff_ffff, to: 1 }, [0xffff_fffe, 2, 3]],
      [{ from: 0x8000_0010, to: 1 }, [2, 3]],
    ] as const
  ) {
    const requests = new RepairRequests({ random, echoes: true });
    const missing = [0xffff_fffe, 0xffff_ffff, 0, 1, 2, 3];
    requests.add(missing, 0);
    requests.forget(range);
    deepEqual(missing.filter((sqn) => requests.has(sqn)), left);
  }
});

/** Asks for packets one by one, two milliseconds apart, and has some of them repaired. Answers what is asked for next. */
function afterRepairs(repaired: readonly number[], came: "repaired" | "remove") {
  const requests = new RepairRequests({ random, echoes: true });
  let nowMs = 0;
  const asked: number[] = [];
  for (const sqn of [0xffff_fffe, 0xffff_ffff, 0, 1, 2]) {
    requests.add([sqn], nowMs);
    for (const endMs = nowMs + 2; nowMs < endMs; nowMs += 0.5) {
      asked.push(...requests.handleTimeout(nowMs, 63, LACKS).ask);
    }
  }
  deepEqual(asked, [0xffff_fffe, 0xffff_ffff, 0, 1, 2]);
  for (const sqn of repaired) requests[came](sqn, nowMs);
  nowMs += 1;
  return requests.handleTimeout(nowMs, 63, LACKS).ask;
}

Deno.test("what three later repairs overtook is asked for again at once, and nothing else is", () => {
  deepEqual(afterRepairs([0, 1, 2], "repaired"), [0xffff_fffe, 0xffff_ffff]);
  deepEqual(afterRepairs([0xffff_ffff, 2, 0], "repaired"), [0xffff_fffe]);
  deepEqual(afterRepairs([1, 2], "repaired"), []);
  deepEqual(afterRepairs([0xffff_fffe, 0xffff_ffff, 0], "repaired"), []);
  deepEqual(afterRepairs([0, 1, 2], "remove"), [], "what came by itself says nothing of repairs");
});

Deno.test("what may not be asked for yet is looked at again when it may, or is given up", () => {
  const requests = new RepairRequests({ random, echoes: false });
  const missing = Array.from({ length: 9 }, (_, sqn) => sqn);
  requests.add(missing, 0);
  deepEqual(requests.handleTimeout(5, 0, LACKS).ask, []);
  equal(requests.nextTimeoutMs(), TIMING.windowMs);
  requests.resume(7);
  equal(requests.nextTimeoutMs(), 7);
  deepEqual(requests.handleTimeout(7, 3, LACKS).ask, [0, 1, 2]);
  equal(requests.nextTimeoutMs(), 7 + TIMING.waitMs.first);
  requests.repaired(0, 8.5);
  equal(requests.nextTimeoutMs(), 8.5);
  deepEqual(requests.handleTimeout(8.5, 3, LACKS).ask, [3]);
  deepEqual(requests.handleTimeout(TIMING.windowMs, 0, LACKS).lost, [1, 2, 3, 4, 5, 6, 7, 8]);
});

Deno.test("of tens of thousands missing only the oldest are looked at; the others have their turn when those are there", () => {
  const requests = new RepairRequests({ random, echoes: false });
  const missing = Array.from({ length: 50_000 }, (_, sqn) => sqn);
  requests.add(missing, 0);
  let looked = 0;
  const lacks = () => ++looked > 0;
  const first = requests.handleTimeout(20, Infinity, lacks).ask;
  ok(first.length > 0 && looked < 2_000, `${looked} looked at`);
  for (const sqn of first) requests.repaired(sqn, 21);
  deepEqual(requests.handleTimeout(25, Infinity, lacks).ask.at(0), first.length);
});

Deno.test("our own requests that come back are not those of others", () => {
  const requests = new RepairRequests({ random, echoes: true });
  for (let sqn = 1; sqn < 200; sqn++) {
    if (sqn % 3 === 1) ask(requests, sqn, 200 * sqn);
    else requests.suppress([SOMEBODY_ELSES], 200 * sqn);
  }
  // Of three, we ask for a third: so few need no back-off.
  ok(asksAtOnce(requests, 200, 40_000));
});

Deno.test("the answer to a repeated request is no measurement of the round trip", () => {
  const requests = new RepairRequests({ random, echoes: false });
  requests.add([1], 0);
  let nowMs = 0;
  for (let asked = 0; asked < 2;) {
    nowMs = requests.nextTimeoutMs();
    asked += requests.handleTimeout(nowMs, 63, LACKS).ask.length;
  }
  requests.confirm([1], nowMs + 1);
  requests.remove(1);
  requests.add([2], 1_000);
  deepEqual(requests.handleTimeout(1_100, 63, LACKS).ask, [2]);
  equal(requests.nextTimeoutMs(), 1_100 + TIMING.waitMs.first);
});
