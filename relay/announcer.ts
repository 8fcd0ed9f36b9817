/**
 * Runs the membership machine: sends this relay's announcements, hears those of others, tells who came and went.
 *
 * @module
 */
import type { Urgency } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import {
  type LeaveReason,
  Membership,
  type MembershipEvent,
  type Peer,
  type ProbeResult,
  type Self,
} from "./machines/membership.ts";
import type { Unreachable } from "./machines/missing.ts";
import type { Oddity } from "./machines/oddities.ts";
import { type Announcement, encodeAnnouncement } from "./protocol/announcement.ts";
import { SESSION_VERSION } from "./protocol/frames.ts";
import type { Origin } from "./protocol/message.ts";
import type { RelayLog } from "./options.ts";

/** What of an announcement the announcer does not know by itself. */
export type Said = Pick<
  Announcement,
  "host" | "port" | "groups" | "holds" | "ready" | "kept" | "tableEpoch" | "tableHash" | "load"
>;

export interface AnnouncerOptions {
  readonly clock: Clock;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  readonly self: Self;
  /** What this relay says of itself now. */
  readonly said: () => Said;
  readonly send: (announcement: Uint8Array, urgency: Urgency) => void;
  /** Asks a silent peer by unicast whether it lives. */
  readonly probe: (peer: Announcement) => Promise<ProbeResult>;
  readonly joined: (peer: Peer) => void;
  readonly left: (peer: Peer, reason: LeaveReason) => void;
  /** Told who is in view, whenever that or what they say of themselves has changed, and a few times a second. */
  readonly inView: (peers: readonly Peer[]) => void;
  readonly log: RelayLog;
}

const ODDITIES: Readonly<Record<Oddity, string>> = {
  "same id": "two relays have one id: give each its own --id",
  version: "a relay of another version is on the LAN: they do not hear each other",
  region: "a relay of another region is on the LAN: one LAN is one region",
  clock: "clocks are apart: times of messages differ, and cursors may seem old; use NTP",
};

/** The driver of {@link Membership}. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #membership: Membership;
  readonly #settled = Promise.withResolvers<void>();
  #cancel: (() => void) | undefined;
  /** It is at work, and will set the timer when it is done. */
  #pumping = false;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#membership = new Membership(options.self, options.clock.nowMs());
  }

  /** Resolves once this relay has found the others, or itself alone. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  get isSettled(): boolean {
    return this.#membership.settled;
  }

  get peers(): readonly Peer[] {
    return this.#membership.peers;
  }

  peer(origin: Origin): Peer | undefined {
    return this.#membership.peer(origin);
  }

  /** Those that vanished without a goodbye and cannot be reached. */
  get unreachable(): readonly Unreachable[] {
    return this.#membership.unreachable;
  }

  /** Announces from now on. */
  start(): void {
    this.#pump();
  }

  /** In vain before it is started. */
  heard(announcement: Announcement): void {
    if (!this.#cancel) return;
    const { clock, wallMs } = this.#options;
    const isNews = this.#membership.handleAnnouncement(announcement, clock.nowMs());
    this.#membership.handleClock(announcement.origin, announcement.timeMs - wallMs());
    // Most announcements of most relays are not, and many relays send many.
    if (isNews) this.#pump();
  }

  /** What this relay says of itself has changed: the others are told soon. */
  changed(): void {
    this.#membership.handleChange(this.#options.clock.nowMs());
    if (!this.#pumping) this.#pump();
  }

  /** Something else of a relay was heard: it is there, whatever became of its announcements. */
  alive(origin: string, nowMs: number): void {
    this.#membership.handleTraffic(origin, nowMs);
  }

  /** Says goodbye, and nothing more. */
  leave(): void {
    if (this.#closed) return;
    this.#send({ solicit: false, leaving: true }, "usual");
    this.close();
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#settled.resolve();
  }

  #pump(): void {
    if (this.#closed) return;
    this.#pumping = true;
    const { clock } = this.#options, nowMs = clock.nowMs();
    this.#membership.handleTimeout(nowMs);
    const due = this.#membership.pollAnnouncement(nowMs);
    if (due) {
      this.#send({ solicit: due.solicit, leaving: false }, due.isNews ? "usual" : "repeated");
    }
    this.#tell();
    this.#pumping = false;
    this.#cancel?.();
    const inMs = Math.max(1, this.#membership.nextTimeoutMs() - nowMs);
    this.#cancel = clock.after(inMs, () => this.#pump());
  }

  #send(flags: Pick<Announcement, "solicit" | "leaving">, urgency: Urgency): void {
    const { clock, wallMs, self, said, send } = this.#options;
    const known = { version: SESSION_VERSION, timeMs: Math.max(0, Math.round(wallMs())) };
    const hears = this.#membership.hears(clock.nowMs());
    send(encodeAnnouncement({ ...said(), ...self, ...known, hears, ...flags }), urgency);
  }

  #tell(): void {
    for (let event; (event = this.#membership.pollEvent());) this.#tellOf(event);
    this.#options.inView(this.#membership.peers);
  }

  #tellOf(event: MembershipEvent): void {
    const { joined, left, log } = this.#options;
    if (event.type === "settled") this.#settled.resolve();
    else if (event.type === "joined") joined(event.peer);
    else if (event.type === "left") left(event.peer, event.reason);
    else if (event.type === "probe") void this.#probe(event.peer);
    else {
      const { origin, node: id, region, host, version } = event.peer;
      log("warn", ODDITIES[event.oddity], { id, origin, region, host, version });
    }
  }

  async #probe(peer: Announcement): Promise<void> {
    const result = await this.#options.probe(peer);
    this.#membership.handleProbe(peer.origin, result, this.#options.clock.nowMs());
    this.#pump();
  }
}
