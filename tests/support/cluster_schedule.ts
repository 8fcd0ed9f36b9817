/**
 * A random life of a cluster: who publishes what and where, who reads and moves, what breaks and heals. The same seed and
 * kind make the same life, whatever the relays make of it.
 *
 * @module
 */
import { Dice } from "./cluster_dice.ts";
import { CHANNELS, Faults, type Kind, KINDS, REREPLICATION_MS } from "./cluster_faults.ts";
import { FAIR } from "./cluster_lan.ts";
import type { Ledger, Publish } from "./cluster_ledger.ts";
import type { SimulatedSubscriber, SubscriberOptions } from "./cluster_subscriber.ts";
import { ClusterWorld, type PublishOptions } from "./cluster_world.ts";
import { seededRandom } from "./random.ts";

/** What a channel keeps. A group is heard as long after its last reader: mostly to the end, or not so long. */
const LONG = { maxCount: 1000, maxAgeMs: 300_000 };
const SHORT = { maxCount: 1000, maxAgeMs: 9_000 };

/** How long things happen, and how long nothing does afterwards, in milliseconds. */
const BUSY_MS = 20_000;
const QUIET_MS = 12_000;
const MOVED_MS = 4_000;

/** How likely a message that a subscriber gets is answered by it. Many get each message: there must be an end. */
const REPLIES = 0.04;

/** A keyed publish without a good answer is tried again elsewhere. */
const RETRY_MS = 4_000;
const TRIES = 3;

/**
 * Runs one life to its end; the ledger is ready to be judged.
 * @param cut what becomes of the cursors of those who move, if anything.
 */
export async function live(
  seed: number,
  kind: Kind,
  cut?: SubscriberOptions["cut"],
): Promise<ClusterWorld> {
  const life = new Life(seed, kind, cut);
  await life.run();
  return life.world;
}

class Life {
  readonly world: ClusterWorld;
  readonly #kind: Kind;
  readonly #cut: SubscriberOptions["cut"];
  readonly #dice: Dice;
  readonly #faults: Faults;
  #quiet = false;

  constructor(seed: number, kind: Kind, cut: SubscriberOptions["cut"]) {
    this.#kind = kind;
    this.#cut = cut;
    const dice = this.#dice = new Dice(seededRandom(seed * 31 + KINDS.indexOf(kind)));
    const few = { ...LONG, maxCount: 5 };
    const retention = dice.pick([LONG, LONG, kind === "archive" ? few : LONG, few, SHORT]);
    const stored = kind === "tables" || kind === "everything";
    const archive = kind === "archive" ? dice.pick(["own", "shared"] as const) : undefined;
    const machines = dice.pick([3, 4, 4, 5]);
    this.world = new ClusterWorld({ seed, machines, retention, stored, archive });
    this.#faults = new Faults(this.world, dice, BUSY_MS);
  }

  async run(): Promise<void> {
    const { world } = this;
    const weather = {
      loss: this.#dice.pick([0, 0.02, 0.1, 0.3]),
      slow: this.#dice.pick([0, 0.03]),
      slowMs: 400,
      joinMs: this.#dice.pick([0, 0, 1500]),
    };
    // Who stands still cannot repair: that is a test of its own.
    world.wires.weather = this.#kind === "standstill" ? FAIR : weather;
    await world.startAll();
    this.#subscribe();
    this.#publish();
    this.#faults.begin(this.#kind);
    await world.run(BUSY_MS);
    await this.#settle();
  }

  /** One that stays on each machine as long as that lives, and three that move; or so few that custodians alone hear most. */
  #subscribe(): void {
    const { world } = this;
    const few = this.#dice.chance(0.5);
    for (const { number } of few ? world.machines.slice(0, 1) : world.machines) {
      world.clock.after(this.#dice.roll() * 1000, () => {
        world.subscribe(CHANNELS, number, { heard: this.#reply });
      });
    }
    for (let i = 0; i < (few ? 1 : 3); i++) this.#subscribeAndMove();
  }

