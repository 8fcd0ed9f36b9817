import assert from "node:assert/strict";
import { covers, mergeVectors, raise } from "../../../relay/protocol/vector.ts";

const vector = (places: Record<string, number>) => new Map(Object.entries(places));

Deno.test("a vector covers what lies within it; an origin that is absent is at 0", () => {
  const own = vector({ a: 3, b: 1 });
  for (const other of [{}, { a: 3 }, { a: 2, b: 1 }, { c: 0 }]) {
    assert.ok(covers(own, vector(other)));
  }
  for (const other of [{ a: 4 }, { c: 1 }, { a: 3, b: 2 }]) assert.ok(!covers(own, vector(other)));
});

Deno.test("merging takes the further place of each origin, and leaves both as they were", () => {
  const a = vector({ a: 3, b: 1 }), b = vector({ a: 1, b: 2, c: 0 });
  assert.deepEqual(mergeVectors(a, b), vector({ a: 3, b: 2, c: 0 }));
  assert.deepEqual([a, b], [vector({ a: 3, b: 1 }), vector({ a: 1, b: 2, c: 0 })]);
  raise(a, b);
  assert.deepEqual(a, vector({ a: 3, b: 2, c: 0 }));
});
