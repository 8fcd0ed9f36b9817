/** The counter-examples that the model found, as far as they concern one log or two that pull from each other. */
import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../../../relay/protocol/log/catch_up.ts";
import {
  A,
  appendAll,
  B,
  C,
  D,
  follow,
  HOLD_MS,
  MAX_AGE_MS,
  message,
  newLog,
  placeOf,
  pull,
} from "../../../support/slot_log.ts";

Deno.test("1: `after` naming a position not yet published marks nothing of its origin lost", () => {
  const log = newLog();
  const { said } = follow(log, "live");
  log.append(message(A, 1, "a", [[B, 1]]), 0);
  assert.deepEqual(log.missing(), [{ origin: B, from: 1, to: 1 }]);
  log.tick(HOLD_MS);
  assert.deepEqual(said, [`lost ${B}.1-1`, `${A}.1`]);
  assert.deepEqual(log.lost(), []);
  assert.equal(log.vector.get(B), undefined);
  assert.equal(log.append(message(B, 1), HOLD_MS), "delivered");
  assert.deepEqual(said.slice(2), [`${B}.1`]);
});

Deno.test("1: what all lack in an `after` is waited for no longer, and is not lost either", () => {
  const log = newLog();
  const { said } = follow(log, "live");
  log.append(message(A, 1, "a", [[B, 2]]), 0);
  log.lacked(log.missing(), 10);
  log.append(message(A, 2, "a", [[B, 2]]), 20);
  assert.deepEqual(said, [`lost ${B}.1-2`, `${A}.1`, `lost ${B}.1-2`, `${A}.2`]);
  appendAll(log, B, 1, 2, 30);
  assert.deepEqual(said.slice(4), [`${B}.1`, `${B}.2`]);
});

Deno.test("2: two relays with equal vectors, one of which marks C:1 lost, converge", () => {
  const marked = newLog(A), whole = newLog(B);
  appendAll(whole, C, 1, 2);
  marked.append(message(C, 2), 0);
  marked.tick(HOLD_MS);
  assert.deepEqual(marked.lost(), [{ origin: C, from: 1, to: 1 }]);
  assert.equal(marked.vector.get(C), whole.vector.get(C));
  assert.equal(whole.pullFrom(marked.vector, marked.lost()), undefined);
  assert.ok(pull(marked, whole, HOLD_MS));
  assert.deepEqual(marked.lost(), []);
  assert.deepEqual(follow(marked, new Map()).said, [`${C}.1`, `${C}.2`]);
});

Deno.test("2: a mark whose message the peer has dropped is not asked for again", () => {
  const marked = newLog(A), other = newLog(B, { maxCount: 1 });
  appendAll(other, C, 1, 2);
  marked.append(message(C, 2), 0);
  marked.tick(HOLD_MS);
  assert.ok(pull(marked, other, HOLD_MS));
  assert.deepEqual(marked.lost(), [{ origin: C, from: 1, to: 1 }]);
  assert.equal(marked.pullFrom(other.vector, other.lost()), undefined);
});

Deno.test("2: what both have marked is not asked for", () => {
  const one = newLog(A), other = newLog(B);
  for (const log of [one, other]) {
    log.append(message(C, 2), 0);
    log.tick(HOLD_MS);
  }
  assert.equal(one.pullFrom(other.vector, other.lost()), undefined);
});

Deno.test("3: a late message takes the place of its mark, for who comes later", () => {
  const log = newLog();
  const live = follow(log, "live");
  log.append(message(D, 2), 0);
  log.tick(HOLD_MS);
  assert.equal(log.append(message(D, 1), HOLD_MS), "delivered");
  assert.equal(log.append(message(D, 1), HOLD_MS), "duplicate");
  assert.deepEqual(live.said, [`lost ${D}.1-1`, `${D}.2`]);
  const resumed = follow(log, new Map());
  assert.equal(resumed.reader.recovered, true);
  assert.deepEqual(resumed.said, [`${D}.1`, `${D}.2`]);
});

Deno.test("3: a late message within a long mark splits it", () => {
  const log = newLog();
  log.append(message(D, 9), 0);
  log.tick(HOLD_MS);
  log.append(message(D, 4), HOLD_MS);
  log.append(message(D, 8), HOLD_MS);
  assert.deepEqual(log.lost().map(({ from, to }) => [from, to]), [[1, 3], [5, 7]]);
  const { said } = follow(log, new Map());
  assert.deepEqual(said, [`lost ${D}.1-3`, `${D}.4`, `lost ${D}.5-7`, `${D}.8`, `${D}.9`]);
});

