/**
 * What every table of slots and groups keeps, however it comes about.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { type GroupTable, SLOTS } from "../../../backbone/registry/group_table.ts";

/** Runs the contract over a table of `count` groups that nobody has moved anything in. */
export function testGroupTable(
  name: string,
  open: (count: number) => Promise<{ table: GroupTable; close: () => Promise<void> }>,
): void {
  Deno.test(`${name}: spreads all slots evenly over the pool, and spares the control group`, async () => {
    const { table, close } = await open(32);
    try {
      const slots = new Map<number, number>();
      for (let slot = 0; slot < SLOTS; slot++) {
        const group = table.groupOf(slot);
        slots.set(group, (slots.get(group) ?? 0) + 1);
        deepEqual(table.groupsOf(slot), [group]);
      }
      const pool = Array.from({ length: 32 }, (_, i) => i + 1);
      deepEqual([...slots.keys()].sort((a, b) => a - b), pool);
      ok([...slots.values()].every((count) => count === 512));
      equal(table.count, 32);
    } finally {
      await close();
    }
  });

  Deno.test(`${name}: tables that nobody changed agree, those of other pools do not`, async () => {
    const opened = [await open(4), await open(4), await open(5)];
    try {
      const [one, same, other] = opened.map(({ table }) => table.hash);
      equal(one, same);
      ok(one !== other);
      ok(opened.every(({ table: { hash } }) => Number.isInteger(hash) && hash >>> 0 === hash));
    } finally {
      await Promise.all(opened.map(({ close }) => close()));
    }
  });

  Deno.test(`${name}: who listened no more is not called, and may say so twice`, async () => {
    const { table, close } = await open(1);
    try {
      const stop = table.onChange(() => ok(false, "called without a change"));
      stop();
      stop();
      ok(table.epoch >= 0);
    } finally {
      await close();
    }
  });
}
