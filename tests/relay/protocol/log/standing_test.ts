import assert from "node:assert/strict";
import { type CatchUp, holesOf } from "../../../../relay/protocol/log/catch_up.ts";
import { A, appendAll, B, message, newLog, SLOT } from "../../../support/slot_log.ts";

/** A log that has 1 and 2 of A, and holds 4, 5 and 9. */
function waiting() {
  const log = newLog();
  appendAll(log, A, 1, 2);
  for (const seq of [4, 5, 9]) log.append(message(A, seq), 0);
  return log;
}

const HELD = [{ origin: A, from: 4, to: 5 }, { origin: A, from: 9, to: 9 }];

function nothingBeyond(end: number): CatchUp {
  return {
    ...{ slot: SLOT, start: new Map([[A, 2]]), beyond: HELD, messages: [], held: [], lost: [] },
    ...{ floors: new Map(), end: new Map([[A, end]]), idleMs: new Map() },
  };
}

Deno.test("a pull says what is held beyond the vector, and the answer leaves it out", () => {
  const asking = waiting(), answering = newLog(B);
  appendAll(answering, A, 1, 9);
  const { standing } = asking;
  assert.deepEqual([standing.vector.get(A), standing.beyond], [2, HELD]);
  const answer = answering.catchUp(standing, 0);
  assert.deepEqual(answer.messages.map(({ message: { seq } }) => seq), [3, 6, 7, 8]);
  assert.equal(asking.merge(answer, 0), true);
  assert.equal(asking.vector.get(A), 9);
});

Deno.test("what the asker had is no hole in the answer", () => {
  const holes = holesOf(nothingBeyond(9), new Map([[A, 2]]));
  assert.deepEqual(holes, [{ origin: A, from: 3, to: 3 }, { origin: A, from: 6, to: 8 }]);
});

Deno.test("an answer counts on what was told: a log that began anew does not take it", () => {
  const begunAnew = newLog();
  appendAll(begunAnew, A, 1, 2);
  assert.equal(begunAnew.merge(nothingBeyond(9), 0), false);
  assert.equal(waiting().merge(nothingBeyond(9), 0), true);
});

Deno.test("so many ranges are told at most; what they do not name comes a second time", () => {
  const asking = newLog(), answering = newLog(B);
  for (let n = 1; n <= 300; n++) asking.append(message(A, 2 * n), 0);
  appendAll(answering, A, 1, 600);
  const { standing } = asking, answer = answering.catchUp(standing, 0);
  assert.equal(standing.beyond.length, 256);
  assert.equal(answer.messages.length, 600 - 256);
  assert.equal(asking.merge(answer, 0), true);
  assert.equal(asking.vector.get(A), 600);
});