  #subscribeAndMove(): void {
    const { world } = this, dice = this.#dice;
    const channels = CHANNELS.filter(() => dice.chance(0.5));
    const wanted = channels.length > 0 ? channels : CHANNELS.slice(0, 1);
    const ways = { heard: this.#reply, ...this.#cut ? { cut: this.#cut } : {} };
    const pace = { keepsIds: dice.chance(0.3), slow: dice.pick([0, 0, 0.2]), ...ways };
    const startMs = dice.roll() * BUSY_MS / 4, start = this.#anyone();
    const moves = Array.from({ length: 3 }, () => {
      const ms = startMs + dice.roll() * (BUSY_MS - startMs);
      return { ms, awayMs: dice.pick([20, 500, 3000, 9000]), to: this.#anyone() };
    });
    world.clock.after(startMs, () => {
      const subscriber = world.subscribe(wanted, start, pace);
      for (const { ms, awayMs, to } of moves) {
        world.clock.after(ms - startMs, () => subscriber.disconnect(awayMs, to));
      }
    });
  }

  #publish(): void {
    const count = this.#dice.pick([20, 60, 120]);
    for (let i = 0, ms = 0; i < count; i++) {
      const inBurst = this.#dice.chance(0.5);
      ms = inBurst ? ms + this.#dice.pick([0, 1, 50, 300]) : this.#dice.roll() * BUSY_MS;
      this.#publishAt(Math.min(ms, BUSY_MS), i);
    }
  }

  #publishAt(ms: number, i: number): void {
    const { world } = this, dice = this.#dice;
    const machine = this.#anyone(), elsewhere = this.#anyone(), channel = dice.pick(CHANNELS);
    const who = dice.roll(), follows = dice.chance(0.3);
    const key = dice.chance(0.1) ? `k${i}` : undefined;
    const isOrdered = key === undefined && dice.chance(0.15);
    const archived = world.archives ? ["archived", "archived"] as const : [];
    const ack = dice.pick(
      [undefined, undefined, undefined, "accepted", "replicated", ...archived] as const,
    );
    world.clock.after(ms, () => {
      const after = world.subscribers[Math.floor(who * world.subscribers.length)];
      const options: PublishOptions = {
        ...(follows && after ? { after } : {}),
        ...(key ? { key } : {}),
        ...(isOrdered ? { order: "total" } : {}),
        ...(ack ? { ack } : {}),
      };
      const publish = world.publish(machine, channel, options);
      if (key) this.#retry(publish, key, elsewhere, TRIES);
    });
  }

  /** Now and then a subscriber answers what it has just got, by whatever relay: others may not have got it yet. */
  readonly #reply = (after: SimulatedSubscriber, channel: string): void => {
    if (this.#quiet || !this.#dice.chance(REPLIES)) return;
    const machine = this.#anyone();
    this.world.clock.after(
      this.#dice.roll(),
      () => this.world.publish(machine, channel, { after }),
    );
  };

  #retry(publish: Publish, key: string, machine: number, tries: number): void {
    if (tries === 0) return;
    this.world.clock.after(RETRY_MS, () => {
      const { answer, channel, data } = publish;
      if (this.#quiet || (answer && "id" in answer)) return;
      const again = this.world.publish(machine, channel, { key, data });
      this.#retry(again, key, (machine + 1) % this.world.machines.length, tries - 1);
    });
  }

  /** Publishers stop, everything heals; nobody may need traffic to get what is there. */
  async #settle(): Promise<void> {
    const { world } = this;
    this.#quiet = true;
    world.note("quiet");
    world.wires.weather = FAIR;
    this.#faults.mend();
    for (const machine of world.machines) machine.start();
    await world.run(QUIET_MS);
    world.note("everybody moves");
    for (const subscriber of world.subscribers) {
      subscriber.disconnect(20, this.#anyone());
    }
    await world.run(MOVED_MS);
    noteWholes(world.ledger);
    await world.close();
  }

  #anyone(): number {
    return this.#dice.below(this.world.machines.length);
  }
}

/** A crash finds all whole if nothing else went wrong for long enough before it. */
function noteWholes({ faults, wholeMs }: Ledger): void {
  for (const { kind, fromMs } of faults) {
    // Who says goodbye hands over before.
    const isRecent = (fault: Ledger["faults"][number]) =>
      fault.kind !== "leave" && fault.kind !== "silence" &&
      fault.fromMs < fromMs && fault.toMs > fromMs - REREPLICATION_MS;
    if (kind === "crash" && !faults.some(isRecent)) wholeMs.push(fromMs - 1);
  }
}
