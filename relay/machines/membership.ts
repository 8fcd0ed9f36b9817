/**
 * Who is on the LAN. Relays announce themselves on the control group; one that falls silent is asked by unicast before it
 * leaves the view. A view directs effort only (whom to pull from, who keeps what); no message's safety rests on it
 * (DESIGN "The principle").
 *
 * @module
 */
import { type Announcement, saySame } from "../protocol/announcement.ts";
import type { Origin } from "../protocol/message.ts";
import { Announcing, type AnnouncingTimers, type DueAnnouncement } from "./announcing.ts";
import { Missing, type Unreachable } from "./missing.ts";
import { Names } from "./names.ts";
import { Oddities, type Oddity } from "./oddities.ts";

/** Timers of the view, in milliseconds. */
export interface MembershipTimers extends AnnouncingTimers {
  /** Silence after which a peer is asked whether it lives. */
  readonly expiryMs: number;
  /** Between two questions to a peer that is not heard, but answers. */
  readonly probeMs: number;
  /** Between two questions to a peer that does not answer. */
  readonly searchMs: number;
  /** So long it is looked for, if most are in view. */
  readonly forgetMs: number;
}

/** Three missed announcements and a half make a silence; 300 ms to settle is DESIGN's figure. */
export const MEMBERSHIP_TIMERS: MembershipTimers = {
  announceMs: 500,
  expiryMs: 1750,
  settleMs: 300,
  answerMs: 20,
  probeMs: 1000,
  searchMs: 5000,
  forgetMs: 24 * 60 * 60 * 1000,
};

/** More peers than this are ignored, so that forged announcements cannot fill the memory. */
const MAX_PEERS = 1024;

/** A relay in view. */
export interface Peer extends Announcement {
  /** Each hears the other by multicast: only such a peer counts for custody. */
  readonly mutual: boolean;
}

/** What a question by unicast has found. `refused`: the host lives, the relay does not. */
export type ProbeResult = "alive" | "refused" | "unreachable";

/** Why a peer left: it said goodbye, it is known to be dead, or nobody can tell. */
export type LeaveReason = "leaving" | "dead" | "unreachable";

/** What has come up. */
export type MembershipEvent =
  | { readonly type: "joined"; readonly peer: Peer }
  | { readonly type: "left"; readonly peer: Peer; readonly reason: LeaveReason }
  | { readonly type: "settled" }
  /** To be asked by unicast; {@link Membership.handleProbe} takes what comes of it. */
  | { readonly type: "probe"; readonly peer: Announcement }
  /** Told once for each. */
  | { readonly type: "odd"; readonly oddity: Oddity; readonly peer: Announcement };

/** A relay that was heard. In view, or looked for. */
interface Member {
  peer: Peer;
  readonly joinedMs: number;
  /** Last heard by multicast. */
  heardMs: number;
  /** It is not asked again before. */
  probeAtMs: number;
  probing: boolean;
}

/** This relay. */
export interface Self {
  readonly origin: Origin;
  readonly node: string;
  readonly region: string;
}

/** One relay's view of the others. Feed it with announcements and time; take announcements and events from it. */
export class Membership {
  readonly #self: Self;
  readonly #timers: MembershipTimers;
  readonly #inView = new Map<Origin, Member>();
  readonly #missing = new Missing<Member>();
  readonly #names = new Names();
  readonly #oddities: Oddities;
  readonly #events: MembershipEvent[] = [];
  readonly #announcing: Announcing;
  #timedMs: number;

