/** Readers whose cursor had to leave positions out: nothing of these origins comes twice, and what may be missing is told. */
import assert from "node:assert/strict";
import { cutIn, parseCursor } from "../../../../relay/protocol/cursor.ts";
import {
  A,
  appendAll,
  B,
  C,
  follow,
  HOLD_MS,
  MAX_AGE_MS,
  message,
  newLog,
  placeOf,
  SLOT,
} from "../../../support/slot_log.ts";

Deno.test("what is there of an origin that was cut is passed over behind a gap, what comes later is delivered", () => {
  const log = newLog();
  appendAll(log, A, 1, 3);
  appendAll(log, B, 1, 2);
  const { reader, said, places } = follow(log, new Map([[B, 1]]), { cut: [A] });
  assert.equal(reader.recovered, false);
  assert.deepEqual(said, [`unknown ${A}.1-3`, `${B}.2`]);
  appendAll(log, A, 4, 5);
  assert.deepEqual(said.slice(2), [`${A}.4`, `${A}.5`]);
  assert.equal(reader.lagging, false);
  assert.deepEqual(places.map((place) => [place.get(A), place.get(B)]), [[3, 1], [3, 2], [4, 2], [
    5,
    2,
  ]]);
});

Deno.test("a cursor that was cut is exact from its gap on, and names first who is gone for longest", () => {
  const log = newLog();
  appendAll(log, A, 1, 3);
  appendAll(log, B, 1, 2);
  const { places: [place] } = follow(log, new Map([[B, 1], ["relaySSS", 0]]), { cut: [A] });
  assert.deepEqual([...place?.keys() ?? []], ["relaySSS", A, B]);
  const { reader, said } = follow(log, place ?? new Map());
  assert.equal(reader.recovered, true);
  assert.deepEqual(said, [`${B}.2`]);
});

Deno.test("a cursor from before the last gap that it makes cannot place them any better", () => {
  const log = newLog(undefined, { known: () => true });
  appendAll(log, A, 1, 2, 0, "a");
  appendAll(log, A, 3, 3, 0, "b");
  const channels = ["a", "b"];
  const { reader, said, events } = follow(log, new Map([[B, 1]]), { channels, cut: [A], room: 1 });
  const cuts = () => [said.length, ...cutIn(parseCursor(reader.cursor()), SLOT)];
  assert.deepEqual(cuts(), [1, A]);
  reader.resume();
  assert.deepEqual(said, [`unknown ${A}.1-3`, `unknown ${A}.1-3`]);
  assert.deepEqual(cuts(), [2]);
  assert.deepEqual(events.map((event) => "cursor" in event && placeOf(event.cursor).has(A)), [
    false,
    true,
  ]);
});

Deno.test("only channels in which it has, or had, something are told, and only of what was cut", () => {
  const log = newLog(undefined, { known: () => true });
  appendAll(log, A, 1, 2, 0, "b");
  log.tick(MAX_AGE_MS);
  appendAll(log, A, 3, 4, MAX_AGE_MS, "a");
  appendAll(log, B, 1, 1, MAX_AGE_MS, "c");
  const resume = (channel: string, cut: readonly string[]) =>
    follow(log, new Map([[B, 1]]), { channels: [channel], nowMs: MAX_AGE_MS, cut }).said;
  assert.deepEqual(resume("a", [C, A]), [`unknown ${A}.1-4`]);
  assert.deepEqual(resume("b", [A]), [`unknown ${A}.1-4`]);
  assert.deepEqual(resume("a", [C]), [`expired ${A}.1-2`, `${A}.3`, `${A}.4`]);
  assert.deepEqual(resume("c", [C]), resume("c", []));
});

Deno.test("what may have been of any channel is told on each: what is lost, and what has yet to come before what waits", () => {
  const log = newLog(undefined, { known: () => true });
  log.append(message(A, 2, "b"), 0);
  const waiting = follow(log, new Map(), { cut: [A] });
  assert.deepEqual(waiting.said, [`unknown ${A}.1-2`]);
  log.tick(HOLD_MS);
  assert.deepEqual(follow(log, new Map(), { cut: [A] }).said, [`unknown ${A}.1-2`]);
  // It was told of the mark before it was one.
  assert.deepEqual(waiting.said.slice(1), []);
  appendAll(log, A, 3, 3, HOLD_MS);
  assert.deepEqual(waiting.said.slice(1), [`${A}.3`]);
});

Deno.test("what comes of what waited was passed over, whichever channel it is of", () => {
  const log = newLog(undefined, { known: () => true });
  log.append(message(A, 2), 0);
  log.append(message(A, 3), 0);
  const { said } = follow(log, new Map(), { cut: [A] });
  appendAll(log, A, 1, 1);
  appendAll(log, A, 4, 4);
  assert.deepEqual(said, [`unknown ${A}.1-3`, `${A}.4`]);
});

Deno.test("an origin that was cut and nobody knows is a gap over anything, as one that is named", () => {
  const log = newLog();
  appendAll(log, A, 1, 1);
  assert.deepEqual(follow(log, new Map(), { cut: [C, A] }).said, ["unknown"]);
  const known = newLog(undefined, { known: () => true });
  appendAll(known, A, 1, 1);
  assert.deepEqual(follow(known, new Map([[A, 1]]), { cut: [C] }).said, []);
});
