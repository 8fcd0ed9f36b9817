/**
 * Runs the publishing machine: waits for messages to be held by a ready custodian, and pushes to one what multicast does
 * not seem to have brought there.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import { Publishing, type PublishingOutput } from "./machines/publishing.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { AgedMessage } from "./protocol/log/catch_up.ts";
import type { Message, Origin } from "./protocol/message.ts";

export interface ReplicationOptions {
  readonly clock: Clock;
  readonly self: Origin;
  /** The ready custodians of a group now, best first. */
  readonly ready: (group: Group) => readonly Origin[];
  /** Hands messages to a relay: whether it is a ready custodian of them and holds all. Rejects if it cannot be reached. */
  readonly push: (to: Origin, messages: readonly AgedMessage[]) => Promise<boolean>;
}

interface Waiting {
  readonly message: Message;
  /** When it arrived in the LAN. */
  readonly atMs: number;
  readonly held: PromiseWithResolvers<void>;
}

export class Replication {
  readonly #options: ReplicationOptions;
  readonly #machine: Publishing<Waiting>;
  /** Of messages with a key, which may be asked for again: what is known, or being found out. */
  readonly #known = new WeakMap<Message, Promise<void>>();
  /** When the timer runs out; Infinity without one. */
  #wakeMs = Infinity;
  #cancel: (() => void) | undefined;
  #pushes = 0;
  #closed = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    const { ready, self } = options;
    this.#machine = new Publishing((group) => ready(group).filter((origin) => origin !== self));
  }

  /** Publishes that wait. */
  get pending(): number {
    return this.#machine.pending;
  }

  /** Messages handed to custodians by unicast since the start. */
  get pushes(): number {
    return this.#pushes;
  }

  /** Whether one more publish may wait. */
  get hasRoom(): boolean {
    return this.#machine.hasRoom;
  }

  /**
   * A message was sent as the payload of this ordinal: resolves when a ready custodian holds it.
   * @throws {GroundwaveError} `not_replicated`
   */
  sent(group: Group, ordinal: number, bytes: number, message: Message): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const held = Promise.withResolvers<void>();
    this.#machine.sent(group, ordinal, bytes, { message, atMs: nowMs, held }, nowMs);
    const known = this.#remember(message, held.promise);
    this.#arm();
    return known;
  }

  /**
   * The same of a message of this relay that was sent before, and whose publisher wants to know now.
   * @throws {GroundwaveError} `not_replicated`
   */
  sentBefore(group: Group, atMs: number, message: Message): Promise<void> {
    const known = this.#known.get(message);
    if (known) return known;
    const nowMs = this.#options.clock.nowMs();
    const held = Promise.withResolvers<void>();
    const bytes = message.data.length;
    this.#machine.sentBefore(group, bytes, { message, atMs, held }, nowMs);
    this.#act();
    this.#arm();
    return this.#remember(message, held.promise);
  }

  /** See `BackboneEvents.acknowledged`. */
  acknowledged(group: Group, origin: Origin, from: number, through: number): void {
    this.#machine.acknowledged(group, origin, from, through);
    this.#act();
  }

  /** Gives up whatever waits, and what comes later at once. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#giveUp();
  }

  #giveUp(): void {
    this.#machine.abandon();
    this.#act();
  }

  #remember(message: Message, held: Promise<void>): Promise<void> {
    if (message.key === undefined) return held;
    this.#known.set(message, held);
    held.catch(() => this.#known.delete(message));
    return held;
  }

  #act(): void {
    for (const output of this.#machine.takeOutputs()) {
      if (output.type === "push") void this.#push(output);
      else if (output.type === "late") {
        for (const { held } of output.publishes) held.reject(late());
      } else for (const { held } of output.publishes) held.resolve();
    }
  }

  async #push(
    { group, to, publishes }: Extract<PublishingOutput<Waiting>, { type: "push" }>,
  ): Promise<void> {
    const { clock, push } = this.#options;
    const nowMs = clock.nowMs();
    this.#pushes += publishes.length;
    const messages = publishes.map(({ message, atMs }) => ({ message, ageMs: nowMs - atMs }));
    const holds = await push(to, messages).catch(() => false);
    this.#machine.pushed(group, to, holds, clock.nowMs());
    this.#act();
  }

  /** Whatever is sent later is due later: a timer that runs needs no other. */
  #arm(): void {
    if (this.#closed) return this.#giveUp();
    if (this.#wakeMs < Infinity) return;
    const dueMs = this.#machine.nextTimeoutMs();
    if (dueMs === Infinity) return;
    const { clock } = this.#options;
    this.#wakeMs = dueMs;
    this.#cancel = clock.after(Math.max(0, dueMs - clock.nowMs()), () => {
      this.#wakeMs = Infinity;
      this.#machine.handleTimeout(clock.nowMs());
      this.#act();
      this.#arm();
    });
  }
}

function late(): GroundwaveError {
  return new GroundwaveError(
    "not_replicated",
    "no custodian confirmed it in time; it may still arrive: retry with the same key",
    { retryAfterS: 1 },
  );
}
