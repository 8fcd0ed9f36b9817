import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../../../relay/protocol/log/catch_up.ts";
import {
  A,
  appendAll,
  B,
  C,
  D,
  follow,
  FORGET_MS,
  HOLD_MS,
  MAX_AGE_MS,
  message,
  newLog,
  placeOf,
  pull,
} from "../../../support/slot_log.ts";

Deno.test("append answers delivered, duplicate or held, and a hole filled delivers what waited", () => {
  const log = newLog();
  const { said } = follow(log, "live");
  assert.equal(log.append(message(A, 1), 0), "delivered");
  assert.equal(log.append(message(A, 1), 0), "duplicate");
  assert.equal(log.append(message(A, 3), 0), "held");
  assert.equal(log.append(message(A, 3), 0), "duplicate");
  assert.deepEqual(log.missing(), [{ origin: A, from: 2, to: 2 }]);
  assert.equal(log.append(message(A, 2), 0), "delivered");
  assert.deepEqual(said, [1, 2, 3].map((seq) => `${A}.${seq}`));
  assert.deepEqual(log.missing(), []);
});

Deno.test("a message waits for what it must follow", () => {
  const log = newLog();
  const { said } = follow(log, "live");
  assert.equal(log.append(message(A, 1, "a", [[B, 1], [A, 9]]), 0), "held");
  assert.equal(log.append(message(B, 1, "b"), 0), "delivered");
  assert.deepEqual(said, [`${A}.1`]);
});

Deno.test("a hold lasts its time at most, whatever delays it on the way", () => {
  const log = newLog();
  log.append(message(A, 2), 0);
  log.append(message(A, 1, "a", [[B, 1]]), HOLD_MS - 1);
  assert.equal(log.nextWakeMs(), HOLD_MS);
  log.tick(HOLD_MS - 1);
  assert.equal(log.vector.get(A), undefined);
  log.tick(HOLD_MS);
  assert.equal(log.vector.get(A), 2);
  assert.deepEqual(log.lost(), []);
});

Deno.test("what all relays lack is marked at once, and what is held of it comes", () => {
  const log = newLog();
  const { said } = follow(log, "live");
  log.append(message(A, 2), 0);
  log.append(message(A, 4), 0);
  log.lacked(log.missing(), 10);
  assert.deepEqual(said, [`lost ${A}.1-1`, `${A}.2`, `lost ${A}.3-3`, `${A}.4`]);
  log.lacked([{ origin: B, from: 1, to: 9 }], 20);
  assert.equal(log.append(message(A, 5, "a", [[B, 1]]), 30), "held");
});

Deno.test("a hostile jump of the seq costs no more than one", () => {
  const log = newLog(A), peer = newLog(B);
  const { said } = follow(log, new Map());
  const far = 2 ** 52;
  log.append(message(C, far, "a", [[D, Number.MAX_SAFE_INTEGER]]), 0);
  assert.equal(log.missing().length, 2);
  log.tick(HOLD_MS);
  assert.deepEqual(log.lost(), [{ origin: C, from: 1, to: far - 1 }]);
  assert.equal(log.append(message(C, far / 2), HOLD_MS), "delivered");
  assert.equal(said.length, 3);
  assert.ok(pull(peer, log, HOLD_MS));
  assert.equal(peer.vector.get(C), far);
});

Deno.test("what waits is bounded: beyond, the oldest wait is over", () => {
  const log = newLog();
  const big = { ...message(A, 2), data: "x".repeat(9 * 1024 * 1024) };
  assert.equal(log.append(big, 0), "held");
  assert.equal(log.append({ ...big, origin: B }, 1), "held");
  assert.equal(log.vector.get(A), 2);
  assert.equal(log.vector.get(B), undefined);

  const many = newLog();
  for (let n = 1; n <= 10_001; n++) many.append(message(A, 2 * n), 0);
  assert.equal(many.vector.get(A), 2);
});

