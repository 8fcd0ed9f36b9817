import assert from "node:assert/strict";
import {
  type Entry,
  messageEntry,
  skipEntry,
  Timeline,
  unmetEntry,
} from "../../../../relay/protocol/log/timeline.ts";
import { seededRandom } from "../../../support/random.ts";
import { A, B, C, message } from "../../../support/slot_log.ts";

Deno.test("joining and giving up dropped entries moves no entry out of its vector", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const timeline = new Timeline(new Map());
    const kept: Entry[] = [];
    const seqs = new Map([[A, 1], [B, 0], [C, 0]]);
    // It is never dropped: everything happens behind it.
    timeline.push(messageEntry(message(A, 1), 0));
    let joined = 0;
    for (let step = 0; step < 400; step++) {
      const origin = [A, B, C][Math.floor(random() * 3)] ?? A;
      const seq = (seqs.get(origin) ?? 0) + 1;
      seqs.set(origin, seq);
      const entry = random() < 0.1 ? skipEntry(origin, seq) : messageEntry(message(origin, seq), 0);
      timeline.push(entry);
      if (entry.kind === "message") kept.push(entry);
      if (random() < 0.95) {
        const [dropped] = kept.splice(Math.floor(random() ** 0.2 * kept.length), 1);
        if (dropped) timeline.drop(dropped);
      }
      const before = vectors(timeline);
      const end = timeline.end;
      if (random() < 0.5) timeline.trim();
      const renumber = timeline.compact();
      if (renumber) joined++;
      assert.deepEqual(vectors(timeline), before, `seed ${seed}`);
      if (renumber) assert.equal(renumber(end), timeline.end);
    }
    assert.ok(joined > 0);
    assert.ok(timeline.end - timeline.start <= 2 * 3 * (kept.length + 1) + 65);
  }
});

Deno.test("only the message that came without what it had to follow is said to", () => {
  const timeline = new Timeline(new Map()), missing = [{ origin: C, from: 1, to: 1 }];
  for (const seq of [1, 2, 3]) {
    // What followed the first notice was dropped.
    if (seq !== 2) timeline.push(unmetEntry(message(A, seq), missing, 0));
    if (seq !== 1) timeline.push(messageEntry(message(A, seq), 0));
  }
  timeline.push(messageEntry(message(A, 4), 0));
  const told = [...timeline.messagesAbove(new Map())];
  assert.deepEqual(told.map(({ message: { seq }, unmet }) => [seq, unmet]), [
    [2, false],
    [3, true],
    [4, false],
  ]);
});

/** The vector before each message that is left, and at the end. */
function vectors(timeline: Timeline): unknown[] {
  const all: unknown[] = [];
  for (let index = timeline.start; index <= timeline.end; index++) {
    const entry = timeline.at(index);
    if (index < timeline.end && entry?.kind !== "message") continue;
    const vector = [...timeline.vectorAt(index)].sort();
    all.push([entry?.origin, entry?.seq, vector]);
  }
  return all;
}
