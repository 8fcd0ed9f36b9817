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

/** Who waits for a message to be held by a ready custodian: told once. */
export interface Held {
  resolve(message: Message): void;
  /** @param error `not_replicated` */
  reject(error: GroundwaveError): void;
}

interface Waiting {
  readonly message: Message;
  /** When it arrived in the LAN. */
  readonly atMs: number;
  readonly held: Held;
}

export class Replication {
  readonly #options: ReplicationOptions;
  readonly #machine: Publishing<Waiting>;
  /** Of messages with a key, which may be asked for again: what is known, or being found out. */
  readonly #known = new WeakMap<Message, Promise<Message>>();
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

  /** A message was sent as the payload of this ordinal: `held` is told when a ready custodian holds it, or that none does. */
  sent(
    group: Group,
    ordinal: number,
    bytes: number,
    message: Message,
    held: Held,
    nowMs = this.#options.clock.nowMs(),
  ): void {
    const waiting = { message, atMs: nowMs, held: this.#remembered(message, held) };
    this.#machine.sent(group, ordinal, bytes, waiting, nowMs);
    this.#arm();
  }

  /**
   * The same of a message of this relay that was sent before, and whose publisher wants to know now.
   * @throws {GroundwaveError} `not_replicated`
   */
  sentBefore(group: Group, atMs: number, message: Message): Promise<Message> {
    const known = this.#known.get(message);
    if (known) return known;
    const nowMs = this.#options.clock.nowMs(), bytes = message.data.length;
    const held = Promise.withResolvers<Message>();
    const waiting = { message, atMs, held: this.#remembered(message, held) };
    this.#machine.sentBefore(group, bytes, waiting, nowMs);
    this.#act();
    this.#arm();
    return held.promise;
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

  /** What to tell `held` by: of a message with a key others may ask meanwhile, and afterwards, unless it failed. */
  #remembered(message: Message, held: Held): Held {
    if (message.key === undefined) return held;
    const known = Promise.withResolvers<Message>();
    this.#known.set(message, known.promise);
    known.promise.then((message) => held.resolve(message), (error) => {
      this.#known.delete(message);
      held.reject(error);
    });
    return known;
  }

  #act(): void {
    for (const output of this.#machine.takeOutputs()) {
      if (output.type === "push") void this.#push(output);
      else if (output.type === "late") {
        for (const { held } of output.publishes) held.reject(late());
      } else for (const { held, message } of output.publishes) held.resolve(message);
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
