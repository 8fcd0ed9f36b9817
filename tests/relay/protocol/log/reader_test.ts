import assert from "node:assert/strict";
import { parseCursor } from "../../../../relay/protocol/cursor.ts";
import type { Reader } from "../../../../relay/protocol/log/reader.ts";
import type { StreamEvent } from "../../../../relay/protocol/upstream.ts";
import {
  A,
  appendAll,
  B,
  C,
  follow,
  HOLD_MS,
  MAX_AGE_MS,
  message,
  newLog,
  placeOf,
  pull,
  say,
} from "../../../support/slot_log.ts";

Deno.test("a reader is born paused, and live once it has read all", () => {
  const log = newLog();
  const { reader, said } = follow(log, "live", { room: 0 });
  appendAll(log, A, 1, 2);
  assert.deepEqual([said.length, reader.lagging], [0, true]);
  reader.resume();
  assert.deepEqual(said, [`${A}.1`, `${A}.2`]);
  assert.equal(reader.lagging, false);
});

Deno.test("readers at one place share one event and its cursor, which names the serving relay", () => {
  const log = newLog("relaySSS");
  const first = follow(log, "live"), second = follow(log, "live", { channels: ["a", "b"] });
  appendAll(log, A, 1, 1);
  assert.equal(first.events[0], second.events[0]);
  assert.deepEqual(placeOf(first.reader.cursor()), new Map([["relaySSS", 0], [A, 1]]));
  assert.equal(parseCursor(first.reader.cursor()).asOfMs, Date.UTC(2026, 0, 1));
});

Deno.test("a channel's messages come to its readers alone, and every cursor passes all", () => {
  const log = newLog();
  const { reader, said } = follow(log, "live", { channels: ["a"] });
  appendAll(log, A, 1, 3, 0, "b");
  assert.deepEqual(said, []);
  assert.equal(reader.position().get(A), 3);
});

Deno.test("a sink that has enough gets nothing until it resumes, then everything in order", () => {
  const log = newLog();
  const { reader, said } = follow(log, "live", { room: 2 });
  appendAll(log, A, 1, 5);
  assert.deepEqual(said, [`${A}.1`, `${A}.2`]);
  assert.equal(reader.position().get(A), 2);
  reader.resume();
  assert.equal(said.length, 4);
  reader.resume();
  assert.equal(said.length, 5);
});

Deno.test("a paused reader that falls below the floor is told what it missed, and only of its channels", () => {
  const log = newLog("relaySSS", { maxCount: 2 });
  const { reader, said, events } = follow(log, "live", { channels: ["a", "b"] });
  reader.pause();
  appendAll(log, A, 1, 5, 0, "a");
  appendAll(log, A, 6, 7, 0, "b");
  appendAll(log, A, 8, 20, 0, "c");
  reader.resume();
  assert.deepEqual(said, [`lagged ${A}.1-3`, ...[4, 5, 6, 7].map((seq) => `${A}.${seq}`)]);
  assert.deepEqual(events[0]?.type === "gap" && events[0].channel, "a");
});

Deno.test("a gap that fills the sink waits with the rest", () => {
  const log = newLog();
  const { reader, said } = follow(log, "live", { channels: ["a", "b"], room: 1 });
  log.append(message(A, 2), 0);
  log.tick(HOLD_MS);
  assert.deepEqual(said, [`lost ${A}.1-1`]);
  reader.resume();
  assert.deepEqual(said.slice(1), [`lost ${A}.1-1`]);
  reader.resume();
  assert.deepEqual(said.slice(2), [`${A}.2`]);
});

Deno.test("the gap before a message without what it must follow comes with the place before it", () => {
  const log = newLog();
  const { said, places } = follow(log, "live");
  log.append(message(A, 1, "a", [[B, 3]]), 0);
  log.tick(HOLD_MS);
  assert.deepEqual(said, [`lost ${B}.1-3`, `${A}.1`]);
  assert.deepEqual(places.map((place) => place.get(A)), [undefined, 1]);
});

Deno.test("marks that follow each other make one gap", () => {
  const log = newLog(), peer = newLog(B);
  for (const origin of [A, C]) peer.append(message(origin, 3), 0);
  peer.tick(HOLD_MS);
  const { said } = follow(log, new Map());
  assert.ok(pull(log, peer, HOLD_MS));
  assert.deepEqual(said.filter((word) => word.startsWith("lost")).length, 1);
});

Deno.test("a resumed reader skips what its cursor covers, also what comes later", () => {
  const log = newLog("relaySSS", { known: () => true });
  appendAll(log, A, 1, 3);
  const ahead = follow(log, new Map([[A, 5], [B, 1]]));
  const same = follow(log, new Map([[A, 5], [B, 1]]));
  const fresh = follow(log, "live");
  assert.equal(ahead.reader.lagging, false);
  appendAll(log, A, 4, 5);
  appendAll(log, C, 1, 1);
  assert.deepEqual([ahead.said, fresh.said.length], [[`${C}.1`], 3]);
  assert.deepEqual(ahead.places, [new Map([["relaySSS", 0], [A, 5], [C, 1], [B, 1]])]);
  assert.equal(ahead.events[0], same.events[0]);
  appendAll(log, B, 1, 2);
  assert.deepEqual(ahead.said.slice(1), [`${B}.2`]);
  assert.equal(ahead.events[1], fresh.events.at(-1), "past its cursor it is like the others");
});

