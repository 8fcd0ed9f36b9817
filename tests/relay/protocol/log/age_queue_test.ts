import assert from "node:assert/strict";
import { AgeQueue } from "../../../../relay/protocol/log/age_queue.ts";
import { type Entry, messageEntry } from "../../../../relay/protocol/log/timeline.ts";
import { seededRandom } from "../../../support/random.ts";
import { A, message } from "../../../support/slot_log.ts";

Deno.test("entries come out by age, and in order of arrival where they are as old", () => {
  const random = seededRandom(1), queue = new AgeQueue();
  let alive: Entry[] = [];
  for (let seq = 1; seq <= 3000; seq++) {
    const entry = messageEntry(message(A, seq), Math.floor(random() * 200));
    alive.push(entry);
    queue.push(entry, alive.length);
    if (random() < 0.4) continue;
    const oldest = alive.reduce((a, b) => b.atMs < a.atMs ? b : a);
    assert.equal(queue.peek(), oldest);
    oldest.kind = "skip";
    alive = alive.filter((other) => other !== oldest);
  }
});
