/**
 * Machines whose network goes a little before they do: what such a one still publishes dies with it, and is named by what
 * lives on.
 *
 * @module
 */
import type { Dice } from "./cluster_dice.ts";
import { CHANNELS, REREPLICATION_MS } from "./cluster_faults.ts";
import type { SimulatedSubscriber } from "./cluster_subscriber.ts";
import type { ClusterWorld } from "./cluster_world.ts";

/** Somebody reads at the machine since then, in milliseconds before its network goes. */
const WITNESS_MS = 500;
/** It goes on publishing for so long at most. */
const LAST_MS = { least: 100, spread: 500 };
const WORDS = 8;
/** Those that name what they saw there: meanwhile, and for so long after. */
const ECHOES = 4, ECHO_MS = 3000;

export class LastWords {
  readonly #world: ClusterWorld;
  readonly #dice: Dice;

  constructor(world: ClusterWorld, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  /** One machine after the other, with time to make each good, for `forMs` from now on. */
  begin(forMs: number): void {
    let ms = 2000 + this.#dice.roll() * 4000;
    while (ms < forMs) {
      const backMs = this.#dice.pick([50, 400, 2000]);
      this.#die(ms, this.#anyone(), backMs);
      ms += backMs + REREPLICATION_MS + this.#dice.roll() * 2000;
    }
  }

  #die(ms: number, victim: number, backMs: number): void {
    const { clock } = this.#world, dice = this.#dice;
    const lastMs = LAST_MS.least + dice.roll() * LAST_MS.spread;
    const isDeaf = dice.chance(0.5), isDark = dice.chance(0.5);
    let witness: SimulatedSubscriber | undefined;
    clock.after(ms - WITNESS_MS, () => witness = this.#world.subscribe(CHANNELS, victim));
    const publish = (atMs: number, machine: number, isEcho: boolean) => {
      const channel = dice.pick(CHANNELS), who = dice.roll(), follows = isEcho || dice.chance(0.4);
      const ack = dice.pick([undefined, undefined, "accepted", "replicated"] as const);
      const key = dice.chance(0.15) ? `last ${atMs}` : undefined;
      clock.after(atMs, () => {
        const { subscribers } = this.#world;
        const after = isEcho ? witness : subscribers[Math.floor(who * subscribers.length)];
        this.#world.publish(machine, channel, {
          ...(follows && after ? { after } : {}),
          ...(ack ? { ack } : {}),
          ...(key ? { key } : {}),
        });
      });
    };
    for (let i = 0; i < WORDS; i++) publish(ms + dice.roll() * lastMs, victim, false);
    for (let i = 0; i < ECHOES; i++) {
      publish(ms + dice.roll() * (lastMs + ECHO_MS), this.#other(victim), true);
    }
    clock.after(ms, () => this.#silence(victim, isDeaf, lastMs, isDark));
    clock.after(ms + lastMs + backMs, () => this.#world.machine(victim).start());
  }

  /** What nobody hears any more is no cut: it ends with the machine, and excuses no more than that does, but from then on. */
  #silence(victim: number, isDeaf: boolean, forMs: number, isDark: boolean): void {
    const { clock, machines, wires } = this.#world;
    this.#world.note(`n${victim} is not heard${isDeaf ? ", nor does it hear" : ""}`);
    const others = machines.map(({ number }) => number).filter((number) => number !== victim);
    for (const other of others) {
      wires.cut(victim, other);
      if (isDeaf) wires.cut(other, victim);
    }
    const silence = this.#world.fault("silence", `n${victim}`);
    clock.after(forMs, () => {
      silence.toMs = clock.nowMs();
      this.#world.crash(victim, isDark);
      for (const other of others) {
        wires.heal(victim, other);
        wires.heal(other, victim);
      }
    });
  }

  #other(victim: number): number {
    const { length } = this.#world.machines;
    return (victim + 1 + this.#dice.below(length - 1)) % length;
  }

  #anyone(): number {
    return this.#dice.below(this.#world.machines.length);
  }
}
