/**
 * A random life of a cluster: who publishes what and where, who reads and moves, what breaks and heals. The same seed and
 * kind make the same life, whatever the relays make of it.
 *
 * @module
 */
import { FAIR } from "./cluster_lan.ts";
import type { Ledger, Publish } from "./cluster_ledger.ts";
import { ClusterWorld, type PublishOptions } from "./cluster_world.ts";
import { seededRandom } from "./random.ts";

/** What breaks. */
export const KINDS = [
  "calm",
  "crash",
  "cut",
  "one way",
  "flapping",
  "pause",
  "leave",
  "failpoint",
  "everything",
] as const;
export type Kind = typeof KINDS[number];

/** Two channels share a slot, and so an order. */
const CHANNELS = ["a{t}", "b{t}", "c"] as const;

/** How long things happen, and how long nothing does afterwards, in milliseconds. */
const BUSY_MS = 20_000;
const QUIET_MS = 12_000;
const MOVED_MS = 4_000;

/** What one crash may have left on one relay is on two again, if nothing else happened for so long. */
const REREPLICATION_MS = 6_000;

/** A keyed publish without a good answer is tried again elsewhere. */
const RETRY_MS = 4_000;
const TRIES = 3;

/** Runs one life to its end; the ledger is ready to be judged. */
export async function live(seed: number, kind: Kind): Promise<ClusterWorld> {
  const life = new Life(seed, kind);
  await life.run();
  return life.world;
}

class Life {
  readonly world: ClusterWorld;
  readonly #kind: Kind;
  readonly #random: () => number;
  readonly #mend: (() => void)[] = [];
  #quiet = false;

  constructor(seed: number, kind: Kind) {
    this.#kind = kind;
    this.#random = seededRandom(seed * 31 + KINDS.indexOf(kind));
    const retention = this.#chance(0.2)
      ? { maxCount: 5, maxAgeMs: 300_000 }
      : { maxCount: 1000, maxAgeMs: 300_000 };
    this.world = new ClusterWorld({ seed, machines: this.#pick([3, 4, 4, 5]), retention });
  }

  async run(): Promise<void> {
    const { world } = this;
    world.wires.weather = {
      loss: this.#pick([0, 0.02, 0.1, 0.3]),
      slow: this.#pick([0, 0.03]),
      slowMs: 400,
      joinMs: this.#pick([0, 0, 1500]),
    };
    await world.startAll();
    this.#subscribe();
    this.#publish();
    this.#break();
    await world.run(BUSY_MS);
    await this.#settle();
  }

  /** One that stays on each machine as long as that lives, and three that move. */
  #subscribe(): void {
    const { world } = this;
    for (const { number } of world.machines) {
      this.#at(this.#random() * 1000, () => world.subscribe(CHANNELS, number));
    }
    for (let i = 0; i < 3; i++) {
      const channels = CHANNELS.filter(() => this.#chance(0.5));
      const options = { keepsIds: this.#chance(0.3), slow: this.#pick([0, 0, 0.2]) };
      const wanted = channels.length > 0 ? channels : ["a{t}"];
      const moves = Array.from({ length: 3 }, () => this.#random() * BUSY_MS).sort((a, b) => a - b);
      const start = this.#anyone();
      const aways = moves.map(() => this.#pick([20, 500, 3000, 9000]));
      const targets = moves.map(() => this.#anyone());
      this.#at(moves[0] as number / 4, () => {
        const subscriber = world.subscribe(wanted, start, options);
        moves.forEach((ms, move) => {
          this.#at(ms, () => subscriber.disconnect(aways[move] ?? 0, targets[move]));
        });
      });
    }
  }

  #publish(): void {
    const count = this.#pick([20, 60, 120]);
    let ms = 0;
    for (let i = 0; i < count; i++) {
      ms = this.#chance(0.5) ? this.#random() * BUSY_MS : ms + this.#pick([0, 1, 50, 300]);
      this.#publishAt(Math.min(ms, BUSY_MS), i);
    }
  }

  #publishAt(ms: number, i: number): void {
    const { world } = this;
    const machine = this.#anyone(), channel = this.#pick(CHANNELS);
    const who = this.#random(), follows = this.#chance(0.3), elsewhere = this.#anyone();
    const key = this.#chance(0.1) ? `k${i}` : undefined;
    const ack = this.#pick([undefined, undefined, undefined, "accepted", "replicated"] as const);
    this.#at(ms, () => {
      const after = world.subscribers[Math.floor(who * world.subscribers.length)];
      const options: PublishOptions = {
        ...(follows && after ? { after } : {}),
        ...(key ? { key } : {}),
        ...(ack ? { ack } : {}),
      };
      const publish = world.publish(machine, channel, options);
      if (key) this.#retry(publish, key, elsewhere, TRIES);
    });
  }

