import assert from "node:assert/strict";
import { Absent } from "../../../relay/machines/absent.ts";
import { A, B } from "../../support/slot_log.ts";

Deno.test("what is absent is cut, in its slot and of its origin, until all is cleared", () => {
  const absent = new Absent();
  absent.add(1, A, 5);
  assert.equal(absent.cut(1, A, 9), 4);
  assert.equal(absent.cut(1, A, 3), 3);
  assert.equal(absent.cut(1, B, 9), 9);
  assert.equal(absent.cut(2, A, 9), 9);
  absent.clear();
  assert.equal(absent.cut(1, A, 9), 9);
});

Deno.test("what is known to be absent is bounded", () => {
  const absent = new Absent();
  for (let slot = 0; slot <= 4096; slot++) absent.add(slot, A, 5);
  assert.equal(absent.cut(1, A, 9), 9);
});
