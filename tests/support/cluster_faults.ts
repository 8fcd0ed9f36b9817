/**
 * What goes wrong in the random life of a cluster.
 *
 * @module
 */
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Dice } from "./cluster_dice.ts";
import { LastWords } from "./cluster_last_words.ts";
import { Outages } from "./cluster_outages.ts";
import { Standstills } from "./cluster_standstill.ts";
import type { ClusterWorld } from "./cluster_world.ts";

/** What breaks. */
export const KINDS = [
  "calm",
  "crash",
  "power",
  "cut",
  "one way",
  "flapping",
  "pause",
  "leave",
  "failpoint",
  "tables",
  "everything",
  "last words",
  "standstill",
  "archive",
] as const;
export type Kind = typeof KINDS[number];

/** Two channels share a slot, and so an order. */
export const CHANNELS = ["a{t}", "b{t}", "c"] as const;

/** What one crash may have left on one relay is on two again, if nothing else happened for so long. */
export const REREPLICATION_MS = 6_000;

/** Breaks things, and mends them in the end. */
export class Faults {
  readonly #world: ClusterWorld;
  readonly #dice: Dice;
  readonly #forMs: number;
  readonly #mends: (() => void)[] = [];

  constructor(world: ClusterWorld, dice: Dice, forMs: number) {
    this.#world = world;
    this.#dice = dice;
    this.#forMs = forMs;
  }

