import assert from "node:assert/strict";
import { type CatchUp, holesOf } from "../../../../relay/protocol/log/catch_up.ts";
import { A, appendAll, B, message, newLog, SLOT } from "../../../support/slot_log.ts";

Deno.test("what the asker had is no hole in the answer", () => {
  const answer: CatchUp = {
    ...{ slot: SLOT, start: new Map([[A, 2]]), messages: [], held: [], lost: [] },
    beyond: [{ origin: A, from: 4, to: 5 }, { origin: A, from: 9, to: 9 }],
    ...{ floors: new Map(), end: new Map([[A, 9]]), idleMs: new Map() },
  };
  assert.deepEqual(holesOf(answer, new Map([[A, 2]])), [
    { origin: A, from: 3, to: 3 },
    { origin: A, from: 6, to: 8 },
  ]);
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
