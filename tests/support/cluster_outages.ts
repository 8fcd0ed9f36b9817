/**
 * Crashes of all machines at once, and of one, where what is published is archived; and what may be wrong with the archive
 * meanwhile.
 *
 * @module
 */
import type { Dice } from "./cluster_dice.ts";
import { CHANNELS, REREPLICATION_MS } from "./cluster_faults.ts";
import type { ClusterWorld } from "./cluster_world.ts";

/** All crash within so long, in milliseconds. */
const TOGETHER_MS = 300;
/** So many messages are published at once while the archive cannot be used: more than some channels keep. */
const BURST = 9;

export class Outages {
  readonly #world: ClusterWorld;
  readonly #dice: Dice;

  constructor(world: ClusterWorld, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  /** For `forMs` from now on; answers how to mend the archive. */
  begin(forMs: number): () => void {
    const dice = this.#dice;
    for (let ms = 3000 + dice.roll() * 4000; ms < forMs;) {
      ms += (dice.chance(0.6) ? this.#all(ms) : this.#one(ms)) + REREPLICATION_MS / 2;
      ms += dice.roll() * REREPLICATION_MS;
    }
    for (let ms = dice.roll() * 8000; ms < forMs; ms += 2000 + dice.roll() * 8000) {
      this.#trouble(ms);
    }
    if (dice.chance(0.5)) this.#lose(6000 + dice.roll() * 10_000);
    const { shelves } = this.#world.archives ?? { shelves: [] };
    return () => {
      for (const shelf of shelves) Object.assign(shelf, { trouble: undefined, slowMs: 2 });
    };
  }

  /** Answers when the last is back. */
  #all(ms: number): number {
    const { clock, machines } = this.#world, dice = this.#dice;
    const spreadMs = dice.pick([0, 0, TOGETHER_MS]), isDark = dice.chance(0.5);
    const backs = machines.map(({ number }) => {
      const atMs = dice.roll() * spreadMs;
      const backMs = TOGETHER_MS + dice.pick([50, 1000, 4000]) * dice.roll();
      clock.after(ms + atMs, () => this.#world.crash(number, isDark));
      clock.after(ms + backMs, () => this.#world.machine(number).start());
      return backMs;
    });
    clock.after(ms + spreadMs, () => this.#world.noteKept());
    return Math.max(...backs);
  }

  #one(ms: number): number {
    const { clock, machines } = this.#world, dice = this.#dice;
    const number = dice.below(machines.length), backMs = dice.pick([50, 1000, 4000]);
    clock.after(ms, () => this.#world.crash(number));
    clock.after(ms + backMs, () => this.#world.machine(number).start());
    return backMs;
  }

  /** It cannot be used for a while, or is slow. */
  #trouble(ms: number): void {
    const { clock, archives } = this.#world, dice = this.#dice;
    const shelf = dice.pick(archives?.shelves ?? []), forMs = dice.pick([200, 1500, 4000]);
    const slowMs = dice.chance(0.5) ? dice.pick([50, 1000]) : undefined;
    let over = () => {};
    clock.after(ms, () => {
      const fault = this.#world.fault("archive", "archive");
      over = () => fault.toMs = clock.nowMs();
      this.#world.note(slowMs ? `the archive takes ${slowMs} ms` : "the archive is gone");
      if (slowMs) shelf.slowMs = slowMs;
      else shelf.trouble = "it is gone";
    });
    clock.after(ms + forMs, () => {
      if (slowMs) shelf.slowMs = 2;
      else shelf.trouble = undefined;
      over();
    });
    if (dice.chance(0.5)) this.#burst(ms, forMs);
  }

  /** What a channel drops before it was archived; and a crash when it is written, but not what was dropped. */
  #burst(ms: number, forMs: number): void {
    const { clock, machines } = this.#world, dice = this.#dice;
    const machine = dice.below(machines.length), channel = dice.pick(CHANNELS);
    clock.after(ms + dice.roll() * forMs, () => {
      for (let i = 0; i < BURST; i++) this.#world.publish(machine, channel);
    });
    if (dice.chance(0.5)) this.#all(ms + forMs + dice.roll() * 1500);
  }

  /** What came in the last moments, or all, is gone: a store on another machine may go on from a copy. */
  #lose(ms: number): void {
    const { clock, archives } = this.#world, beforeMs = this.#dice.pick([300, 2000, 6000]);
    const shelf = this.#dice.pick(archives?.shelves ?? []);
    if (!archives?.isShared) return;
    clock.after(ms - beforeMs, () => shelf.copy());
    clock.after(ms, () => {
      this.#world.note("the archive is set back");
      shelf.lose();
      this.#world.fault("loss", "archive").toMs = clock.nowMs();
    });
  }
}
