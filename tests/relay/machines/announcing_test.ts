/** When a relay announces itself. */
import assert from "node:assert/strict";
import { Membership, MEMBERSHIP_TIMERS } from "../../../relay/machines/membership.ts";
import { announcement } from "../../support/announcement.ts";
import { drain, run, self } from "../../support/memberships.ts";

const { announceMs, settleMs } = MEMBERSHIP_TIMERS;

Deno.test("a starting relay solicits three times, then settles and announces steadily", () => {
  const membership = new Membership(self("self____"), 0);
  const sent = run(membership, 0, settleMs + 2 * announceMs);
  assert.deepEqual(sent.slice(0, 3), ["0?", "100?", "200?"]);
  assert.deepEqual(drain(membership), ["settled"]);
  assert.ok(membership.settled);
  assert.ok(sent.length >= 5 && sent.slice(3).every((at) => !at.endsWith("?")));
});

Deno.test("a relay that begins late or stands still asks three times all the same before it settles", () => {
  const membership = new Membership(self("self____"), 0), asked = [];
  for (const nowMs of [900, 901, 1400, 1401, 1500, 1599]) {
    membership.handleTimeout(nowMs);
    if (membership.pollAnnouncement(nowMs)?.solicit) asked.push(nowMs);
    assert.equal(membership.settled, false, `at ${nowMs} ms`);
  }
  assert.deepEqual(asked, [900, 1400, 1500]);
  membership.handleTimeout(1600);
  assert.equal(membership.settled, true);
});

Deno.test("an announcement is news at the start, after a change and when somebody asks", () => {
  const membership = new Membership(self("self____"), 0), news: [number, boolean][] = [];
  for (let nowMs = 0; nowMs <= 4000; nowMs += 20) {
    if (nowMs === 1200) membership.handleChange(nowMs);
    if (nowMs === 2400) {
      membership.handleAnnouncement(announcement("peer____", { solicit: true }), nowMs);
    }
    membership.handleTimeout(nowMs);
    const due = membership.pollAnnouncement(nowMs);
    if (due && membership.settled) news.push([nowMs, due.isNews]);
  }
  const said = news.filter(([, isNews]) => isNews).map(([atMs]) => atMs);
  assert.deepEqual(said.slice(-2), [1200, 2400]);
  assert.ok(news.length - said.length >= 5, "what is merely said again is not");
});

Deno.test("a solicitation is answered at once, but not more often than the answer time", () => {
  const membership = new Membership(self("self____"), 0);
  run(membership, 0, 1000);
  const due = membership.nextTimeoutMs();
  membership.handleAnnouncement(announcement("peer____", { solicit: true }), 1010);
  assert.equal(membership.nextTimeoutMs(), 1010);
  assert.deepEqual(membership.pollAnnouncement(1010), { solicit: false, isNews: true });
  membership.handleAnnouncement(announcement("peer____", { solicit: true }), 1011);
  assert.equal(membership.pollAnnouncement(1011), undefined);
  assert.equal(membership.nextTimeoutMs(), 1010 + MEMBERSHIP_TIMERS.answerMs);
  assert.ok(due > 1030);
});

Deno.test("two starting relays do not answer each other without end", () => {
  const a = new Membership(self("a_______"), 0), b = new Membership(self("b_______"), 0);
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
