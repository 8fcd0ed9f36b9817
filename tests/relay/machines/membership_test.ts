/** Whom a relay takes for being there. */
import assert from "node:assert/strict";
import {
  Membership,
  MEMBERSHIP_TIMERS,
  type ProbeResult,
} from "../../../relay/machines/membership.ts";
import type { Announcement } from "../../../relay/protocol/announcement.ts";
import type { Origin } from "../../../relay/protocol/message.ts";
import { announcement } from "../../support/announcement.ts";
import { drain, pass, run, self } from "../../support/memberships.ts";

const { announceMs, expiryMs, probeMs, searchMs } = MEMBERSHIP_TIMERS;

Deno.test("an announcement is heard as news if it says what was not known, whatever the time and load", () => {
  const membership = new Membership(self("self____"), 0);
  let nowMs = 0;
  const heard = (more: Partial<Announcement> = {}) =>
    membership.handleAnnouncement(announcement("peer____", more), nowMs++);
  assert.deepEqual([heard(), heard(), heard({ timeMs: 1, load: 2 })], [true, false, false]);
  const changes: Partial<Announcement>[] = [
    { hears: ["self____"] },
    ...[{ ready: [1] }, { kept: [1] }, { holds: [2] }, { groups: [3] }],
    ...[{ tableEpoch: 4 }, { tableHash: 5 }, { port: 6 }, { host: "10.0.0.7" }],
  ];
  for (const change of changes) {
    assert.deepEqual([heard(change), heard(change)], [true, false], JSON.stringify(change));
    assert.equal(heard(), true);
  }
  assert.deepEqual([heard({ solicit: true }), heard({ solicit: true })], [true, true]);
  assert.deepEqual([heard({ leaving: true }), heard(), heard()], [true, true, false]);
});

Deno.test("who was asked whether it lives and says again what it said is news: it is mutual once more", () => {
  const membership = probed("alive");
  const again = announcement("peer____", { hears: ["self____"] });
  assert.equal(membership.peer("peer____")?.mutual, false);
  assert.equal(membership.handleAnnouncement(again, expiryMs + 1), true);
  assert.equal(membership.handleAnnouncement(again, expiryMs + 2), false);
});

Deno.test("a peer joins once, and is asked for when it has been silent for the expiry", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("peer____"), 10);
  membership.handleAnnouncement(announcement("peer____"), 500);
  assert.deepEqual(drain(membership), ["joined peer____"]);
  assert.equal(membership.peer("peer____")?.node, "node peer____");
  run(membership, 501, 500 + expiryMs - 1);
  assert.deepEqual(drain(membership), ["settled"]);
  run(membership, 500 + expiryMs, 500 + expiryMs + probeMs);
  assert.deepEqual(drain(membership), ["probe peer____"]);
  assert.equal(membership.peers.length, 1);
  assert.deepEqual(membership.hears(500 + expiryMs), []);
});

/** A view whose one peer fell silent and was asked for at `expiryMs`; what came of it. */
function probed(result: ProbeResult, nowMs = expiryMs): Membership {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("peer____", { hears: ["self____"] }), 0);
  assert.equal(membership.peer("peer____")?.mutual, true);
  run(membership, 1, expiryMs);
  drain(membership);
  membership.handleProbe("peer____", result, nowMs);
  return membership;
}

Deno.test("who stood still itself takes nobody for silent before it has listened again", () => {
  const membership = new Membership(self("self____"), 0);
  for (let nowMs = 0; nowMs <= 2000; nowMs += 500) {
    membership.handleAnnouncement(announcement("peer____"), nowMs);
    membership.handleTimeout(nowMs);
  }
  drain(membership);
  membership.handleTimeout(12_000);
  assert.deepEqual([drain(membership), membership.hears(12_000)], [[], ["peer____"]]);
  for (let nowMs = 12_500; nowMs <= 13_000; nowMs += 500) membership.handleTimeout(nowMs);
  assert.deepEqual(drain(membership), []);
  membership.handleTimeout(13_500);
  assert.deepEqual(drain(membership), ["probe peer____"]);
});

