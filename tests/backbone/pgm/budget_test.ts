/**
 * The send budget: who may take how much of it.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { Budget } from "../../../backbone/pgm/budget.ts";

/** 10,000 bytes a millisecond, a quarter of them for repairs; two milliseconds' worth at once. */
const open = () => new Budget({ rate: 10_000_000, repairShare: 0.25, burstMs: 2 });
/** A packet, and what it costs. */
const BYTES = 976, COST = 2_000;
const BURST = 20_000;
/** Repairs that the reserve holds. The last one may overdraw it. */
const RESERVED = Math.ceil(0.25 * BURST / COST);

/** How many packets of data may go now. */
function dataAt(budget: Budget, nowMs: number): number {
  let count = 0;
  for (; budget.allowsData(nowMs); count++) budget.charge(BYTES);
  return count;
}

/** How many repairs may go now. */
function repairsAt(budget: Budget, nowMs: number): number {
  let count = 0;
  while (budget.takeRepair(BYTES, nowMs)) count++;
  return count;
}

Deno.test("repairs have their reserve, and half of what data leaves unused, but no more", () => {
  const idle = open();
  equal(repairsAt(idle, 0), RESERVED + BURST / 2 / COST);
  equal(dataAt(idle, 0), BURST / 2 / COST, "data keeps the other half");
  const busy = open();
  equal(dataAt(busy, 0), BURST / COST);
  equal(repairsAt(busy, 0), RESERVED);
});

Deno.test("repairs keep their share of a budget that data exhausts, and data the rest", () => {
  const budget = open();
  let data = 0, repairs = 0;
  for (let ms = 0; ms < 1_000; ms++) {
    data += dataAt(budget, ms);
    repairs += repairsAt(budget, ms);
  }
  // 2000 bytes each with what they take of a socket buffer: 5000 a second in all.
  ok(Math.abs(data - 3_750) < 100, `${data} data`);
  ok(Math.abs(repairs - 1_250) < 100, `${repairs} repairs`);
});

Deno.test("data has all of a budget while nothing is repaired, and a refusal says when it ends", () => {
  const budget = open();
  let data = 0;
  for (let ms = 0; ms < 1_000;) {
    if (budget.allowsData(ms)) {
      budget.charge(BYTES);
      data++;
    } else {
      const readyMs = budget.dataReadyMs(ms);
      ok(readyMs > ms);
      ms = readyMs;
    }
  }
  ok(Math.abs(data - 5_000) < 100, `${data} data`);
});

Deno.test("a budget saves no more than a burst while nothing is sent", () => {
  const budget = open();
  budget.allowsData(0);
  const data = dataAt(budget, 60_000);
  ok(data <= 11, `${data} packets of 2000 bytes at once`);
});