Deno.test("a cursor that names what nobody has heard of, or that is too old, is no continuation", () => {
  const hourMs = 3_600_000, now = Date.UTC(2026, 0, 1);
  const log = newLog("relaySSS", { known: (origin) => origin === B });
  appendAll(log, A, 1, 2);
  const resume = (cursor: [string, number][], asOfMs?: number) => {
    const options = asOfMs === undefined ? {} : { asOfMs };
    const { reader, said } = follow(log, new Map(cursor), { channels: ["a", "b"], ...options });
    return [reader.recovered, ...said];
  };
  assert.deepEqual(resume([[A, 1], [B, 7]], now), [true, `${A}.2`]);
  assert.deepEqual(resume([[A, 1], [C, 0]]), [false, "unknown", "unknown", `${A}.2`]);
  assert.deepEqual(resume([[A, 1]], now - 23 * hourMs), [true, `${A}.2`]);
  assert.deepEqual(resume([[A, 1]], now - 23 * hourMs - 1), [
    false,
    "unknown",
    "unknown",
    `${A}.2`,
  ]);
});

Deno.test("a reader on its way has passed what was gone before it came", () => {
  const log = newLog();
  appendAll(log, B, 1, 3, 0, "b");
  log.tick(MAX_AGE_MS);
  appendAll(log, A, 1, 2, MAX_AGE_MS);
  const { places } = follow(log, new Map([[B, 3]]), { room: 1 });
  const fresh = follow(log, new Map(), { room: 2 });
  assert.deepEqual(places, [new Map([["relaySSS", 0], [B, 3], [A, 1]])]);
  assert.deepEqual(fresh.said, [`expired ${B}.1-3`, `${A}.1`]);
  assert.deepEqual(fresh.places.map((place) => place.get(B)), [undefined, 3]);
});

Deno.test("earliest: all that is retained, without a gap, from a place that a cursor can come back to", () => {
  const log = newLog("relaySSS", { maxCount: 2 });
  appendAll(log, A, 1, 5);
  appendAll(log, B, 1, 1, 0, "b");
  const { reader, said } = follow(log, "earliest", { room: 0 });
  const back = follow(log, placeOf(reader.cursor()));
  assert.equal(back.reader.recovered, true);
  assert.deepEqual(back.said, [`${A}.4`, `${A}.5`]);
  reader.resume();
  assert.deepEqual(said, back.said);
});

Deno.test("sinks may append: everybody gets everything once and in order", () => {
  const log = newLog();
  const notes: string[][] = [[], []];
  let next = 1;
  for (const note of notes) {
    const sink = (event: StreamEvent) => {
      note.push(say(event));
      if (next < 6) log.append(message(A, ++next), 0);
      assert.equal(event.type === "message" && placeOf(event.cursor).get(A), note.length);
      return true;
    };
    log.open(["a"], "live", 0, { sink }).resume();
  }
  log.append(message(A, 1), 0);
  const all = [1, 2, 3, 4, 5, 6].map((seq) => `${A}.${seq}`);
  assert.deepEqual(notes, [all, all]);
});

Deno.test("sinks may append and drop: what is gone before it was shown is announced", () => {
  const log = newLog();
  const said: string[] = [];
  const sink = (event: StreamEvent) => {
    said.push(say(event));
    if (said.length === 1) {
      log.append(message(A, 2), 0);
      while (log.dropOldest() > 0);
    }
    return true;
  };
  log.open(["a"], "live", 0, { sink }).resume();
  log.append(message(A, 1), 0);
  log.append(message(A, 3), 0);
  assert.deepEqual(said, [`${A}.1`, `expired ${A}.2-2`, `${A}.3`]);
});

Deno.test("sinks may open, pause, resume and close readers: those still to come get it, those who have not", () => {
  const log = newLog();
  const late: string[] = [];
  const victims: { reader: Reader; said: string[] }[] = [];
  const sink = (): boolean => {
    const [closed, paused] = victims;
    closed?.reader.close();
    paused?.reader.pause();
    assert.equal(paused?.reader.position().get(A), 0, "it has not got the message yet");
    log.open(["a"], "live", 0, { sink: (event) => late.push(say(event)) > 0 }).resume();
    return false;
  };
  log.open(["a"], "live", 0, { sink }).resume();
  victims.push(follow(log, "live"), follow(log, "live"));
  appendAll(log, A, 1, 1);
  assert.deepEqual([late, ...victims.map(({ said }) => said)], [[], [], []]);
  victims[1]?.reader.resume();
  appendAll(log, A, 2, 2);
  assert.deepEqual([late, ...victims.map(({ said }) => said)], [
    [`${A}.2`],
    [],
    [`${A}.1`, `${A}.2`],
  ]);
});

Deno.test("a sink that throws has its reader closed and harms nobody else", () => {
  const log = newLog();
  const broken = log.open(["a"], "live", 0, {
    sink: () => {
      throw new Error("broken");
    },
  });
  broken.resume();
  const { said } = follow(log, "live");
  appendAll(log, A, 1, 2);
  assert.deepEqual(said, [`${A}.1`, `${A}.2`]);
  assert.equal(broken.lagging, true);
});

Deno.test("a closed reader gets nothing more, keeps its place, and may be closed again", () => {
  const log = newLog();
  const { reader, said } = follow(log, "live");
  appendAll(log, A, 1, 1);
  reader.close();
  reader.close();
  appendAll(log, A, 2, 2);
  reader.resume();
  assert.deepEqual(said, [`${A}.1`]);
  assert.equal(reader.position().get(A), 1);
});
