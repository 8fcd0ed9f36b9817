import assert from "node:assert/strict";
import type { Urgency } from "../../backbone/backbone.ts";
import { Announcer } from "../../relay/announcer.ts";
import type { Announcement } from "../../relay/protocol/announcement.ts";
import { announcement } from "../support/announcement.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** An announcer that has settled, with so many others that announce themselves each 500 ms in turn. */
function setUp(others: number) {
  const clock = new VirtualClock(), urgencies: Urgency[] = [];
  let looks = 0;
  const announcer = new Announcer({
    clock,
    wallMs: () => 0,
    self: announcement("self____"),
    said: () => announcement("self____"),
    send: (_announcement, urgency) => urgencies.push(urgency),
    probe: () => Promise.resolve("refused"),
    joined: () => {},
    left: () => {},
    inView: () => looks++,
    log: () => {},
  });
  const hear = (other: number, more: Partial<Announcement> = {}) =>
    announcer.heard(announcement(`other${String(other).padStart(3, "_")}`, more));
  const run = (rounds: number) => {
    for (let at = 0; at < rounds * others; at++) {
      hear(at % others);
      clock.advance(500 / others);
    }
  };
  announcer.start();
  run(4);
  const counted = () => {
    const counts = { looks, sent: urgencies.splice(0) };
    looks = 0;
    return counts;
  };
  counted();
  return { clock, announcer, hear, run, counted };
}

Deno.test("what is merely said again by others is not looked at, however many they are", () => {
  for (const others of [1, 8, 64]) {
    const { announcer, run, counted } = setUp(others);
    run(10);
    const { looks, sent } = counted();
    assert.ok(looks >= 9 && looks <= 11, `${looks} looks in 5 s, with ${others} others`);
    assert.deepEqual(new Set(sent), new Set(["repeated"]));
    assert.equal(announcer.peers.length, others);
    announcer.close();
  }
});

Deno.test("what is new is looked at at once, and who asks is told as soon as what has changed here", () => {
  const { clock, announcer, hear, counted } = setUp(8);
  hear(3, { ready: [1] });
  assert.deepEqual(counted(), { looks: 1, sent: [] });
  hear(4, { solicit: true });
  clock.advance(20);
  assert.deepEqual(counted().sent, ["usual"]);
  announcer.changed();
  clock.advance(20);
  assert.deepEqual(counted().sent, ["usual"]);
  clock.advance(500);
  assert.deepEqual(counted().sent, ["repeated"]);
  announcer.close();
});