  constructor(self: Self, nowMs: number, timers: MembershipTimers = MEMBERSHIP_TIMERS) {
    this.#self = self;
    this.#oddities = new Oddities(
      self,
      (oddity, peer) => void this.#events.push({ type: "odd", oddity, peer }),
    );
    this.#timers = timers;
    this.#announcing = new Announcing(timers, nowMs);
    this.#timedMs = nowMs;
  }

  /** The peers in view. */
  get peers(): readonly Peer[] {
    return [...this.#inView.values()].map(({ peer }) => peer);
  }

  /** One peer in view. */
  peer(origin: Origin): Peer | undefined {
    return this.#inView.get(origin)?.peer;
  }

  /** Who vanished and is looked for. */
  get unreachable(): readonly Unreachable[] {
    return this.#missing.list();
  }

  /** Whom this relay hears by multicast, to be announced: not those that only answer by unicast. */
  hears(nowMs: number): readonly Origin[] {
    return [...this.#inView].filter(([, member]) => this.#isHeard(member, nowMs))
      .map(([origin]) => origin);
  }

  /** False for the first moments, in which nobody in view does not yet mean alone. */
  get settled(): boolean {
    return this.#announcing.settled;
  }

  /** An announcement was heard; whether it says what was not known. One that solicits is answered at once. */
  handleAnnouncement(announcement: Announcement, nowMs: number): boolean {
    const { origin, solicit, leaving } = announcement;
    if (origin === this.#self.origin || !this.#oddities.checkKind(announcement)) return false;
    if (leaving) {
      this.#missing.delete(origin);
      this.#remove(origin, "leaving");
      return true;
    }
    const peer = { ...announcement, mutual: announcement.hears.includes(this.#self.origin) };
    const member = this.#inView.get(origin);
    const isNews = member ? this.#refresh(member, peer, nowMs) : this.#join(peer, nowMs);
    if (!solicit || !this.#inView.has(origin)) return isNews;
    this.handleChange(nowMs);
    return true;
  }

  /** What this relay says of itself has changed: it announces itself soon. */
  handleChange(nowMs: number): void {
    this.#announcing.handleChange(nowMs);
  }

  /** The time of day of a relay is so many milliseconds after this one's. */
  handleClock(origin: Origin, apartMs: number): void {
    const peer = this.peer(origin);
    if (peer) this.#oddities.checkClock(peer, apartMs);
  }

  /** Anything else that proves `origin` alive was heard by multicast. */
  handleTraffic(origin: Origin, nowMs: number): void {
    const member = this.#inView.get(origin);
    if (member) member.heardMs = nowMs;
  }

  /** What came of asking a peer by unicast. */
  handleProbe(origin: Origin, result: ProbeResult, nowMs: number): void {
    const inView = this.#inView.get(origin);
    const member = inView ?? this.#missing.get(origin);
    if (!member?.probing) return;
    member.probing = false;
    if (inView && this.#isHeard(inView, nowMs)) return;
    member.probeAtMs = nowMs + this.#timers.probeMs;
    if (result === "alive") this.#found(member);
    else if (result === "refused") {
      this.#missing.delete(origin);
      this.#remove(origin, "dead");
    } else {
      member.probeAtMs = nowMs + this.#timers.searchMs;
      this.#missing.add(member);
      this.#remove(origin, "unreachable");
    }
  }

  /** The announcement that is due; asking takes it. It solicits until the view has settled. */
  pollAnnouncement(nowMs: number): DueAnnouncement | undefined {
    return this.#announcing.poll(nowMs);
  }

  /** What has come up next, oldest first. */
  pollEvent(): MembershipEvent | undefined {
    return this.#events.shift();
  }

  /** When {@link handleTimeout} is due next. */
  nextTimeoutMs(): number {
    let next = this.#announcing.dueMs;
    for (const member of this.#members()) {
      if (!member.probing) next = Math.min(next, this.#probeAtMs(member));
    }
    return next;
  }

  /** Time has passed. Poll announcements and events afterwards. */
  handleTimeout(nowMs: number): void {
    this.#forgiveStandstill(nowMs);
    if (this.#announcing.handleTimeout(nowMs)) this.#events.push({ type: "settled" });
    for (const member of [...this.#members()]) {
      if (!member.probing && nowMs >= this.#probeAtMs(member)) this.#miss(member);
    }
    this.#missing.giveUp(nowMs - this.#timers.forgetMs, 1 + this.#inView.size);
  }

  /** Who stood still itself has heard nobody meanwhile: that says nothing of the others. */
  #forgiveStandstill(nowMs: number): void {
    const stillMs = nowMs - this.#timedMs - this.#timers.announceMs;
    this.#timedMs = nowMs;
    if (stillMs < this.#timers.announceMs) return;
    for (const member of this.#inView.values()) {
      member.heardMs = Math.min(nowMs, member.heardMs + stillMs);
    }
  }

  *#members(): Generator<Member, void> {
    yield* this.#inView.values();
    yield* this.#missing.values();
  }

  #isHeard({ heardMs }: Member, nowMs: number): boolean {
    return nowMs < heardMs + this.#timers.expiryMs;
  }

  #probeAtMs({ heardMs, probeAtMs }: Member): number {
    return Math.max(heardMs + this.#timers.expiryMs, probeAtMs);
  }

  /** False if it says what it said before. */
  #refresh(member: Member, peer: Peer, nowMs: number): boolean {
    const before = member.peer;
    member.peer = peer;
    member.heardMs = nowMs;
    const newest = this.#names.newest(peer.node);
    this.#oddities.checkName(peer, this.#inView.get(newest ?? peer.origin)?.peer.origin);
    return before.mutual !== peer.mutual || !saySame(before, peer);
  }

  /** False if there is no room. */
  #join(peer: Peer, nowMs: number): boolean {
    if (this.#inView.size >= MAX_PEERS) return false;
    const { origin, node } = peer;
    const timing = { joinedMs: nowMs, heardMs: nowMs, probeAtMs: nowMs, probing: false };
    this.#inView.set(origin, { peer, ...timing });
    this.#missing.delete(origin);
    if (this.#names.came(node, origin)) this.#missing.replace(node);
    this.#events.push({ type: "joined", peer });
    return true;
  }

  /** It is not heard: what became of it? */
  #miss(member: Member): void {
    const { peer, heardMs } = member, { origin, node } = peer;
    const successor = this.#inView.get(this.#names.newest(node) ?? origin);
    if (successor && successor !== member && successor.joinedMs >= heardMs) {
      this.#remove(origin, "dead");
      return;
    }
    member.peer = { ...peer, mutual: false };
    member.probing = true;
    this.#events.push({ type: "probe", peer });
  }

  /** It answers by unicast, though it is not heard: it can be pulled from. */
  #found(member: Member): void {
    const { peer } = member;
    this.#missing.delete(peer.origin);
    if (this.#inView.has(peer.origin)) return;
    this.#inView.set(peer.origin, member);
    this.#events.push({ type: "joined", peer });
  }

  #remove(origin: Origin, reason: LeaveReason): void {
    const member = this.#inView.get(origin);
    if (!member) return;
    this.#inView.delete(origin);
    this.#events.push({ type: "left", peer: member.peer, reason });
  }
}
