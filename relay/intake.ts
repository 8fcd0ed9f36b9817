/**
 * What the backbone brings: announcements to the membership, messages to their logs.
 *
 * @module
 */
import { type BackboneEvents, type Group, lengthOf, type SqnRange } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { Announcer } from "./announcer.ts";
import type { Logs } from "./logs.ts";
import type { Peer } from "./machines/membership.ts";
import type { Origins } from "./origins.ts";
import { decodeAnnouncement } from "./protocol/announcement.ts";
import { MessageDecoder } from "./protocol/codec.ts";
import type { AgedMessage } from "./protocol/log/catch_up.ts";
import type { Message } from "./protocol/message.ts";
import type { RelayLog } from "./options.ts";
import type { Replication } from "./replication.ts";
import type { Sync } from "./sync.ts";

/** The group of announcements. */
export const CONTROL: Group = 0;

/** How long it may take to hand over what waited behind a packet that is given up. */
const BELATED_MS = 10;

/** A LAN that brings more garbage than this often has one problem, not many. */
const COMPLAINT_MS = 10_000;

export interface IntakeOptions {
  readonly clock: Clock;
  readonly logs: Logs;
  readonly sync: Sync;
  readonly announcer: Announcer;
  readonly origins: Origins;
  /** Multicast did not bring all that a peer has: it is to be asked. */
  readonly fetch: (peer: Peer) => void;
  readonly replication: Pick<Replication, "acknowledged">;
  /** Whether this relay is a ready custodian of a slot. */
  readonly keeps: (slot: number) => boolean;
  readonly log: RelayLog;
}

/** Counts since the start. */
export interface IntakeCounters {
  /** Messages by what their log made of them. */
  delivered: number;
  duplicate: number;
  held: number;
  /** Payloads that are no message or announcement. */
  malformed: number;
  /** TPDUs that the backbone gave up on. */
  unrepaired: number;
}

/** The receiving side of one relay. */
export class Intake implements BackboneEvents {
  readonly counters: IntakeCounters = {
    delivered: 0,
    duplicate: 0,
    held: 0,
    malformed: 0,
    unrepaired: 0,
  };
  readonly #options: IntakeOptions;
  readonly #decoder = new MessageDecoder();
  /** Of which relays packets were given up just now, and when. */
  readonly #lostMs = new Map<string, number>();
  #complainAgainMs = -Infinity;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  message(group: Group, origin: string, payload: Uint8Array, nowMs: number): void {
    try {
      if (group === CONTROL) this.#announcement(origin, payload, nowMs);
      else this.#message(origin, payload, nowMs);
    } catch (error) {
      this.counters.malformed += 1;
      this.#complain(group, origin, error);
    }
  }

  lost(group: Group, origin: string, range: SqnRange): void {
    const { announcer, clock, fetch, log } = this.#options;
    const packets = lengthOf(range);
    this.#noteLoss(origin, clock.nowMs());
    this.counters.unrepaired += packets;
    log("warn", "multicast lost what could not be repaired", { group, origin, packets, ...range });
    const peer = announcer.peer(origin);
    if (peer && group !== CONTROL) fetch(peer);
  }

  acknowledged(group: Group, origin: string, from: number, through: number): void {
    this.#options.replication.acknowledged(group, origin, from, through);
  }

  #announcement(origin: string, payload: Uint8Array, nowMs: number): void {
    const { announcer, origins } = this.#options;
    const announcement = decodeAnnouncement(payload);
    if (announcement.origin !== origin) throw new Error("announces another relay than its sender");
    origins.hear(origin, nowMs);
    if (!this.#isBelated(origin, nowMs)) announcer.heard(announcement);
  }

  /** Takes what a relay has pushed by unicast, unless this one is not a ready custodian of all of it. */
  pushed(messages: readonly AgedMessage[]): boolean {
    if (!messages.every(({ message }) => this.#options.keeps(message.slot))) return false;
    const nowMs = this.#options.clock.nowMs();
    for (const { message, ageMs } of messages) this.#append(message, ageMs, nowMs);
    return true;
  }

  #message(origin: string, payload: Uint8Array, nowMs: number): void {
    if (!this.#isBelated(origin, nowMs)) this.#options.announcer.alive(origin, nowMs);
    this.#append(this.#decoder.decode(payload), 0, nowMs);
  }

  #append(message: Message, ageMs: number, nowMs: number): void {
    const { logs, sync } = this.#options;
    const result = logs.append(message, ageMs, nowMs);
    this.counters[result] += 1;
    if (result === "held") sync.held(message.slot, message.origin);
  }

  #noteLoss(origin: string, nowMs: number): void {
    for (const [other, lostMs] of this.#lostMs) {
      if (lostMs + BELATED_MS < nowMs) this.#lostMs.delete(other);
    }
    this.#lostMs.set(origin, nowMs);
  }

  /** What follows a loss at once has waited for its repair: it does not prove that the relay still lives. */
  #isBelated(origin: string, nowMs: number): boolean {
    const lostMs = this.#lostMs.get(origin) ?? -Infinity;
    return nowMs <= lostMs + BELATED_MS;
  }

  #complain(group: Group, origin: string, error: unknown): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < this.#complainAgainMs) return;
    this.#complainAgainMs = nowMs + COMPLAINT_MS;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log("warn", "dropped a malformed payload", { group, origin, reason });
  }
}