  #retry(publish: Publish, key: string, machine: number, tries: number): void {
    if (tries === 0) return;
    this.#at(RETRY_MS, () => {
      const { answer, channel, data } = publish;
      if (this.#quiet || (answer && "id" in answer)) return;
      const again = this.world.publish(machine, channel, { key, data });
      this.#retry(again, key, (machine + 1) % this.world.machines.length, tries - 1);
    });
  }

  #break(): void {
    const breaks: Record<Exclude<Kind, "calm">, () => void> = {
      crash: () => this.#crash(),
      cut: () => this.#cut(),
      "one way": () => this.#cutOneWay(),
      flapping: () => this.#flap(),
      pause: () => this.#pause(),
      leave: () => this.#leave(),
      failpoint: () => this.#failpoint(),
      everything: () => this.#everything(),
    };
    if (this.#kind !== "calm") breaks[this.#kind]();
  }

  /** One after the other, with time to make each good; or not. */
  #crash(): void {
    let ms = 1000 + this.#random() * 5000;
    const hasty = this.#chance(0.2);
    while (ms < BUSY_MS) {
      const machine = this.#anyone();
      this.#at(ms, () => this.world.crash(machine));
      const backMs = this.#pick([50, 400, 2000, 5000]);
      this.#at(ms + backMs, () => this.world.machine(machine).start());
      ms += hasty ? this.#random() * 4000 : backMs + REREPLICATION_MS + this.#random() * 4000;
    }
  }

  /** Some machines on one side, the others on the other; or some pairs. */
  #cut(): void {
    const side = this.world.machines.map(() => this.#chance(0.5));
    const pairs = this.#pairs().filter(([a, b]) =>
      side.some((one) => one !== side[0]) ? side[a] !== side[b] : a === 0 || b === 0
    );
    this.#cutAt(1000 + this.#random() * 8000, this.#pick([300, 1500, 4000, 8000]), pairs);
  }

  #cutOneWay(): void {
    const pairs = this.#pairs().filter(() => this.#chance(0.25));
    const [first] = this.#pairs();
    if (pairs.length === 0 && first) pairs.push(first);
    this.#cutAt(1000 + this.#random() * 8000, this.#pick([1500, 4000, 8000]), pairs);
  }

  #flap(): void {
    const machine = this.#anyone();
    const pairs = this.#pairs().filter(([a, b]) => a === machine || b === machine);
    for (let ms = 2000; ms < 14_000;) {
      const cutMs = this.#random() * 2500;
      this.#cutAt(ms, cutMs, pairs);
      ms += cutMs + this.#random() * 2500;
    }
  }

  #pause(): void {
    for (let ms = 1000 + this.#random() * 4000; ms < 15_000; ms += 5000) {
      const machine = this.#anyone(), forMs = this.#pick([100, 700, 2500, 5000]);
      this.#at(ms, () => {
        const resume = this.world.pause(machine);
        this.#mend.push(resume);
        this.#at(forMs, resume);
      });
    }
  }

  /** Goodbyes, and wall clocks that leap: neither is a fault. */
  #leave(): void {
    for (let ms = 2000 + this.#random() * 4000; ms < BUSY_MS; ms += 4000 + this.#random() * 4000) {
      const machine = this.#anyone(), backMs = this.#pick([100, 1500, 4000]);
      const skewMs = (this.#random() - 0.5) * 1_200_000;
      this.#at(ms, () => {
        const leaving = this.world.machine(machine);
        leaving.skewMs = skewMs;
        void this.world.leave(machine).then(() => this.#at(backMs, () => leaving.start()));
      });
    }
  }

  /** The process dies at the worst moment: a payload is out, an acknowledgement is in, a catch-up is half written. */
  #failpoint(): void {
    const { world } = this;
    for (let ms = 2000 + this.#random() * 3000; ms < BUSY_MS; ms += REREPLICATION_MS + 4000) {
      const where = this.#pick(["sent", "acknowledged", "wrote"] as const);
      const victim = this.#anyone();
      let bytes = Math.floor(this.#random() * 2000);
      const die = (machine: number) => {
        if (machine !== victim) return;
        world.multicast.hooks = {};
        world.tcp.wrote = undefined;
        world.note(`the point: ${where}`);
        world.crash(victim);
        this.#at(1000, () => world.machine(victim).start());
      };
      this.#at(ms, () => {
        if (where === "wrote") {
          world.tcp.wrote = (machine, length) => {
            if (machine === victim && (bytes -= length) < 0) die(machine);
          };
        } else {
          world.multicast.hooks = {
            [where]: (machine: number, group: number) => group > 0 && die(machine),
          };
        }
      });
    }
  }

  #everything(): void {
    for (const fault of [this.#crash, this.#cut, this.#cutOneWay, this.#pause, this.#leave]) {
      if (this.#chance(0.5)) fault.call(this);
    }
    if (this.#chance(0.3)) this.#failpoint();
  }

  #cutAt(ms: number, forMs: number, pairs: readonly (readonly [number, number])[]): void {
    this.#at(ms, () => {
      const heals = pairs.map(([from, to]) => this.world.cut(from, to));
      const heal = () => heals.forEach((one) => one());
      this.#mend.push(heal);
      this.#at(forMs, heal);
    });
  }

  /** Publishers stop, everything heals; nobody may need traffic to get what is there. */
  async #settle(): Promise<void> {
    const { world } = this;
    this.#quiet = true;
    world.note("quiet");
    world.wires.weather = FAIR;
    world.multicast.hooks = {};
    world.tcp.wrote = undefined;
    for (const mend of this.#mend) mend();
    for (const machine of world.machines) machine.start();
    await world.run(QUIET_MS);
    world.note("everybody moves");
    for (const subscriber of world.subscribers) subscriber.disconnect(20, this.#anyone());
    await world.run(MOVED_MS);
    noteWholes(world.ledger);
    await world.close();
  }

  #at(inMs: number, fn: () => void): void {
    this.world.clock.after(inMs, fn);
  }

  /** Ordered pairs of different machines. */
  #pairs(): (readonly [number, number])[] {
    const { machines } = this.world;
    return machines.flatMap(({ number: a }) =>
      machines.flatMap(({ number: b }) => a === b ? [] : [[a, b] as const])
    );
  }

  #anyone(): number {
    return Math.floor(this.#random() * this.world.machines.length);
  }

  #chance(likely: number): boolean {
    return this.#random() < likely;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}

/** A crash finds all whole if nothing else went wrong for long enough before it. */
function noteWholes({ faults, wholeMs }: Ledger): void {
  for (const { kind, fromMs } of faults) {
    const isRecent = (fault: Ledger["faults"][number]) =>
      fault.fromMs < fromMs && fault.toMs > fromMs - REREPLICATION_MS;
    if (kind === "crash" && !faults.some(isRecent)) wholeMs.push(fromMs - 1);
  }
}
