/**
 * Which payloads an acknowledgement of packets is of: packed, in fragments, and after their packets have left.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { Delivered } from "../../../backbone/pgm/delivered.ts";
import { plus } from "../../../backbone/pgm/serial.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { TransmitWindow } from "../../../backbone/pgm/transmit_window.ts";

const A = 1, B = 2, FIRST = 0xffff_fffe;

/** Packets with payload 1; 2 and 3; 4 in three fragments; 5: across the wrap. */
function sent() {
  const window = new TransmitWindow(1_000, FIRST);
  const payloads = [[1, 1], [3, 3], [4, 3], [4, 3], [4, 4], [5, 5]];
  payloads.forEach(([begun = 0, done = 0], at) =>
    window.add(new Uint8Array(10), { begun, done }, 100 * at)
  );
  return { window, delivered: new Delivered(window) };
}

/** The packets `from` to `through`, counted from the first. */
function range(from: number, through: number) {
  return { from: plus(FIRST, from), through: plus(FIRST, through) };
}

const CASES: [string, number, number, [number, number] | undefined][] = [
  ["all", 0, 5, [1, 5]],
  ["the first", 0, 0, [1, 1]],
  ["two in one packet", 1, 1, [2, 3]],
  ["a message without its last fragment", 0, 3, [1, 3]],
  ["a message without its first fragment", 3, 5, [5, 5]],
  ["fragments alone", 2, 3, undefined],
  ["a message in fragments", 2, 4, [4, 4]],
  ["nothing, after a loss", 5, 4, undefined],
  ["what was never sent", 0, 6, undefined],
  ["nonsense", 5, 0, undefined],
];

for (const [name, from, through, ordinals] of CASES) {
  Deno.test(`packets that were acknowledged are payloads: ${name}`, () => {
    const [first, last] = ordinals ?? [];
    const expected = ordinals && { from: first, through: last };
    deepEqual(sent().delivered.note(A, range(from, through)), expected);
  });
}

Deno.test("an acknowledgement that says nothing new is told once, to each receiver for itself", () => {
  const { delivered } = sent();
  deepEqual(delivered.note(A, range(0, 1)), { from: 1, through: 3 });
  equal(delivered.note(A, range(0, 1)), undefined);
  equal(delivered.note(A, range(0, 0)), undefined, "overtaken");
  deepEqual(delivered.note(B, range(0, 1)), { from: 1, through: 3 });
  deepEqual(delivered.note(A, range(0, 5)), { from: 1, through: 5 });
  delivered.keep([B]);
  deepEqual(delivered.note(A, range(0, 5)), { from: 1, through: 5 }, "named anew");
  equal(delivered.note(B, range(0, 1)), undefined);
});

Deno.test("a run goes on when its beginning has left the window; what left it before anybody spoke is not claimed", () => {
  const { window, delivered } = sent();
  delivered.note(A, range(0, 0));
  window.expire(TIMING.windowMs + 300);
  equal(window.trail, plus(FIRST, 4), "in the middle of a message");
  deepEqual(delivered.note(A, range(0, 4)), { from: 1, through: 4 });
  deepEqual(delivered.note(B, range(0, 5)), { from: 5, through: 5 });
  equal(delivered.note(B, range(0, 2)), undefined);
  window.expire(10 * TIMING.windowMs);
  deepEqual(
    delivered.note(A, range(0, 5)),
    { from: 1, through: 5 },
    "the last, of an empty window",
  );
  window.add(new Uint8Array(10), { begun: 6, done: 6 }, 100_000);
  deepEqual(delivered.note(B, range(6, 6)), { from: 6, through: 6 });
});