Deno.test("a silent peer that is dead leaves, one that nobody can tell of leaves and is looked for", () => {
  const dead = probed("refused");
  assert.deepEqual(drain(dead), ["left peer____: dead"]);
  assert.deepEqual(dead.unreachable, []);

  const gone = probed("unreachable");
  assert.deepEqual(drain(gone), ["left peer____: unreachable"]);
  assert.deepEqual(gone.unreachable, [
    { origin: "peer____", node: "node peer____", heardMs: 0 },
  ]);
  run(gone, expiryMs + 1, expiryMs + searchMs - 1);
  assert.deepEqual(drain(gone), []);
  run(gone, expiryMs + searchMs, expiryMs + searchMs);
  assert.deepEqual(drain(gone), ["probe peer____"]);
  gone.handleProbe("peer____", "refused", expiryMs + searchMs);
  assert.deepEqual(gone.unreachable, []);
  assert.deepEqual(drain(gone), []);
});

Deno.test("a peer that only answers by unicast stays in view, does not count as heard, and is asked again", () => {
  const membership = probed("alive");
  assert.deepEqual(drain(membership), []);
  assert.equal(membership.peer("peer____")?.mutual, false);
  assert.deepEqual(membership.hears(expiryMs), []);
  run(membership, expiryMs + 1, expiryMs + probeMs);
  assert.deepEqual(drain(membership), ["probe peer____"]);
  membership.handleAnnouncement(announcement("peer____", { hears: ["self____"] }), 4000);
  membership.handleProbe("peer____", "unreachable", 4001);
  assert.deepEqual(drain(membership), []);
  assert.equal(membership.peer("peer____")?.mutual, true);
});

Deno.test("who is looked for comes back by an answer, or by announcing", () => {
  const answering = probed("unreachable"), announcing = probed("unreachable");
  drain(answering);
  run(answering, expiryMs, expiryMs + searchMs);
  answering.handleProbe("peer____", "alive", expiryMs + searchMs);
  announcing.handleAnnouncement(announcement("peer____"), expiryMs + 1);
  for (const membership of [answering, announcing]) {
    assert.equal(drain(membership).at(-1), "joined peer____");
    assert.deepEqual(membership.unreachable, []);
    assert.equal(membership.peers.length, 1);
  }
});

Deno.test("a successor by the same name proves a silent peer dead, without asking", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("before__", { node: "n" }), 0);
  membership.handleAnnouncement(announcement("after___", { node: "n" }), 100);
  for (let nowMs = 600; nowMs < 3000; nowMs += announceMs) {
    membership.handleAnnouncement(announcement("after___", { node: "n" }), nowMs);
    run(membership, nowMs, nowMs);
  }
  assert.deepEqual(drain(membership), [
    "joined before__",
    "joined after___",
    "settled",
    "left before__: dead",
  ]);
  const late = probed("unreachable");
  late.handleAnnouncement(announcement("after___", { node: "node peer____" }), 9000);
  assert.deepEqual(late.unreachable, []);
});

Deno.test("a late word of a dead relay takes no place: not that of its successor, cut off or not", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("before__", { node: "n" }), 0);
  membership.handleAnnouncement(announcement("after___", { node: "n" }), 10);
  pass(membership, 0, 1760);
  assert.deepEqual(drain(membership).slice(-2), ["left before__: dead", "probe after___"]);
  membership.handleAnnouncement(announcement("before__", { node: "n" }), 1800);
  assert.deepEqual(drain(membership), ["joined before__"]);
  membership.handleProbe("after___", "unreachable", 2800);
  assert.deepEqual(drain(membership), ["left after___: unreachable"]);
  pass(membership, 1800, 3550);
  membership.handleProbe("before__", "refused", 3551);
  membership.handleAnnouncement(announcement("before__", { node: "n" }), 3552);
  assert.deepEqual(drain(membership).map((event) => event.split(" ")[0]), [
    "probe",
    "left",
    "joined",
  ]);
  assert.deepEqual(membership.unreachable.map(({ origin }) => origin), ["after___"]);
});

