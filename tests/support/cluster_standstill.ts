/**
 * Processes that stand still for a while as by SIGSTOP, while they should give places to keyed and ordered messages: what
 * is asked of them meanwhile others do, and what waits for them they find when they go on.
 *
 * @module
 */
import { parseMessageId } from "../../relay/protocol/message.ts";
import type { Dice } from "./cluster_dice.ts";
import { CHANNELS } from "./cluster_faults.ts";
import type { Publish } from "./cluster_ledger.ts";
import type { ClusterWorld, PublishOptions } from "./cluster_world.ts";

/** The longest, in milliseconds, and the time between two. */
const STILL_MS = 3000, BETWEEN_MS = 4000;
/** Who sequences is found out so long before. */
const PROBE_MS = 400;
/** Keys are first given from a little before it stops on, and again until so long after it goes on. */
const BEFORE_MS = 30, AGAIN_MS = 2500;
const KEYS = 6, AGAIN = 3, ORDERED = 8, ECHOES = 4;

export class Standstills {
  readonly #world: ClusterWorld;
  readonly #dice: Dice;

  constructor(world: ClusterWorld, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  /** One after the other, for `forMs` from now on; answers how to have everybody go on. */
  begin(forMs: number): () => void {
    const resumes: (() => void)[] = [];
    for (let ms = 3000 + this.#dice.roll() * 4000; ms < forMs - STILL_MS;) {
      const stillMs = this.#dice.pick([400, 790, 1400, 2200, STILL_MS]) *
        (0.9 + this.#dice.roll() / 10);
      this.#stopSequencer(ms, stillMs, resumes);
      ms += stillMs + BETWEEN_MS + this.#dice.roll() * 2000;
    }
    return () => resumes.forEach((resume) => resume());
  }

  #stopSequencer(ms: number, stillMs: number, resumes: (() => void)[]): void {
    const { clock } = this.#world, dice = this.#dice;
    const channel = dice.pick(CHANNELS), anyone = this.#anyone();
    const isSequencer = dice.chance(0.8);
    let probe: Publish | undefined;
    clock.after(
      ms - PROBE_MS,
      () => probe = this.#world.publish(anyone, channel, { order: "total" }),
    );
    const victim = () => (isSequencer ? this.#publisherOf(probe) : undefined) ?? anyone;
    clock.after(ms, () => {
      const resume = this.#world.pause(victim(), "standstill");
      resumes.push(resume);
      clock.after(stillMs, resume);
    });
    const during = () => ms - BEFORE_MS + dice.roll() * (stillMs + BEFORE_MS);
    for (let i = 0; i < KEYS; i++) {
      this.#key(`still ${ms} ${i}`, channel, during(), victim, stillMs);
    }
    for (let i = 0; i < ECHOES; i++) {
      this.#echo(ms + stillMs + dice.roll() * dice.pick([-500, 100, 1000]), victim);
    }
    for (let i = 0; i < ORDERED; i++) {
      const machine = this.#anyone();
      clock.after(during() + dice.pick([0, 0, AGAIN_MS]), () => {
        this.#world.publish(machine, channel, { order: "total" });
      });
    }
  }

  /** The first that it does when it goes on is to answer what was published meanwhile. */
  #echo(ms: number, victim: () => number): void {
    const { clock } = this.#world, who = this.#dice.roll(), channel = this.#dice.pick(CHANNELS);
    clock.after(ms, () => {
      const { subscribers } = this.#world;
      const after = subscribers[Math.floor(who * subscribers.length)];
      this.#world.publish(victim(), channel, after ? { after } : {});
    });
  }

  /** One key, by several relays: now, later, and by the one that stands still. */
  #key(key: string, channel: string, ms: number, victim: () => number, stillMs: number): void {
    const { clock } = this.#world, dice = this.#dice;
    const ack = dice.pick([undefined, "accepted", "replicated"] as const);
    const first = this.#anyone();
    const options: PublishOptions = { key, ...(ack ? { ack } : {}) };
    let data = "";
    clock.after(ms, () => data = this.#world.publish(first, channel, options).data);
    for (let i = 0; i < AGAIN; i++) {
      const machine = this.#anyone(), isVictim = i === 0;
      const laterMs = dice.pick([0, 300, stillMs, stillMs + AGAIN_MS]) * dice.roll();
      clock.after(ms + laterMs, () => {
        this.#world.publish(isVictim ? victim() : machine, channel, { ...options, data });
      });
    }
  }

  #publisherOf(publish: Publish | undefined): number | undefined {
    const { answer } = publish ?? {};
    const place = answer && "id" in answer ? parseMessageId(answer.id) : undefined;
    return this.#world.machines.find(({ process }) => process?.origin === place?.origin)?.number;
  }

  #anyone(): number {
    return this.#dice.below(this.#world.machines.length);
  }
}
