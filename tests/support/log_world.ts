/**
 * Two logs of one slot in a random world: messages come in any order and more than once, answers to pulls late or
 * never, readers pause, move and resume. Beside each log runs a naive one that must agree with it, and each client's
 * stream is judged by what was published.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CatchUp, FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import { SlotLog } from "../../relay/protocol/log/log.ts";
import type { Message, Origin, Seq } from "../../relay/protocol/message.ts";
import { Client, sorted } from "./log_client.ts";
import { key, NaiveLog, positions } from "./naive_log.ts";
import { SLOT } from "./slot_log.ts";

const ORIGINS = ["relayAAA", "relayBBB", "relayCCC"] as const;
const CHANNELS = ["a", "b", "c"] as const;

export interface WorldOptions {
  readonly maxCount: number;
  readonly maxAgeMs: number;
  /** How likely a message never comes by itself. */
  readonly loss: number;
  /** Whether the relays drop for the bound of the process, and claim that messages are lacking. */
  readonly rough: boolean;
  /** How likely a cursor that somebody comes back with has lost an origin. */
  readonly cut?: number;
}

/** A log with its naive twin. */
export class Twin {
  readonly log: SlotLog;
  readonly naive: NaiveLog;
  /** Still under way to it. */
  readonly inbox: Message[] = [];
  readonly #excused: Set<string>;

  /** `excused` collects what a gap may name although it comes: marks, and what was held when a peer had dropped it. */
  constructor(self: Origin, { maxCount, maxAgeMs }: WorldOptions, excused: Set<string>) {
    this.#excused = excused;
    const options = { self, maxCount, maxAgeMs, holdMs: 4000 };
    const asOfMs = () => Date.UTC(2026, 0, 1);
    this.log = new SlotLog(SLOT, { ...options, forgetMs: 1e12, asOfMs, known: () => true });
    this.naive = new NaiveLog(options);
  }

  append(message: Message, nowMs: number): void {
    const expected = this.naive.append(message, nowMs);
    assert.equal(this.log.append(message, nowMs), expected, `append ${key(message)}`);
  }

  merge(answer: CatchUp, nowMs: number): boolean {
    // A peer's floor may be at a message that is held here: nobody can know that it still comes.
    for (const id of this.naive.held()) this.#excused.add(id);
    // The naive one after it: gaps are judged by what was there when they came.
    const merged = this.log.merge(answer, nowMs);
    assert.equal(merged, this.naive.merge(answer, nowMs), "merge");
    return merged;
  }

  /** Both logs say the same. */
  compare(nowMs: number): void {
    const { log, naive } = this;
    assert.deepEqual(sorted(log.vector), sorted(naive.vector), "vector");
    assert.deepEqual(positions(log.missing()).sort(), [...naive.missing()].sort(), "missing");
    const lost = positions(log.lost());
    for (const position of lost) this.#excused.add(position);
    assert.deepEqual(lost.sort(), [...naive.lost].sort(), "lost");
    const answer = log.catchUp(FROM_NOWHERE, nowMs);
    assert.deepEqual(answer.messages.map(({ message }) => key(message)), naive.retained(new Map()));
    assert.deepEqual(answer.held.map(({ message }) => key(message)).sort(), naive.held(), "held");
    for (const channel of CHANNELS) {
      const floors = answer.floors.get(channel) ?? answer.floors.get("") ?? new Map();
      assert.deepEqual(sorted(floors), sorted(naive.floorsOf(channel)), `floors of ${channel}`);
    }
  }
}

/** The world: {@link step} it at random, then {@link finish} and judge. */
export class World {
  readonly twins: readonly [Twin, Twin];
  readonly clients: Client[] = [];
  readonly #options: WorldOptions;
  readonly #random: () => number;
  readonly #published = new Map<string, Message>();
  readonly #seqs = new Map<Origin, Seq>();
  /** See {@link Twin}. */
  readonly #excused = new Set<string>();
  readonly #answers: { readonly to: Twin; readonly answer: CatchUp }[] = [];
  #nowMs = 1_000_000;