Deno.test("age counts from arrival in the LAN and travels with catch-up", () => {
  const log = newLog(A), peer = newLog(B);
  appendAll(log, C, 1, 1, 1000);
  assert.equal(log.oldestMs, 1000);
  // The peer's clock has another zero.
  assert.ok(peer.merge(log.catchUp(FROM_NOWHERE, 5000), 70_000));
  assert.equal(peer.oldestMs, 66_000);
  assert.equal(peer.nextWakeMs(), 66_000 + MAX_AGE_MS);
  peer.tick(66_000 + MAX_AGE_MS - 1);
  assert.equal(follow(peer, "earliest").said.length, 1);
  peer.tick(66_000 + MAX_AGE_MS);
  assert.equal(follow(peer, "earliest").said.length, 0);
});

Deno.test("what is too old is not given to who comes, tick or no tick", () => {
  const log = newLog();
  appendAll(log, A, 1, 1);
  const { reader, said } = follow(log, new Map([[A, 0]]), { nowMs: MAX_AGE_MS });
  assert.equal(reader.recovered, false);
  assert.deepEqual(said, [`expired ${A}.1-1`]);
});

Deno.test("a mark is dropped by age, and its floor tells every channel", () => {
  const log = newLog();
  log.append(message(A, 2), 0);
  log.tick(HOLD_MS);
  log.tick(HOLD_MS + MAX_AGE_MS);
  assert.deepEqual(log.lost(), []);
  assert.deepEqual(follow(log, new Map([[A, 0]]), { channels: ["z"] }).said, [`expired ${A}.1-2`]);
});

Deno.test("dropOldest drops by age across channels, frees what it says, and ends at nothing", () => {
  const log = newLog();
  log.append(message(A, 1, "a"), 10);
  log.append(message(B, 1, "b"), 20, 15);
  const { bytes } = log;
  const freed = log.dropOldest();
  assert.equal(log.bytes, bytes - freed);
  assert.deepEqual(follow(log, "earliest", { channels: ["a", "b"] }).said, [`${A}.1`]);
  assert.ok(log.dropOldest() > 0);
  assert.equal(log.bytes, 0);
  assert.equal(log.dropOldest(), 0);
});

Deno.test("an origin is forgotten so long after its last message, wherever that was heard", () => {
  const log = newLog(A), peer = newLog(B);
  appendAll(log, C, 1, 1, 0);
  assert.ok(peer.merge(log.catchUp(FROM_NOWHERE, FORGET_MS / 2), 0));
  for (const each of [log, peer]) each.tick(FORGET_MS / 2 - 1);
  assert.equal(peer.vector.get(C), 1);
  peer.tick(FORGET_MS / 2);
  assert.equal(peer.vector.get(C), undefined);
  assert.equal(peer.idle, true);
  assert.equal(peer.nextWakeMs(), undefined);
  assert.equal(log.vector.get(C), 1);
});

Deno.test("an old message that comes late does not age its origin", () => {
  const log = newLog();
  log.append(message(B, 1), 500);
  log.append(message(A, 2), 1000);
  log.append(message(A, 1), 1000, 900);
  log.tick(FORGET_MS + 500);
  assert.deepEqual([log.vector.get(A), log.vector.get(B)], [2, undefined]);
  log.tick(FORGET_MS + 999);
  assert.equal(log.vector.get(A), 2);
  log.tick(FORGET_MS + 1000);
  assert.equal(log.vector.get(A), undefined);
});

Deno.test("a cursor names no forgotten origin, and the relay itself is never forgotten", () => {
  const log = newLog(A);
  const live = follow(log, "live"), paused = follow(log, "live");
  appendAll(log, A, 1, 1);
  appendAll(log, C, 1, 1);
  paused.reader.pause();
  log.tick(FORGET_MS);
  for (const { reader } of [live, paused]) {
    assert.deepEqual(placeOf(reader.cursor()), new Map([[A, 1]]));
  }
  assert.equal(log.vector.get(A), 1);
});

Deno.test("an unused log is idle; entries, waits and readers keep it", () => {
  const log = newLog();
  assert.equal(log.idle, true);
  const { reader } = follow(log, "live");
  assert.equal(log.idle, false);
  reader.close();
  assert.equal(log.idle, true);
  log.append(message(A, 2), 0);
  assert.equal(log.idle, false);
});

