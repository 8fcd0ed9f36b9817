/**
 * Who is on the LAN. Relays announce themselves on the control group; one that falls silent is asked by unicast before it
 * leaves the view. A view directs effort only (whom to pull from, who keeps what); no message's safety rests on it
 * (DESIGN "The principle").
 *
 * @module
 */
import type { Announcement } from "../protocol/announcement.ts";
import { SESSION_VERSION } from "../protocol/frames.ts";
import type { Origin } from "../protocol/message.ts";

/** Timers of the view, in milliseconds. */
export interface MembershipTimers {
  /** Between two announcements of one relay. */
  readonly announceMs: number;
  /** Silence after which a peer is asked whether it lives. */
  readonly expiryMs: number;
  /** A starting relay that has asked three times in so long, and heard nobody, is alone. */
  readonly settleMs: number;
  /** A relay answers solicitations, and tells of changes, at most this often. */
  readonly answerMs: number;
  /** Between two questions to a peer that is not heard, but answers. */
  readonly probeMs: number;
  /** Between two questions to a peer that does not answer. */
  readonly searchMs: number;
}

/** Three missed announcements and a half make a silence; 300 ms to settle is DESIGN's figure. */
export const MEMBERSHIP_TIMERS: MembershipTimers = {
  announceMs: 500,
  expiryMs: 1750,
  settleMs: 300,
  answerMs: 20,
  probeMs: 1000,
  searchMs: 5000,
};

/** One lost datagram must not make a starting relay feel alone, nor a process that stood still while it asked. */
const SOLICITATIONS = 3;

/** More peers than this are ignored, so that forged announcements cannot fill the memory. */
const MAX_PEERS = 1024;

/** A relay in view. */
export interface Peer extends Announcement {
  /** Each hears the other by multicast: only such a peer counts for custody. */
  readonly mutual: boolean;
}

/** A relay that vanished without a goodbye and does not answer: it may live on behind a cut. */
export interface Unreachable {
  readonly origin: Origin;
  readonly node: string;
  /** When it was last heard, in monotonic milliseconds. */
  readonly heardMs: number;
}

/** What a question by unicast has found. `refused`: the host lives, the relay does not. */
export type ProbeResult = "alive" | "refused" | "unreachable";

/** Why a peer left: it said goodbye, it is known to be dead, or nobody can tell. */
export type LeaveReason = "leaving" | "dead" | "unreachable";

