/**
 * Who is on the LAN. Relays announce themselves on the control group; a peer that falls silent leaves the view. A view
 * directs effort only (whom to pull from); no message's safety rests on it (DESIGN "The principle").
 *
 * @module
 */
import type { Announcement } from "../protocol/announcement.ts";

/** Timers of the view, in milliseconds. */
export interface MembershipTimers {
  /** Between two announcements of one relay. */
  readonly announceMs: number;
  /** Silence after which a peer is taken for gone. */
  readonly expiryMs: number;
  /** A starting relay that has heard nobody for so long is alone. */
  readonly settleMs: number;
  /** A relay answers solicitations, and tells of changes, at most this often. */
  readonly answerMs: number;
}

/** Three missed announcements and a half make a silence; 300 ms to settle is DESIGN's figure. */
export const MEMBERSHIP_TIMERS: MembershipTimers = {
  announceMs: 500,
  expiryMs: 1750,
  settleMs: 300,
  answerMs: 20,
};

/** More peers than this are ignored, so that forged announcements cannot fill the memory. */
const MAX_PEERS = 1024;

/** What changed in the view. */
export type MembershipEvent =
  | { readonly type: "joined" | "left"; readonly peer: Announcement }
  | { readonly type: "settled" };

interface Peer {
  announcement: Announcement;
  heardMs: number;
}

/** One relay's view of the others. Feed it with announcements and time; take announcements and events from it. */
export class Membership {
  readonly #origin: string;
  readonly #timers: MembershipTimers;
  readonly #peers = new Map<string, Peer>();
  readonly #events: MembershipEvent[] = [];
  readonly #settleAtMs: number;
  #solicitAtMs: number;
  #settled = false;
  #announceAtMs: number;
  #announcedMs = -Infinity;

  constructor(origin: string, nowMs: number, timers: MembershipTimers = MEMBERSHIP_TIMERS) {
    this.#origin = origin;
    this.#timers = timers;
    this.#announceAtMs = nowMs;
    this.#solicitAtMs = nowMs;
    this.#settleAtMs = nowMs + timers.settleMs;
  }

  /** The peers in view. */
  get peers(): readonly Announcement[] {
    return [...this.#peers.values()].map((peer) => peer.announcement);
  }

  /** The announcement of one peer in view. */
  peer(origin: string): Announcement | undefined {
    return this.#peers.get(origin)?.announcement;
  }

  /** False for the first moments, in which nobody in view does not yet mean alone. */
  get settled(): boolean {
    return this.#settled;
  }

  /** An announcement was heard. One that solicits is answered at once. */
  handleAnnouncement(announcement: Announcement, nowMs: number): void {
    const { origin } = announcement;
    if (origin === this.#origin) return;
    const known = this.#peers.get(origin);
    if (known) {
      known.announcement = announcement;
      known.heardMs = nowMs;
    } else {
      if (this.#peers.size >= MAX_PEERS) return;
      this.#peers.set(origin, { announcement, heardMs: nowMs });
      this.#events.push({ type: "joined", peer: announcement });
    }
    if (announcement.solicit) this.handleChange(nowMs);
  }

  /** What this relay says of itself has changed: it announces itself soon. */
  handleChange(nowMs: number): void {
    const soonMs = Math.max(nowMs, this.#announcedMs + this.#timers.answerMs);
    this.#announceAtMs = Math.min(this.#announceAtMs, soonMs);
  }

  /** Anything else that proves `origin` alive was heard. */
  handleTraffic(origin: string, nowMs: number): void {
    const peer = this.#peers.get(origin);
    if (peer) peer.heardMs = nowMs;
  }

  /** `origin` cannot be reached or said goodbye: it leaves the view now. It comes back by announcing itself. */
  handleGone(origin: string): void {
    const peer = this.#peers.get(origin);
    if (!peer) return;
    this.#peers.delete(origin);
    this.#events.push({ type: "left", peer: peer.announcement });
  }

  /** Whether an announcement is due; asking takes it. `solicit` is set until the view has settled. */
  pollAnnouncement(nowMs: number): { readonly solicit: boolean } | undefined {
    if (nowMs < this.#announceAtMs) return undefined;
    this.#announceAtMs = nowMs + this.#timers.announceMs;
    // While settling, ask three times: one lost datagram must not make a relay feel alone. Answers to solicitations
    // in between do not solicit, or two starting relays would answer each other without end.
    const solicit = !this.#settled && nowMs >= this.#solicitAtMs;
    if (solicit) this.#solicitAtMs = nowMs + this.#timers.settleMs / 3;
    if (!this.#settled) this.#announceAtMs = Math.min(this.#announceAtMs, this.#solicitAtMs);
    this.#announcedMs = nowMs;
    return { solicit };
  }

  /** The next change of the view, oldest first. */
  pollEvent(): MembershipEvent | undefined {
    return this.#events.shift();
  }

  /** When {@link handleTimeout} is due next. */
  nextTimeoutMs(): number {
    let next = this.#announceAtMs;
    if (!this.#settled) next = Math.min(next, this.#settleAtMs);
    for (const peer of this.#peers.values()) {
      next = Math.min(next, peer.heardMs + this.#timers.expiryMs);
    }
    return next;
  }

  /** Time has passed. Poll announcements and events afterwards. */
  handleTimeout(nowMs: number): void {
    if (!this.#settled && nowMs >= this.#settleAtMs) {
      this.#settled = true;
      this.#events.push({ type: "settled" });
    }
    for (const [origin, peer] of this.#peers) {
      if (nowMs >= peer.heardMs + this.#timers.expiryMs) this.handleGone(origin);
    }
  }
}
