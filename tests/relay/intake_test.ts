import assert from "node:assert/strict";
import { staticGroups } from "../../backbone/registry/static.ts";
import { Announcer } from "../../relay/announcer.ts";
import { CONTROL, Intake } from "../../relay/intake.ts";
import { Logs } from "../../relay/logs.ts";
import type { Peer } from "../../relay/machines/membership.ts";
import { Origins } from "../../relay/origins.ts";
import { encodeMessage } from "../../relay/protocol/codec.ts";
import { encodeAnnouncement } from "../../relay/protocol/announcement.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { Sync } from "../../relay/sync.ts";
import { announcement } from "../support/announcement.ts";
import { A, B, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const GROUP = 1;
const GARBAGE = Uint8Array.of(255);

function setUp() {
  const clock = new VirtualClock(), said: string[] = [], origins = new Origins();
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes: 1_000_000 });
  const announcer = new Announcer({
    clock,
    wallMs: () => 0,
    self: announcement(LOG_OPTIONS.self),
    said: () => announcement(A),
    send: () => {},
    probe: () => Promise.resolve("refused"),
    joined: ({ origin }) => said.push(`joined ${origin}`),
    left: ({ origin }) => said.push(`left ${origin}`),
    inView: () => {},
    log: () => {},
  });
  announcer.start();
  const sync = new Sync({
    clock,
    logs,
    table: staticGroups(1),
    peers: () => announcer.peers,
    joining: () => false,
    settled: announcer.settled,
    ask: () => Promise.resolve(),
  });
  const details: unknown[] = [];
  const log = (_level: string, text: string, fields?: unknown) => {
    said.push(text);
    details.push(fields);
  };
  const replication = {
    acknowledged: (...range: unknown[]) => said.push(`acknowledged ${range.join(" ")}`),
  };
  const fetched: string[] = [];
  const fetch = ({ origin }: Peer) => void fetched.push(origin);
  const handed = { clock, logs, sync, announcer, origins, replication, fetch, log };
  const keeps = (slot: number) => slot === message(A, 1).slot;
  return {
    clock,
    said,
    details,
    origins,
    logs,
    announcer,
    fetched,
    intake: new Intake({ ...handed, keeps }),
  };
}

function announced(origin: string): Uint8Array {
  return encodeAnnouncement(announcement(origin));
}

function payload(seq: number): Uint8Array {
  return encodeMessage({ ...message(A, seq), slot: slotOf("a") });
}

Deno.test("messages go to their logs, and are counted by what those made of them", () => {
  const { intake, logs, clock } = setUp();
  for (const seq of [1, 1, 3, 2]) intake.message(GROUP, A, payload(seq), clock.nowMs());
  const { delivered, duplicate, held } = intake.counters;
  assert.deepEqual({ delivered, duplicate, held }, { delivered: 2, duplicate: 1, held: 1 });
  assert.equal(logs.vectorOf(slotOf("a")).get(A), 3);
});

Deno.test("a message is as old as the packet that brought it", () => {
  const { intake, logs, clock } = setUp();
  const cameMs = clock.nowMs();
  clock.advance(5);
  intake.message(GROUP, A, payload(1), cameMs);
  assert.equal(logs.peek(slotOf("a"))?.oldestMs, cameMs);
});

Deno.test("who is heard stays in view, though its announcements are lost", async () => {
  const { intake, announcer, origins, clock, said } = setUp();
  announcer.start();
  intake.message(CONTROL, A, announced(A), clock.nowMs());
  intake.message(CONTROL, B, announced(B), clock.nowMs());
  clock.advance(1000);
  intake.message(GROUP, A, payload(1), clock.nowMs());
  clock.advance(1000);
  // The silent one is asked for, and found dead.
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(announcer.peers.map(({ origin }) => origin), [A]);
  assert.deepEqual(said, [`joined ${A}`, `joined ${B}`, `left ${B}`]);
  assert.ok(origins.knows(B, clock.nowMs()), "a cursor may name it all the same");
  announcer.close();
});

Deno.test("what waited behind a loss does not prove that its sender lives", async () => {
  const { intake, announcer, clock, logs, said } = setUp();
  announcer.start();
  intake.message(CONTROL, A, announced(A), clock.nowMs());
  clock.advance(1000);
  intake.lost(GROUP, A, { from: 1, to: 1 });
  intake.message(GROUP, A, payload(1), clock.nowMs());
  assert.equal(logs.vectorOf(slotOf("a")).get(A), 1);
  clock.advance(1000);
  await Promise.resolve();
  await Promise.resolve();
  assert.ok(said.includes(`left ${A}`));
  intake.lost(CONTROL, A, { from: 1, to: 1 });
  intake.message(CONTROL, A, announced(A), clock.nowMs());
  assert.deepEqual(announcer.peers, []);
  clock.advance(20);
  intake.message(CONTROL, A, announced(A), clock.nowMs());
  assert.equal(announcer.peers.length, 1);
  announcer.close();
});

Deno.test("garbage and what speaks for another is dropped, and complained of now and then", () => {
  const { intake, announcer, clock, said } = setUp();
  intake.message(GROUP, A, GARBAGE, clock.nowMs());
  intake.message(CONTROL, A, GARBAGE, clock.nowMs());
  intake.message(CONTROL, A, announced(B), clock.nowMs());
  clock.advance(10_000);
  intake.message(GROUP, A, new Uint8Array(), clock.nowMs());
  assert.equal(intake.counters.malformed, 4);
  assert.equal(said.length, 2);
  assert.deepEqual(announcer.peers, []);
});

Deno.test("what multicast lost is told with its range, and fetched from its source", () => {
  const { intake, announcer, clock, details, fetched } = setUp();
  intake.message(CONTROL, A, announced(A), clock.nowMs());
  intake.lost(GROUP, A, { from: 0xffff_fffe, to: 1 });
  assert.equal(intake.counters.unrepaired, 4);
  assert.deepEqual(details, [
    { group: GROUP, origin: A, packets: 4, from: 0xffff_fffe, to: 1 },
  ]);
  assert.deepEqual(fetched, [A]);
  announcer.close();
});

Deno.test("a push is taken whole, with its age, by a custodian of all of it; or not at all", () => {
  const { clock, intake, logs } = setUp();
  clock.advance(1000);
  const kept = { message: message(A, 1), ageMs: 400 };
  const other = { message: { ...message(A, 1, "b"), slot: slotOf("b") }, ageMs: 0 };
  assert.equal(intake.pushed([kept, other]), false);
  assert.equal(logs.count, 0);
  assert.equal(intake.pushed([kept]), true);
  assert.equal(
    intake.pushed([kept, { message: message(A, 3), ageMs: 0 }]),
    true,
    "held is kept too",
  );
  assert.equal(logs.peek(kept.message.slot)?.oldestMs, 600);
  assert.deepEqual([intake.counters.delivered, intake.counters.duplicate], [1, 1]);
  assert.equal(intake.counters.held, 1);
});

Deno.test("acknowledgements are passed on", () => {
  const { intake, said } = setUp();
  intake.acknowledged(GROUP, A, 3, 7);
  assert.deepEqual(said, [`acknowledged ${GROUP} ${A} 3 7`]);
});
