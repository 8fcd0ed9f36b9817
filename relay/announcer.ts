/**
 * Runs the membership machine: sends this relay's announcements, hears those of others, tells who came and went.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { Membership } from "./machines/membership.ts";
import { type Announcement, encodeAnnouncement } from "./protocol/announcement.ts";
import { SESSION_VERSION } from "./protocol/frames.ts";
import type { Origin } from "./protocol/message.ts";

export interface AnnouncerOptions {
  readonly clock: Clock;
  readonly origin: Origin;
  /** What this relay says of itself now. */
  readonly self: () => Omit<Announcement, "origin" | "version" | "hears" | "solicit" | "leaving">;
  readonly send: (announcement: Uint8Array) => void;
  readonly joined: (peer: Announcement) => void;
  readonly left: (peer: Announcement) => void;
  /** Told who is in view, whenever that or what they say of themselves may have changed. */
  readonly inView: (peers: readonly Announcement[]) => void;
}

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
    this.#membership = new Membership(options.origin, options.clock.nowMs());
  }

  /** Resolves once this relay has found the others, or itself alone. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  get isSettled(): boolean {
    return this.#membership.settled;
  }

  get peers(): readonly Announcement[] {
    return this.#membership.peers;
  }

  peer(origin: string): Announcement | undefined {
    return this.#membership.peer(origin);
  }

  /** Announces from now on. */
  start(): void {
    this.#pump();
  }

  heard(announcement: Announcement): void {
    this.#membership.handleAnnouncement(announcement, this.#options.clock.nowMs());
    this.#pump();
  }

  /** What this relay says of itself has changed: the others are told soon. */
  changed(): void {
    this.#membership.handleChange(this.#options.clock.nowMs());
    if (!this.#pumping) this.#pump();
  }

  /** Something else of a relay was heard: it is there, whatever became of its announcements. */
  alive(origin: string): void {
    this.#membership.handleTraffic(origin, this.#options.clock.nowMs());
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#settled.resolve();
  }

  #pump(): void {
    if (this.#closed) return;
    this.#pumping = true;
    const { clock, origin, self, send } = this.#options;
    const nowMs = clock.nowMs();
    this.#membership.handleTimeout(nowMs);
    const due = this.#membership.pollAnnouncement(nowMs);
    if (due) {
      const hears = this.#membership.peers.map((peer) => peer.origin);
      const own = { origin, version: SESSION_VERSION, leaving: false };
      send(encodeAnnouncement({ ...self(), ...own, hears, ...due }));
    }
    this.#tell();
    this.#pumping = false;
    this.#cancel?.();
    const inMs = Math.max(1, this.#membership.nextTimeoutMs() - nowMs);
    this.#cancel = clock.after(inMs, () => this.#pump());
  }

  #tell(): void {
    for (let event; (event = this.#membership.pollEvent());) {
      if (event.type === "settled") this.#settled.resolve();
      else if (event.type === "joined") this.#options.joined(event.peer);
      else this.#options.left(event.peer);
    }
    this.#options.inView(this.#membership.peers);
  }
}
