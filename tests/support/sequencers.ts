/**
 * Relays that sequence for one another, without a network between them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MovingGroups } from "../../backbone/registry/moving_groups.ts";
import { pause } from "../../backbone/within.ts";
import { Logs } from "../../relay/logs.ts";
import { decodeMessage } from "../../relay/protocol/codec.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { messageId, parseMessageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Draft, Published } from "../../relay/protocol/upstream.ts";
import { Publisher } from "../../relay/publisher.ts";
import type { Replication } from "../../relay/replication.ts";
import { Sequencer } from "../../relay/sequencer.ts";
import { A, B, C, LOG_OPTIONS } from "./slot_log.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** One of the relays. */
export type Name = typeof A | typeof B | typeof C;

/** Relays that share a wire on which nothing is lost, and sessions that do what a test says. */
export class World {
  readonly clock = new VirtualClock();
  ready: readonly string[] = [B, C];
  /** Who was ready, and is asked where nobody is. */
  kept: readonly string[] = [];
  /** Who has just become ready, where others gave places before. */
  readonly fresh = new Set<string>();
  /** What becomes of what a relay is asked: it answers, it is dead, it does nothing, or only its answer is lost. */
  readonly moods = new Map<string, "dead" | "silent" | "mute">();
  readonly asked: string[] = [];
  /** Who sees other ready custodians than that. */
  readonly views = new Map<string, readonly string[]>();
  /** Who stood still until a moment ago. */
  readonly asleep = new Set<string>();
  /** Who hears nothing by multicast. */
  readonly deaf = new Set<string>();
  /** How long it takes a relay to find what a publisher answers. */
  readonly lookMs = new Map<string, number>();
  /** How long it takes a relay to learn what others have of a slot. */
  readonly pullMs = new Map<string, number>();
  readonly table = new MovingGroups(4);
  isAlone = false;
  wireIsFull = false;
  /** Whether custodians hold what was asked about. */
  holds = true;
  readonly #nodes = new Map<string, { logs: Logs; sequencer: Sequencer }>();

  constructor() {
    for (const name of [A, B, C]) this.#nodes.set(name, this.#node(name));
  }

  publish(at: Name, draft: Partial<Draft>): Promise<Published> {
    return this.#of(at).sequencer.publish({ channel: "a", data: "x", ...draft });
  }

  /** What a relay has got of the slot of "a". */
  idsAt(at: Name): string[] {
    const stored = this.#of(at).logs.of(slotOf("a")).messagesAbove(new Map());
    return [...stored].map(({ message }) => messageId(message));
  }

  /** Lets what was begun come as far as it does by `ms` from now, and answers what came of it. */
  async pass<T>(promise: Promise<T>, ms: number): Promise<T | string> {
    let state: T | string = "waits";
    promise.then((value) => state = value, (error) => state = error.code ?? String(error));
    for (let passed = 0; passed <= ms; passed += 50) {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      if (passed < ms) this.clock.advance(50);
    }
    return state;
  }

  #of(name: string) {
    const node = this.#nodes.get(name);
    assert.ok(node);
    return node;
  }

  #node(self: string) {
    const { clock, table } = this;
    const log = { ...LOG_OPTIONS, self };
    const logs = new Logs({ clock, log, maxBytes: 1_000_000 });
    const replication: Pick<Replication, "hasRoom" | "sent" | "sentBefore"> = {
      hasRoom: true,
      sent: (_group, _ordinal, _bytes, message, held) =>
        this.holds ? held.resolve(message) : held.reject(notReplicated()),
      sentBefore: (_group, _atMs, message) =>
        this.holds ? Promise.resolve(message) : Promise.reject(notReplicated()),
    };
    const publisher = new Publisher({
      ...{ clock, origin: self, region: "r", table, logs, replication },
      backbone: { send: (_, payload) => this.#multicast(self, payload) },
      wallMs: () => 0,
      pull: () => pause(clock, this.lookMs.get(self) ?? 0).then(() => true),
      lives: () => true,
      isAlone: () => this.isAlone,
    });
    const sequencer = new Sequencer({
      ...{ clock, self, table, logs, publisher, replication },
      settled: Promise.resolve(),
      ready: () => this.#ready(self),
      sequencers: () => this.#ready(self).length > 0 ? this.#ready(self) : this.kept,
      isNew: () => this.fresh.has(self),
      stoodStill: () => this.asleep.has(self),
      pull: async (slot) => {
        const pullMs = this.pullMs.get(self);
        if (pullMs !== undefined) await pause(clock, pullMs);
        this.#pull(self, slot);
      },
      ask: (to, draft) => this.#ask(to, draft),
    });
    return { logs, sequencer };
  }

  #ready(self: string): readonly string[] {
    return this.views.get(self) ?? this.ready;
  }

  #multicast(from: string, payload: Uint8Array): number {
    if (this.wireIsFull) return 0;
    for (const [name, { logs }] of this.#nodes) {
      if (name !== from && !this.deaf.has(name)) logs.append(decodeMessage(payload));
    }
    return 1;
  }

  #pull(to: string, slot: number): void {
    const log = this.#of(to).logs.of(slot), nowMs = this.clock.nowMs();
    for (const { logs } of this.#nodes.values()) {
      const catchUp = logs.peek(slot)?.catchUp(log.standing, nowMs);
      if (catchUp) log.merge(catchUp, nowMs);
    }
  }

  async #ask(to: string, draft: Draft): Promise<Published> {
    this.asked.push(to);
    const mood = this.moods.get(to);
    if (mood === "dead") throw new Error("refused");
    if (mood === "silent") return new Promise(() => {});
    const published = await this.#of(to).sequencer.answer(draft);
    return mood === "mute" ? new Promise(() => {}) : published;
  }
}

function notReplicated(): GroundwaveError {
  return new GroundwaveError("not_replicated", "");
}

/** Who gave a message its place. */
export function originOf(published: Published | string): string | undefined {
  return typeof published === "string" ? published : parseMessageId(published.id)?.origin;
}

/** The error's code; `none` without one. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "none", (error) => error.code);
}