  constructor(random: () => number, options: WorldOptions) {
    this.#random = random;
    this.#options = options;
    this.twins = [
      new Twin(ORIGINS[0], options, this.#excused),
      new Twin(ORIGINS[1], options, this.#excused),
    ];
    for (const twin of this.twins) {
      // With a reader on each, channels keep their state, and no neighbour can cause a false gap.
      twin.log.open(CHANNELS, "live", this.#nowMs, { sink: () => true }).resume();
      twin.naive.open(CHANNELS, "live");
    }
  }

  step(): void {
    const steps: [number, () => void][] = [
      [5, () => this.#publish()],
      [9, () => this.#deliver()],
      [1, () => this.#wait()],
      [1, () => this.#ask()],
      [1, () => this.#answer()],
      [3, () => this.#client()],
      [4, () => this.#pick(this.clients)?.resume(1 + this.#below(4))],
      [1, () => this.#pick(this.clients)?.pause()],
      [this.#options.rough ? 0.5 : 0, () => this.#rough()],
    ];
    let rest = this.#random() * steps.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, act] of steps) {
      rest -= weight;
      if (rest < 0) return this.#check(act);
    }
  }

  /** Everything comes to an end: all messages arrive, holds end, both logs pull, everybody reads on. */
  finish(): void {
    for (const twin of this.twins) while (twin.inbox.length > 0) this.#deliverTo(twin);
    for (let round = 0; round < 2; round++) {
      this.#check(() => this.#advance(4000));
      for (const twin of this.twins) this.#check(() => this.#pull(twin));
    }
    for (const client of this.clients) {
      if (!client.twin) client.open(this.twins[0], client.cursor ? "cursor" : "live", this.#nowMs);
      client.resume(Infinity);
      client.compare();
    }
    for (const client of this.clients) client.judge();
  }

  #check(act: () => void): void {
    act();
    for (const twin of this.twins) twin.compare(this.#nowMs);
    for (const client of this.clients) client.compare();
  }

  #publish(): void {
    const origin = this.#pick(ORIGINS) ?? ORIGINS[2];
    const own = this.twins[ORIGINS.indexOf(origin)];
    const seq = (this.#seqs.get(origin) ?? 0) + 1;
    this.#seqs.set(origin, seq);
    const after = new Map<Origin, Seq>();
    for (const [other, top] of own ? own.log.vector : this.#seqs) {
      if (other !== origin && top > 0 && this.#random() < 0.25) {
        after.set(other, 1 + this.#below(top));
      }
    }
    const channel = this.#pick(CHANNELS) ?? "a";
    const message: Message = {
      ...{ slot: SLOT, origin, seq, channel, data: `${origin}${seq}`, timeMs: 0, region: "r" },
      ...(after.size > 0 ? { after } : {}),
    };
    this.#published.set(key(message), message);
    own?.append(message, this.#nowMs);
    for (const twin of this.twins) {
      if (twin !== own && this.#random() >= this.#options.loss) twin.inbox.push(message);
    }
  }

  #deliver(): void {
    const twin = this.#pick(this.twins);
    if (twin) this.#deliverTo(twin);
  }

  #deliverTo(twin: Twin): void {
    // Mostly in order: otherwise everything is always held.
    const index = this.#random() < 0.6 ? 0 : this.#below(twin.inbox.length);
    const message = twin.inbox[index];
    if (!message) return;
    if (this.#random() < 0.9) twin.inbox.splice(index, 1);
    twin.append(message, this.#nowMs);
  }

  #wait(): void {
    this.#advance(this.#pick([10, 1000, 4000, this.#options.maxAgeMs / 3]) ?? 10);
  }

  #advance(ms: number): void {
    this.#nowMs += ms;
    for (const { log, naive } of this.twins) {
      naive.tick(this.#nowMs);
      log.tick(this.#nowMs);
      assert.ok((log.nextWakeMs() ?? Infinity) > this.#nowMs, "nothing is due after a tick");
    }
  }

  #ask(): void {
    const to = this.#pick(this.twins);
    if (to) {
      this.#answers.push({
        to,
        answer: this.#from(to).log.catchUp(to.log.standing, this.#nowMs),
      });
    }
  }

  #answer(): void {
    const index = this.#below(this.#answers.length);
    const [late] = this.#answers.splice(index, 1);
    late?.to.merge(late.answer, this.#nowMs);
  }

  /** Pulls what the other has, under marks too. */
  #pull(to: Twin): void {
    const from = this.#from(to);
    const start = to.log.pullFrom(from.log.vector, from.log.lost());
    if (start) assert.ok(to.merge(from.log.catchUp(start, this.#nowMs), this.#nowMs));
  }

  #from(to: Twin): Twin {
    return to === this.twins[0] ? this.twins[1] : this.twins[0];
  }

  #client(): void {
    const twin = this.#pick(this.twins) ?? this.twins[0];
    const client = this.#pick(this.clients);
    if (!client || this.clients.length < 4) {
      const channels = CHANNELS.filter(() => this.#random() < 0.6);
      const fresh = new Client(
        channels.length > 0 ? channels : ["a"],
        this.#published,
        this.#excused,
      );
      this.clients.push(fresh);
      fresh.open(twin, this.#random() < 0.7 ? "live" : "earliest", this.#nowMs);
    } else if (client.twin) {
      client.close();
    } else {
      const { cut = 0 } = this.#options;
      // What was cut may be ahead of the log.
      if (cut > 0) this.#pull(twin);
      client.open(twin, "cursor", this.#nowMs, () => this.#random() < cut);
    }
  }

  #rough(): void {
    const twin = this.#pick(this.twins);
    if (!twin) return;
    if (this.#random() < 0.5) {
      const missing = twin.log.missing();
      twin.naive.lacked(missing, this.#nowMs);
      twin.log.lacked(missing, this.#nowMs);
    } else if (twin.naive.lost.size === 0) {
      twin.naive.dropOldest();
      twin.log.dropOldest();
    }
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }
}