Deno.test("4: a held message, and one kept beside the log, reach a relay that joins next", () => {
  const log = newLog(A);
  log.append(message(D, 2), 0);
  log.tick(HOLD_MS);
  // Its `after` did not hold where its mark stands.
  appendAll(log, C, 1, 1, HOLD_MS);
  assert.equal(log.append(message(D, 1, "a", [[C, 1]]), HOLD_MS), "delivered");
  assert.deepEqual(log.lost(), []);
  assert.deepEqual(follow(log, new Map()).said, [`lost ${D}.1-1`, `${D}.2`, `${C}.1`]);
  assert.equal(log.append(message(B, 2), HOLD_MS), "held");

  const joining = newLog(B);
  assert.ok(pull(joining, log, HOLD_MS));
  assert.deepEqual(follow(joining, new Map()).said, [`${C}.1`, `${D}.1`, `${D}.2`]);
  assert.deepEqual(joining.missing(), [{ origin: B, from: 1, to: 1 }]);
  appendAll(joining, B, 1, 1, HOLD_MS);
  assert.equal(joining.vector.get(B), 2);
});

Deno.test("5: a pull over what the other side has dropped gives live readers a gap", () => {
  const behind = newLog(A), ahead = newLog(B, { maxCount: 2 });
  appendAll(behind, C, 1, 1);
  appendAll(ahead, C, 1, 5);
  const live = follow(behind, "live");
  const other = follow(behind, "live", { channels: ["b"] });
  assert.ok(pull(behind, ahead, 0));
  assert.deepEqual(live.said, [`expired ${C}.2-3`, `${C}.4`, `${C}.5`]);
  assert.deepEqual(other.said, []);
  assert.equal(live.reader.lagging, false);
});

Deno.test("5: a reader that paused gets the gap of a pull when it resumes, once", () => {
  const behind = newLog(A), ahead = newLog(B, { maxCount: 2 });
  appendAll(behind, C, 1, 1);
  appendAll(ahead, C, 1, 5);
  const { reader, said } = follow(behind, "live");
  reader.pause();
  assert.ok(pull(behind, ahead, 0));
  reader.resume();
  reader.pause();
  reader.resume();
  assert.deepEqual(said, [`lagged ${C}.2-3`, `${C}.4`, `${C}.5`]);
});

Deno.test("5: what the other side has dropped with its channel concerns every channel", () => {
  const behind = newLog(A), ahead = newLog(B);
  appendAll(behind, C, 1, 1);
  appendAll(ahead, C, 1, 3);
  ahead.tick(MAX_AGE_MS);
  const live = follow(behind, "live"), other = follow(behind, "live", { channels: ["b"] });
  assert.ok(pull(behind, ahead, 0));
  assert.deepEqual([live.said, other.said], [[`expired ${C}.2-3`], [`expired ${C}.2-3`]]);
});

Deno.test("5: a channel that was listed only because a reader kept its floors keeps no state", () => {
  const joining = newLog(A), peer = newLog(B);
  follow(peer, "live");
  appendAll(peer, C, 1, 1);
  peer.tick(MAX_AGE_MS);
  assert.deepEqual([...peer.catchUp(FROM_NOWHERE, 0).floors.keys()], ["a"]);
  assert.ok(pull(joining, peer, 0));
  assert.deepEqual([...joining.catchUp(FROM_NOWHERE, 0).floors.keys()], [""]);
});

Deno.test("6: an answer is thrown away if the log was dropped and made again since it was asked for", () => {
  const before = newLog(A), other = newLog(B);
  appendAll(before, C, 1, 3);
  appendAll(other, C, 1, 5);
  const answer = other.catchUp(before.standing, 0);
  const again = newLog(A);
  const { said } = follow(again, "live");
  assert.equal(again.merge(answer, 0), false);
  assert.deepEqual(said, []);
  assert.equal(again.vector.get(C), undefined);
  assert.ok(pull(again, other, 0));
  assert.equal(said.length, 5);
});

Deno.test("7: a snapshot that brings older messages does not push out newer ones", () => {
  const source = newLog(A), joining = newLog(B, { maxCount: 3 });
  appendAll(source, C, 1, 3, 0);
  appendAll(joining, D, 1, 3, 1000);
  assert.ok(pull(joining, source, 1000));
  assert.deepEqual(follow(joining, "earliest").said, [`${D}.1`, `${D}.2`, `${D}.3`]);
});

Deno.test("8: a channel that comes again inherits the slot's floors", () => {
  const log = newLog();
  appendAll(log, C, 1, 2);
  log.tick(MAX_AGE_MS);
  appendAll(log, C, 3, 3, MAX_AGE_MS);
  const { reader, said } = follow(log, new Map([[C, 1]]));
  assert.equal(reader.recovered, false);
  assert.deepEqual(said, [`expired ${C}.2-2`, `${C}.3`]);
});

Deno.test("8: a busy neighbour causes no false gap", () => {
  const log = newLog("relaySSS", { maxCount: 2 });
  log.append(message(C, 1, "quiet"), 0);
  appendAll(log, C, 2, 50, 0, "busy");
  const { reader, said } = follow(log, new Map([[C, 1]]), { channels: ["quiet"] });
  assert.equal(reader.recovered, true);
  assert.deepEqual(said, []);
  assert.deepEqual(follow(log, new Map([[C, 1]]), { channels: ["busy"] }).said, [
    `expired ${C}.2-48`,
    `${C}.49`,
    `${C}.50`,
  ]);
});