  /** Whatever is still broken, but for processes that are gone. */
  mend(): void {
    this.#world.multicast.hooks = {};
    this.#world.tcp.wrote = this.#world.answered = undefined;
    for (const mend of this.#mends) mend();
  }

  /** Sees to it that things of this kind go wrong, for `forMs` from now on. */
  begin(kind: Kind): void {
    const breaks: Record<Exclude<Kind, "calm">, () => unknown> = {
      crash: () => this.#crash(false),
      power: () => this.#crash(true),
      cut: () => this.#cut(),
      "one way": () => this.#cutOneWay(),
      flapping: () => this.#flap(),
      pause: () => this.#pause(),
      leave: () => this.#leave(),
      tables: () => this.#tables(),
      failpoint: () => this.#failpoint(),
      everything: () => this.#everything(),
      "last words": () => new LastWords(this.#world, this.#dice).begin(this.#forMs),
      standstill: () =>
        this.#mends.push(new Standstills(this.#world, this.#dice).begin(this.#forMs)),
      archive: () => this.#mends.push(new Outages(this.#world, this.#dice).begin(this.#forMs)),
    };
    if (kind !== "calm") breaks[kind]();
  }

  /** One after the other, with time to make each good; or not. */
  #crash(dark: boolean): void {
    let ms = 1000 + this.#dice.roll() * 5000;
    const hasty = this.#dice.chance(0.2);
    while (ms < this.#forMs) {
      const machine = this.#anyone();
      this.#world.clock.after(ms, () => this.#world.crash(machine, dark));
      const backMs = this.#dice.pick([50, 400, 2000, 5000]);
      this.#world.clock.after(ms + backMs, () => this.#world.machine(machine).start());
      ms += hasty ? this.#dice.roll() * 4000 : backMs + REREPLICATION_MS + this.#dice.roll() * 4000;
    }
  }

  /** Some machines on one side, the others on the other; or some pairs. */
  #cut(): void {
    const side = this.#world.machines.map(() => this.#dice.chance(0.5));
    const pairs = this.#pairs().filter(([a, b]) =>
      side.some((one) => one !== side[0]) ? side[a] !== side[b] : a === 0 || b === 0
    );
    this.#cutAt(1000 + this.#dice.roll() * 8000, this.#dice.pick([300, 1500, 4000, 8000]), pairs);
  }

  #cutOneWay(): void {
    const pairs = this.#pairs().filter(() => this.#dice.chance(0.25));
    const [first] = this.#pairs();
    if (pairs.length === 0 && first) pairs.push(first);
    this.#cutAt(1000 + this.#dice.roll() * 8000, this.#dice.pick([1500, 4000, 8000]), pairs);
  }

  #flap(): void {
    const machine = this.#anyone();
    const pairs = this.#pairs().filter(([a, b]) => a === machine || b === machine);
    for (let ms = 2000; ms < 14_000;) {
      const cutMs = this.#dice.roll() * 2500;
      this.#cutAt(ms, cutMs, pairs);
      ms += cutMs + this.#dice.roll() * 2500;
    }
  }

  #pause(): void {
    for (let ms = 1000 + this.#dice.roll() * 4000; ms < 15_000; ms += 5000) {
      const machine = this.#anyone(), forMs = this.#dice.pick([100, 700, 2500, 5000]);
      this.#world.clock.after(ms, () => {
        const resume = this.#world.pause(machine);
        this.#mends.push(resume);
        this.#world.clock.after(forMs, resume);
      });
    }
  }

  /** Goodbyes, some of which end in a crash while the relay hands over; and wall clocks that leap, which is no fault. */
  #leave(): void {
    const world = this.#world, dice = this.#dice;
    for (let ms = 2000 + dice.roll() * 4000; ms < this.#forMs; ms += 4000 + dice.roll() * 4000) {
      const machine = this.#anyone(), backMs = dice.pick([100, 1500, 4000]);
      const crashMs = dice.chance(0.2) ? dice.roll() * 100 : Infinity;
      world.clock.after(ms, () => {
        world.machine(this.#anyone()).skewMs = (dice.roll() - 0.5) * 1_200_000;
        void world.leave(machine).then(() => {
          world.clock.after(backMs, () => world.machine(machine).start());
        });
      });
      if (crashMs < Infinity) world.clock.after(ms + crashMs, () => world.crash(machine));
    }
  }

  /** The process dies at the worst moment: a payload is out, an acknowledgement is in, a catch-up is half written, an answer given. */
  #failpoint(): void {
    const world = this.#world;
    for (
      let ms = 2000 + this.#dice.roll() * 3000;
      ms < this.#forMs;
      ms += REREPLICATION_MS + 4000
    ) {
      const where = this.#dice.pick(["sent", "acknowledged", "wrote", "answered"] as const);
      const victim = this.#anyone();
      let bytes = Math.floor(this.#dice.roll() * 2000);
      const die = (machine: number) => {
        if (machine !== victim) return;
        world.multicast.hooks = {};
        world.tcp.wrote = world.answered = undefined;
        world.note(`the point: ${where}`);
        world.crash(victim, where === "answered");
        this.#world.clock.after(1000, () => world.machine(victim).start());
      };
      this.#world.clock.after(ms, () => {
        if (where === "wrote") {
          world.tcp.wrote = (machine, length) => {
            if (machine === victim && (bytes -= length) < 0) die(machine);
          };
        } else if (where === "answered") {
          world.answered = ({ node, answer }) => {
            if (
              answer && "level" in answer && answer.level === "replicated" && node === `n${victim}`
            ) {
              die(victim);
            }
          };
        } else {
          world.multicast.hooks = {
            [where]: (machine: number, group: number) => group > 0 && die(machine),
          };
        }
      });
    }
  }

  /** Slots move, the store is gone, empty or set back, and some relays are led to another. */
  #tables(): void {
    const { tables, machines } = this.#world;
    const slots = CHANNELS.map(slotOf);
    const [store] = tables.stores;
    const before = store.held;
    const troubles: readonly (() => void)[] = [
      () => tables.move(0, this.#dice.pick(slots), 1 + this.#dice.below(4)),
      () => tables.move(1, this.#dice.pick(slots), 1 + this.#dice.below(4)),
      () => tables.lead(this.#dice.below(machines.length)),
      () => store.trouble = "it is gone",
      () => store.held = undefined,
      () => store.held = before,
      () => tables.mend(),
    ];
    for (let ms = 1000 + this.#dice.roll() * 2000; ms < this.#forMs;) {
      const trouble = this.#dice.below(troubles.length);
      this.#world.clock.after(ms, () => {
        this.#world.note(`trouble ${trouble} of the table`);
        troubles[trouble]?.();
      });
      ms += this.#dice.roll() * 4000;
    }
    this.#mends.push(() => tables.mend());
  }

  #everything(): void {
    const faults = [
      () => this.#crash(this.#dice.chance(0.5)),
      () => this.#cut(),
      () => this.#cutOneWay(),
      () => this.#pause(),
      () => this.#leave(),
      () => this.#tables(),
      () => new LastWords(this.#world, this.#dice).begin(this.#forMs),
    ];
    for (const fault of faults) if (this.#dice.chance(0.5)) fault();
    if (this.#dice.chance(0.3)) this.#failpoint();
  }

  #cutAt(ms: number, forMs: number, pairs: readonly (readonly [number, number])[]): void {
    this.#world.clock.after(ms, () => {
      const heals = pairs.map(([from, to]) => this.#world.cut(from, to));
      const heal = () => heals.forEach((one) => one());
      this.#mends.push(heal);
      this.#world.clock.after(forMs, heal);
    });
  }

  /** Ordered pairs of different machines. */
  #pairs(): (readonly [number, number])[] {
    const { machines } = this.#world;
    return machines.flatMap(({ number: a }) =>
      machines.flatMap(({ number: b }) => a === b ? [] : [[a, b] as const])
    );
  }

  #anyone(): number {
    return this.#dice.below(this.#world.machines.length);
  }
}