/** What is wrong with a peer: it has the name of another live one, speaks another version, or is of another region. */
export type Oddity = "same id" | "version" | "region";

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
  readonly #missing = new Map<Origin, Member>();
  /** By name, who came last. */
  readonly #newest = new Map<string, Origin>();
  readonly #oddities = new Set<string>();
  readonly #events: MembershipEvent[] = [];
  /** How often it has asked who is there, and when it asks again, or has waited long enough after the last time. */
  #solicited = 0;
  #solicitAtMs: number;
  #settled = false;
  #announceAtMs: number;
  #announcedMs = -Infinity;
  #timedMs: number;

  constructor(self: Self, nowMs: number, timers: MembershipTimers = MEMBERSHIP_TIMERS) {
    this.#self = self;
    this.#timers = timers;
    this.#announceAtMs = nowMs;
    this.#solicitAtMs = nowMs;
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
    return [...this.#missing.values()].map(({ peer: { origin, node }, heardMs }) => ({
      origin,
      node,
      heardMs,
    }));
  }

  /** Whom this relay hears by multicast, to be announced: not those that only answer by unicast. */
  hears(nowMs: number): readonly Origin[] {
    return [...this.#inView].filter(([, member]) => this.#isHeard(member, nowMs))
      .map(([origin]) => origin);
  }

  /** False for the first moments, in which nobody in view does not yet mean alone. */
  get settled(): boolean {
    return this.#settled;
  }

  /** An announcement was heard. One that solicits is answered at once. */
  handleAnnouncement(announcement: Announcement, nowMs: number): void {
    const { origin, solicit, leaving } = announcement;
    if (origin === this.#self.origin || !this.#isOfOurs(announcement)) return;
    if (leaving) {
      this.#missing.delete(origin);
      this.#remove(origin, "leaving");
      return;
    }
    const peer = { ...announcement, mutual: announcement.hears.includes(this.#self.origin) };
    const member = this.#inView.get(origin);
    if (member) {
      member.peer = peer;
      member.heardMs = nowMs;
      this.#checkName(announcement);
    } else if (!this.#join(peer, nowMs)) return;
    if (solicit) this.handleChange(nowMs);
  }

  /** What this relay says of itself has changed: it announces itself soon. */
  handleChange(nowMs: number): void {
    const soonMs = Math.max(nowMs, this.#announcedMs + this.#timers.answerMs);
    this.#announceAtMs = Math.min(this.#announceAtMs, soonMs);
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
      this.#missing.set(origin, member);
      this.#remove(origin, "unreachable");
    }
  }

  /** Whether an announcement is due; asking takes it. `solicit` is set until the view has settled. */
  pollAnnouncement(nowMs: number): { readonly solicit: boolean } | undefined {
    if (nowMs < this.#announceAtMs) return undefined;
    this.#announceAtMs = nowMs + this.#timers.announceMs;
    // Answers to solicitations in between do not solicit, or two starting relays would answer each other without end.
    const solicit = this.#solicited < SOLICITATIONS && nowMs >= this.#solicitAtMs;
    if (solicit) {
      this.#solicited += 1;
      this.#solicitAtMs = nowMs + this.#timers.settleMs / SOLICITATIONS;
    }
    if (!this.#settled) this.#announceAtMs = Math.min(this.#announceAtMs, this.#solicitAtMs);
    this.#announcedMs = nowMs;
    return { solicit };
  }

  /** What has come up next, oldest first. */
  pollEvent(): MembershipEvent | undefined {
    return this.#events.shift();
  }

  /** When {@link handleTimeout} is due next. */
  nextTimeoutMs(): number {
    let next = this.#announceAtMs;
    if (!this.#settled) next = Math.min(next, this.#solicitAtMs);
    for (const member of this.#members()) {
      if (!member.probing) next = Math.min(next, this.#probeAtMs(member));
    }
    return next;
  }

  /** Time has passed. Poll announcements and events afterwards. */
  handleTimeout(nowMs: number): void {
    this.#forgiveStandstill(nowMs);
    if (!this.#settled && this.#solicited === SOLICITATIONS && nowMs >= this.#solicitAtMs) {
      this.#settled = true;
      this.#events.push({ type: "settled" });
    }
    for (const member of [...this.#members()]) {
      if (!member.probing && nowMs >= this.#probeAtMs(member)) this.#miss(member);
    }
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

  /** Relays of another version do not understand each other: they are not there for each other. */
  #isOfOurs(announcement: Announcement): boolean {
    if (announcement.region !== this.#self.region) this.#tellOddity("region", announcement);
    if (announcement.version === SESSION_VERSION) return true;
    this.#tellOddity("version", announcement);
    return false;
  }

  /** A name that somebody who came later has, or this relay, and who has it announces itself again: both live. */
  #checkName(announcement: Announcement): void {
    const { node, origin } = announcement, newest = this.#newest.get(node) ?? origin;
    const other = newest !== origin && this.#inView.has(newest);
    if (other || node === this.#self.node) this.#tellOddity("same id", announcement);
  }

  #tellOddity(oddity: Oddity, peer: Announcement): void {
    const key = `${oddity} ${peer.origin}`;
    if (this.#oddities.has(key) || this.#oddities.size >= MAX_PEERS) return;
    this.#oddities.add(key);
    this.#events.push({ type: "odd", oddity, peer });
  }

  /** False if there is no room. */
  #join(peer: Peer, nowMs: number): boolean {
    if (this.#inView.size >= MAX_PEERS) return false;
    const { origin, node } = peer;
    const timing = { joinedMs: nowMs, heardMs: nowMs, probeAtMs: nowMs, probing: false };
    this.#inView.set(origin, { peer, ...timing });
    this.#newest.set(node, origin);
    this.#missing.delete(origin);
    // Who has the name of one that is looked for has taken its place.
    for (const [lost, { peer }] of this.#missing) {
      if (peer.node === node) this.#missing.delete(lost);
    }
    this.#events.push({ type: "joined", peer });
    return true;
  }

  /** It is not heard: what became of it? */
  #miss(member: Member): void {
    const { peer, heardMs } = member, { origin, node } = peer;
    const successor = this.#inView.get(this.#newest.get(node) ?? origin);
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
    if (!this.#newest.has(peer.node)) this.#newest.set(peer.node, peer.origin);
    this.#events.push({ type: "joined", peer });
  }

  #remove(origin: Origin, reason: LeaveReason): void {
    const member = this.#inView.get(origin);
    if (!member) return;
    this.#inView.delete(origin);
    const { node } = member.peer;
    if (this.#newest.get(node) === origin) this.#newest.delete(node);
    // So many at most are looked for: the oldest loss is given up first.
    const [oldest] = this.#missing.keys();
    if (oldest !== undefined && this.#missing.size > MAX_PEERS) this.#missing.delete(oldest);
    this.#events.push({ type: "left", peer: member.peer, reason });
  }
}