Deno.test("9: the cursor of a reader behind the log is its own, not the log's", () => {
  const log = newLog();
  appendAll(log, C, 1, 3);
  const { reader, places } = follow(log, new Map([[C, 1]]), { room: 0 });
  assert.equal(placeOf(reader.cursor()).get(C), 1);
  assert.equal(reader.position().get(C), 1);
  reader.resume();
  assert.equal(reader.lagging, false);
  assert.deepEqual(places.map((place) => place.get(C)), [2, 3]);
});

Deno.test("12: a relay cut off while another publishes and dies delivers or announces after the heal", () => {
  const cutOff = newLog(A, { maxCount: 3 }), other = newLog(B, { maxCount: 3 });
  const { said } = follow(cutOff, "live");
  for (const log of [cutOff, other]) appendAll(log, C, 1, 2);
  appendAll(other, C, 3, 7, 1000);
  // C is gone for good; what is left is in `other`.
  assert.ok(pull(cutOff, other, 20_000));
  assert.deepEqual(said, [`${C}.1`, `${C}.2`, `expired ${C}.3-4`, `${C}.5`, `${C}.6`, `${C}.7`]);
  assert.equal(cutOff.vector.get(C), 7);
});

Deno.test("what waits is not fetched again", () => {
  const log = newLog(A), peer = newLog(B);
  appendAll(peer, C, 1, 5);
  for (const seq of [3, 5]) log.append(message(C, seq), 0);
  const standing = log.pullFrom(peer.vector, peer.lost());
  assert.deepEqual(standing?.beyond, [3, 5].map((seq) => ({ origin: C, from: seq, to: seq })));
  const answer = peer.catchUp(standing, 0);
  assert.deepEqual(answer.messages.map(({ message }) => message.seq), [1, 2, 4]);
  assert.ok(log.merge(answer, 0));
  assert.deepEqual(follow(log, new Map()).said, [1, 2, 3, 4, 5].map((seq) => `${C}.${seq}`));
});

Deno.test("what came behind a mark is not fetched again with what is marked", () => {
  const log = newLog(A), peer = newLog(B);
  appendAll(peer, C, 1, 5);
  for (const seq of [2, 4, 5]) log.append(message(C, seq), 0);
  log.tick(HOLD_MS);
  const standing = log.pullFrom(peer.vector, peer.lost());
  assert.ok(standing);
  const answer = peer.catchUp(standing, HOLD_MS);
  assert.deepEqual(answer.messages.map(({ message }) => message.seq), [1, 3]);
  assert.ok(log.merge(answer, HOLD_MS));
  assert.deepEqual(log.lost(), []);
});

Deno.test("6: an answer that leaves out what a log had that was begun anew since is thrown away", () => {
  const before = newLog(A), peer = newLog(B);
  appendAll(peer, C, 1, 3);
  before.append(message(C, 2), 0);
  const waited = peer.catchUp(before.standing, 0);
  assert.ok(!newLog(A).merge(waited, 0), "what waited is not there");
  before.append(message(C, 3), 0);
  before.tick(HOLD_MS);
  const marked = before.pullFrom(peer.vector, peer.lost());
  assert.ok(marked);
  const after = newLog(A);
  after.append(message(C, 3), 0);
  after.tick(HOLD_MS);
  assert.ok(!after.merge(peer.catchUp(marked, 0), 0), "what was behind the mark is marked now");
});

Deno.test("what a peer has delivered without its `after` is not held again", () => {
  const peer = newLog(A), joining = newLog(B), waiting = newLog("relayEEE");
  peer.append(message(C, 1, "a", [[D, 9]]), 0);
  waiting.append(message(C, 1, "a", [[D, 9]]), 0);
  peer.tick(HOLD_MS);
  appendAll(peer, C, 2, 3, HOLD_MS);
  for (const log of [joining, waiting]) {
    const { said } = follow(log, "live");
    assert.ok(pull(log, peer, HOLD_MS));
    assert.deepEqual(said, [`lost ${D}.1-9`, `${C}.1`, `${C}.2`, `${C}.3`]);
    assert.deepEqual(log.missing(), []);
  }
  const third = newLog(C);
  assert.ok(pull(third, joining, HOLD_MS));
  assert.equal(third.vector.get(C), 3, "and so it goes on");
});

Deno.test("an `after` that binds no longer at a peer still gives way to the order of its origin", () => {
  const peer = newLog(A), log = newLog(B);
  appendAll(peer, C, 1, 1);
  peer.append(message(C, 2, "a", [[D, 9]]), 0);
  peer.tick(HOLD_MS);
  const answer = peer.catchUp({ vector: new Map([[C, 1]]), beyond: [] }, HOLD_MS);
  const early = { ...answer, start: new Map(), end: new Map() };
  assert.ok(log.merge(early, HOLD_MS));
  assert.deepEqual(log.missing(), [{ origin: C, from: 1, to: 1 }]);
  assert.equal(log.append(message(C, 1), HOLD_MS), "delivered");
  assert.equal(log.vector.get(C), 2);
});
