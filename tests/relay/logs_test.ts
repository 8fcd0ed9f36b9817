import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import { Logs } from "../../relay/logs.ts";
import type { SlotLog } from "../../relay/protocol/log/log.ts";
import { bytesOf } from "../../relay/protocol/log/timeline.ts";
import { A, FORGET_MS, LOG_OPTIONS, MAX_AGE_MS, message, SLOT } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** Room for so many messages. */
const ROOM = 250 * bytesOf(message(A, 1));

function setUp(maxBytes = 1_000_000) {
  const clock = new VirtualClock();
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes });
  const append = (seq: number, slot = SLOT) => logs.append({ ...message(A, seq), slot });
  return { clock, logs, append };
}

function heldBy(log: SlotLog | undefined): number[] {
  return log?.catchUp(FROM_NOWHERE, 0).messages.map(({ message }) => message.seq) ?? [];
}

Deno.test("a log that nobody reads and nothing was put into is let go", () => {
  const { clock, logs } = setUp();
  const reader = logs.of(SLOT).open(["a"], "live", clock.nowMs(), { sink: () => true });
  logs.touched(SLOT);
  assert.equal(logs.count, 1);
  reader.close();
  logs.touched(SLOT);
  assert.equal(logs.count, 0);
  assert.deepEqual(logs.vectorOf(SLOT), new Map());
  assert.equal(logs.count, 0, "asking makes none");
});

Deno.test("nobody's wait ends by time while the slot is joined, and once it is at once", () => {
  const clock = new VirtualClock();
  let joining = true;
  const logs = new Logs({
    ...{ clock, log: LOG_OPTIONS, maxBytes: 1_000_000 },
    joining: (slot) => slot === SLOT && joining,
  });
  for (const slot of [SLOT, SLOT + 1]) logs.append({ ...message(A, 2), slot });
  clock.advance(3 * LOG_OPTIONS.holdMs);
  const stands = (slot: number) => logs.vectorOf(slot).get(A) ?? 0;
  assert.deepEqual([stands(SLOT), stands(SLOT + 1)], [0, 2]);
  joining = false;
  clock.advance(500);
  assert.equal(stands(SLOT), 2);
});

Deno.test("messages are dropped by age without anybody asking, and the log when its origins are", () => {
  const { clock, logs, append } = setUp();
  append(1);
  assert.ok(logs.bytes > 0);
  clock.advance(MAX_AGE_MS + 200);
  assert.equal(logs.bytes, 0);
  assert.deepEqual(logs.vectorOf(SLOT).get(A), 1);
  clock.advance(FORGET_MS);
  assert.equal(logs.count, 0);
});

Deno.test("all logs together keep to the bound of bytes; the oldest goes first, in whatever slot", () => {
  const { clock, logs, append } = setUp(ROOM);
  for (let n = 0; n < 900; n++) {
    append(1 + Math.floor(n / 3), SLOT + n % 3);
    assert.ok(logs.bytes <= ROOM, `${logs.bytes} bytes`);
    clock.advance(1);
  }
  assert.ok(logs.bytes > ROOM * 3 / 4, "no more is dropped than must be");
  for (const slot of [SLOT, SLOT + 1, SLOT + 2]) {
    const kept = heldBy(logs.peek(slot));
    assert.equal(kept.at(-1), 300);
    assert.ok(kept.length > 30 && kept.length < 120, `${kept.length} of slot ${slot}`);
  }
});

Deno.test("what is new outlives what is older elsewhere, though its own slot holds the oldest", () => {
  const { clock, logs, append } = setUp(ROOM);
  append(1);
  clock.advance(1000);
  for (let seq = 1; seq <= 100; seq++) append(seq, SLOT + 1);
  clock.advance(1000);
  for (let seq = 2; seq <= 41; seq++) append(seq);
  clock.advance(1000);
  for (let seq = 1; seq <= 130; seq++) append(seq, SLOT + 2);
  assert.ok(heldBy(logs.peek(SLOT + 1)).length < 100, "the bound was reached");
  assert.deepEqual(heldBy(logs.peek(SLOT)), Array.from({ length: 40 }, (_, n) => n + 2));
});

Deno.test("closed, it wakes nobody", () => {
  const { clock, logs, append } = setUp();
  append(1);
  logs.close();
  clock.advance(2 * MAX_AGE_MS);
  assert.deepEqual(heldBy(logs.peek(SLOT)), [1]);
});
