/**
 * When a receiver acknowledges, what, and what that costs.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { LARGEST_ACK } from "../../../backbone/pgm/ack.ts";
import { Acknowledgements, type Progress } from "../../../backbone/pgm/acknowledgements.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";

function stream(gsi: number, through: number): Progress & { through: number } {
  return { stream: { gsi, sourcePort: 32_769, destinationPort: 3055 }, from: 1, through };
}

Deno.test("the first acknowledgement goes at once, and then one packet a millisecond, each stream as far as it is", () => {
  const streams = [1, 2, 3].map((gsi) => stream(gsi, gsi));
  const acknowledgements = new Acknowledgements(() => 212_992);
  equal(acknowledgements.nextTimeoutMs(), Infinity);
  equal(acknowledgements.poll(10), undefined);
  for (const progress of streams) acknowledgements.note(progress);
  deepEqual(acknowledgements.poll(10), {
    window: 46,
    streams: streams.map(({ stream: { gsi, sourcePort }, from, through }) => (
      { gsi, sourcePort, from, through }
    )),
  });
  equal(acknowledgements.poll(10), undefined);
  const [first] = streams;
  for (let through = 4; through < 9; through++) {
    first!.through = through;
    acknowledgements.note(first!);
  }
  equal(acknowledgements.poll(10.9), undefined);
  equal(acknowledgements.nextTimeoutMs(), 10 + TIMING.ackMs);
  deepEqual(acknowledgements.poll(11)?.streams, [
    { gsi: 1, sourcePort: 32_769, from: 1, through: 8 },
  ]);
  acknowledgements.note(first!);
  deepEqual(acknowledgements.poll(100)?.streams.length, 1, "at once again after a pause");
});

Deno.test("more streams than one packet holds take several, at once", () => {
  const acknowledgements = new Acknowledgements(() => 0);
  for (let gsi = 0; gsi < 2 * LARGEST_ACK + 1; gsi++) acknowledgements.note(stream(gsi, 0));
  const sizes = [1, 2, 3, 4].map(() => acknowledgements.poll(0)?.streams.length);
  deepEqual(sizes, [LARGEST_ACK, LARGEST_ACK, 1, undefined]);
});

Deno.test("a buffer beyond all measure is a window that fits its field", () => {
  const acknowledgements = new Acknowledgements(() => Infinity);
  acknowledgements.note(stream(1, 0));
  equal(acknowledgements.poll(0)?.window, 65_535);
});

Deno.test("what was forgotten is not acknowledged", () => {
  const acknowledgements = new Acknowledgements(() => 0), left = stream(1, 5);
  acknowledgements.note(left);
  acknowledgements.forget(left);
  equal(acknowledgements.poll(0), undefined);
});