Deno.test("who vanished is looked for a day, or as long as those that are left are no majority", () => {
  const dayMs = 24 * 60 * 60 * 1000;
  for (const isMajority of [true, false]) {
    const membership = new Membership(self("self____"), 0);
    membership.handleAnnouncement(announcement("gone____"), 0);
    pass(membership, 0, 1750);
    if (isMajority) membership.handleAnnouncement(announcement("other___"), 1751);
    membership.handleProbe("gone____", "unreachable", 1751);
    membership.handleTimeout(dayMs - 1);
    assert.equal(membership.unreachable.length, 1);
    membership.handleTimeout(dayMs);
    assert.equal(membership.unreachable.length, isMajority ? 0 : 1);
  }
});

Deno.test("who says goodbye leaves at once, and is not looked for", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("peer____"), 0);
  membership.handleAnnouncement(announcement("peer____", { leaving: true }), 1);
  membership.handleAnnouncement(announcement("stranger", { leaving: true }), 1);
  assert.deepEqual(drain(membership), ["joined peer____", "left peer____: leaving"]);
  assert.deepEqual(membership.peers, []);
  const lost = probed("unreachable");
  lost.handleAnnouncement(announcement("peer____", { leaving: true }), 9000);
  assert.deepEqual(lost.unreachable, []);
});

Deno.test("two live relays of one id are told of, once; a restart is not", () => {
  const membership = new Membership(self("self____", { node: "mine" }), 0);
  const hear = (origin: Origin, node: string) =>
    membership.handleAnnouncement(announcement(origin, { node }), 0);
  hear("before__", "n");
  hear("after___", "n");
  hear("after___", "n");
  hear("earlier_", "mine");
  assert.deepEqual(drain(membership), ["joined before__", "joined after___", "joined earlier_"]);
  for (let times = 0; times < 3; times++) hear("before__", "n");
  for (let times = 0; times < 3; times++) hear("earlier_", "mine");
  assert.deepEqual(drain(membership), ["same id before__", "same id earlier_"]);
});

Deno.test("a relay of another version is not there, one of another region is; both are told of once", () => {
  const membership = new Membership(self("self____"), 0);
  for (let times = 0; times < 3; times++) {
    membership.handleAnnouncement(announcement("version_", { version: 99 }), 0);
    membership.handleAnnouncement(announcement("region__", { region: "other" }), 0);
  }
  assert.deepEqual(drain(membership), ["version version_", "region region__", "joined region__"]);
  assert.deepEqual(membership.peers.map(({ origin }) => origin), ["region__"]);
});

Deno.test("clocks that are a minute apart are told of once, either way", () => {
  for (const apartMs of [60_000, -60_000]) {
    const membership = new Membership(self("self____"), 0);
    membership.handleClock("peer____", apartMs);
    membership.handleAnnouncement(announcement("peer____"), 0);
    drain(membership);
    for (const ms of [0, apartMs * 0.99, apartMs, apartMs]) membership.handleClock("peer____", ms);
    assert.deepEqual(drain(membership), ["clock peer____"]);
  }
});

Deno.test("other traffic keeps a peer in view, but brings no stranger in", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("peer____"), 0);
  membership.handleTraffic("peer____", 1000);
  membership.handleTraffic("stranger", 1000);
  run(membership, 1001, expiryMs + 500);
  assert.deepEqual(membership.peers.map((peer) => peer.origin), ["peer____"]);
});

Deno.test("its own announcement is not a peer", () => {
  const membership = new Membership(self("self____"), 0);
  membership.handleAnnouncement(announcement("self____"), 0);
  assert.deepEqual(drain(membership), []);
});

Deno.test("forged announcements cannot fill the memory", () => {
  const membership = new Membership(self("self____"), 0);
  for (let i = 0; i < 5000; i++) {
    membership.handleAnnouncement(announcement(i.toString(36).padStart(8, "_")), 0);
  }
  assert.equal(membership.peers.length, 1024);
});
