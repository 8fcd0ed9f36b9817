import assert from "node:assert/strict";
import { Origins, REMEMBER_MS } from "../../relay/origins.ts";

Deno.test("an origin is known for a day after it was last heard of, by whomever", () => {
  const origins = new Origins();
  origins.hear("here____", 0);
  origins.hear("gossiped", 1000, REMEMBER_MS - 500);
  origins.hear("too old_", 1000, REMEMBER_MS);
  origins.hear("here____", 1000, 900);
  assert.deepEqual(origins.list(1000), [
    { origin: "gossiped", ageMs: REMEMBER_MS - 500 },
    { origin: "here____", ageMs: 900 },
  ]);
  assert.equal(origins.knows("too old_", 1000), false);
  assert.equal(origins.knows("gossiped", 1499), true);
  assert.equal(origins.knows("gossiped", 1500), false);
  assert.deepEqual(origins.list(1500).map(({ origin }) => origin), ["here____"]);
});

Deno.test("forged origins cannot fill the memory", () => {
  const origins = new Origins();
  for (let n = 0; n < 20_000; n++) origins.hear(n.toString(36).padStart(8, "_"), n);
  assert.equal(origins.list(20_000).length, 10_000);
  assert.equal(origins.knows("_______0", 20_000), false);
});
