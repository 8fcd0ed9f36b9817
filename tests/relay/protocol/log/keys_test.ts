import assert from "node:assert/strict";
import type { SlotLog } from "../../../../relay/protocol/log/log.ts";
import { A, B, HOLD_MS, MAX_AGE_MS, message, newLog } from "../../../support/slot_log.ts";

function keyed(seq: number, key: string, origin = A) {
  return { ...message(origin, seq), key };
}

function idOf(log: SlotLog, key: string, channel = "a"): string | undefined {
  const found = log.keyed(channel, key)?.message;
  return found && `${found.origin}.${found.seq}`;
}

Deno.test("a key finds the first message of its channel that carries it", () => {
  const log = newLog();
  log.append(keyed(1, "k"), 0);
  log.append(keyed(1, "k", B), 5);
  log.append(keyed(2, "other"), 5);
  assert.equal(idOf(log, "k"), `${A}.1`);
  assert.equal(log.keyed("a", "k")?.atMs, 0);
  assert.equal(idOf(log, "other"), `${A}.2`);
  assert.equal(idOf(log, "k", "{a}b"), undefined);
  assert.equal(idOf(log, "unheard of"), undefined);
});

Deno.test("a key is forgotten with its message, by age and by count", () => {
  const log = newLog(undefined, { maxCount: 2 });
  log.append(keyed(1, "k1"), 0);
  log.append(keyed(2, "k2"), 0);
  log.append(keyed(3, "k3"), 1);
  assert.deepEqual(["k1", "k2", "k3"].map((key) => idOf(log, key)), [
    undefined,
    `${A}.2`,
    `${A}.3`,
  ]);
  log.tick(MAX_AGE_MS);
  assert.deepEqual(["k2", "k3"].map((key) => idOf(log, key)), [undefined, `${A}.3`]);
});

Deno.test("a key that two messages carry is that of the first, and after it of the next that comes", () => {
  const log = newLog();
  log.append(keyed(1, "k"), 0);
  log.append(keyed(1, "k", B), 1);
  log.tick(MAX_AGE_MS);
  log.append(keyed(2, "k", B), MAX_AGE_MS);
  assert.equal(idOf(log, "k"), `${B}.2`);
});

Deno.test("a key is known while its message waits, and beside the log", () => {
  const log = newLog();
  log.append(keyed(2, "waits"), 0);
  assert.equal(idOf(log, "waits"), `${A}.2`);
  log.tick(HOLD_MS);
  assert.equal(idOf(log, "waits"), `${A}.2`, "in the log after the hold");
  log.append({ ...keyed(1, "late"), after: new Map([[B, 9]]) }, HOLD_MS);
  assert.equal(idOf(log, "late"), `${A}.1`);
});