Deno.test("dropped entries in the middle do not pile up behind an old one", () => {
  const log = newLog("relaySSS", { maxCount: 5 });
  log.append(message(A, 1, "quiet"), 0);
  const lagging = follow(log, "live", { channels: ["busy"], room: 1 });
  appendAll(log, B, 1, 5000, 0, "busy");
  assert.ok(log.bytes < 6 * 1024);
  lagging.reader.resume();
  assert.deepEqual(lagging.said, [`${B}.1`, `lagged ${B}.2-4995`]);
  const { said } = follow(log, new Map(), { channels: ["quiet", "busy"] });
  assert.deepEqual(said.slice(0, 2), [`expired ${B}.1-4995`, `${A}.1`]);
  assert.equal(said.length, 7);
});

Deno.test("an answer does not start forgetting anew, nor hold what its peer let go", () => {
  const whole = newLog(A, { maxCount: 2 }), empty = newLog(B);
  appendAll(whole, C, 1, 4);
  const answer = whole.catchUp(FROM_NOWHERE, 10);
  assert.deepEqual(answer.messages.map(({ message }) => message.seq), [3, 4]);
  assert.deepEqual(answer.floors.get("a"), new Map([[C, 2]]));
  assert.deepEqual(answer.idleMs, new Map([[C, 10]]));
  assert.ok(empty.merge(answer, 0));
  assert.deepEqual(empty.missing(), []);
  assert.equal(empty.vector.get(C), 4);
  assert.deepEqual(follow(empty, new Map([[C, 1]])).said, [`expired ${C}.2-2`, `${C}.3`, `${C}.4`]);
});

Deno.test("many channels of little count for more than one of much, and for nothing once that is gone", () => {
  const one = newLog(), many = newLog();
  appendAll(one, A, 1, 100);
  for (let seq = 1; seq <= 100; seq++) many.append(message(A, seq, `channel ${seq}`), 0);
  assert.ok(many.bytes > 1.5 * one.bytes, `${many.bytes} against ${one.bytes}`);
  // A name counts, as data does.
  const long = newLog();
  long.append(message(A, 1, "c".repeat(500)), 0);
  assert.ok(long.bytes > 500 + one.bytes / 100, `${long.bytes} against ${one.bytes}`);
  for (const log of [one, many, long]) {
    while (log.dropOldest() > 0);
    assert.equal(log.bytes, 0);
  }
});

Deno.test("what a peer dropped elsewhere in the slot is no gap of a channel that it has whole", () => {
  const peer = newLog(C), log = newLog();
  peer.append(message(A, 1, "kept"), MAX_AGE_MS / 2);
  peer.append(message(A, 2, "gone"), 0);
  peer.tick(MAX_AGE_MS);
  const { said } = follow(log, new Map(), { channels: ["kept"] });
  assert.ok(pull(log, peer, MAX_AGE_MS));
  assert.deepEqual(said, [`${A}.1`]);
  assert.deepEqual(follow(log, new Map(), { channels: ["gone"] }).said, [`expired ${A}.1-2`]);
});

Deno.test("messages that wait for very many positions together do not wait: all of those are looked for", () => {
  const log = newLog(), many = 1000;
  const after = (seq: number) =>
    Array.from({ length: many }, (_, n): [string, number] => [`${n}.${seq}`.padStart(8, "o"), 1]);
  for (let seq = 1; seq <= 100; seq++) log.append(message(A, seq, "a", after(seq)), 0);
  assert.ok(log.missing().length <= 50 * many);
  assert.equal(log.vector.get(A), 50, "the oldest waits end");
  log.tick(HOLD_MS);
  assert.equal(log.vector.get(A), 100);
  log.append(message(B, 1, "a", after(101)), HOLD_MS);
  assert.equal(log.missing().length, many, "what waits no longer counts no longer");
});

Deno.test("a log that joins names origins as others heard of them: those long gone first, whom a cursor gives up first", () => {
  const peer = newLog(A, { maxCount: 1 }), joining = newLog("relayEEE");
  for (const [at, origin] of [D, B, C].entries()) appendAll(peer, origin, 1, 2, 1000 * at);
  assert.ok(pull(joining, peer, 5000));
  const { places } = follow(joining, "live", { nowMs: 5000 });
  joining.append(message(D, 3), 5000);
  for (const named of [joining.vector, places[0] ?? new Map()]) {
    assert.deepEqual([...named.keys()].filter((origin) => [B, C, D].includes(origin)), [D, B, C]);
  }
});
