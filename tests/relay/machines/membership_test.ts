import assert from "node:assert/strict";
import { Membership, MEMBERSHIP_TIMERS } from "../../../relay/machines/membership.ts";
import { announcement } from "../../support/announcement.ts";

const { announceMs, expiryMs, settleMs } = MEMBERSHIP_TIMERS;

function drain(membership: Membership): string[] {
  const events = [];
  for (let event; (event = membership.pollEvent());) {
    events.push(event.type === "settled" ? "settled" : `${event.type} ${event.peer.origin}`);
  }
  return events;
}

/** Runs a membership until `untilMs`; answers when it announced, with `?` where it solicited. */
function run(membership: Membership, fromMs: number, untilMs: number): string[] {
  const sent = [];
  for (
    let nowMs = fromMs;
    nowMs <= untilMs;
    nowMs = Math.max(nowMs + 1, membership.nextTimeoutMs())
  ) {
    membership.handleTimeout(nowMs);
    const due = membership.pollAnnouncement(nowMs);
    if (due) sent.push(`${nowMs}${due.solicit ? "?" : ""}`);
  }
  return sent;
}

Deno.test("a starting relay solicits three times, then settles and announces steadily", () => {
  const membership = new Membership("self____", 0);
  const sent = run(membership, 0, settleMs + 2 * announceMs);
  assert.deepEqual(sent.slice(0, 3), ["0?", "100?", "200?"]);
  assert.deepEqual(drain(membership), ["settled"]);
  assert.ok(membership.settled);
  assert.ok(sent.length >= 5 && sent.slice(3).every((at) => !at.endsWith("?")));
});

Deno.test("a peer joins once, and leaves when it has been silent for the expiry", () => {
  const membership = new Membership("self____", 0);
  membership.handleAnnouncement(announcement("peer____"), 10);
  membership.handleAnnouncement(announcement("peer____"), 500);
  assert.deepEqual(drain(membership), ["joined peer____"]);
  assert.equal(membership.peer("peer____")?.node, "node peer____");
  run(membership, 501, 500 + expiryMs - 1);
  assert.deepEqual(drain(membership), ["settled"]);
  run(membership, 500 + expiryMs, 500 + expiryMs);
  assert.deepEqual(drain(membership), ["left peer____"]);
  assert.equal(membership.peers.length, 0);
});

Deno.test("other traffic keeps a peer in view, but brings no stranger in", () => {
  const membership = new Membership("self____", 0);
  membership.handleAnnouncement(announcement("peer____"), 0);
  membership.handleTraffic("peer____", 1000);
  membership.handleTraffic("stranger", 1000);
  run(membership, 1001, expiryMs + 500);
  assert.deepEqual(membership.peers.map((peer) => peer.origin), ["peer____"]);
});

Deno.test("a solicitation is answered at once, but not more often than the answer time", () => {
  const membership = new Membership("self____", 0);
  run(membership, 0, 1000);
  const due = membership.nextTimeoutMs();
  membership.handleAnnouncement(announcement("peer____", { solicit: true }), 1010);
  assert.equal(membership.nextTimeoutMs(), 1010);
  assert.deepEqual(membership.pollAnnouncement(1010), { solicit: false });
  membership.handleAnnouncement(announcement("peer____", { solicit: true }), 1011);
  assert.equal(membership.pollAnnouncement(1011), undefined);
  assert.equal(membership.nextTimeoutMs(), 1010 + MEMBERSHIP_TIMERS.answerMs);
  assert.ok(due > 1030);
});

Deno.test("two starting relays do not answer each other without end", () => {
  const a = new Membership("a_______", 0), b = new Membership("b_______", 0);
  let sent = 0;
  for (let nowMs = 0; nowMs < settleMs; nowMs++) {
    for (const [from, to, origin] of [[a, b, "a_______"], [b, a, "b_______"]] as const) {
      from.handleTimeout(nowMs);
      const due = from.pollAnnouncement(nowMs);
      if (!due) continue;
      sent += 1;
      to.handleAnnouncement(announcement(origin, due), nowMs);
    }
  }
  assert.ok(sent <= 16, `${sent} announcements`);
});

Deno.test("its own announcement is not a peer, and one that is gone comes back by announcing", () => {
  const membership = new Membership("self____", 0);
  membership.handleAnnouncement(announcement("self____"), 0);
  membership.handleAnnouncement(announcement("peer____"), 0);
  membership.handleGone("peer____");
  membership.handleGone("peer____");
  membership.handleAnnouncement(announcement("peer____"), 1);
  assert.deepEqual(drain(membership), ["joined peer____", "left peer____", "joined peer____"]);
});

Deno.test("forged announcements cannot fill the memory", () => {
  const membership = new Membership("self____", 0);
  for (let i = 0; i < 5000; i++) {
    membership.handleAnnouncement(announcement(i.toString(36).padStart(8, "_")), 0);
  }
  assert.equal(membership.peers.length, 1024);
});
