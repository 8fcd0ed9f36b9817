/**
 * Keeps a relay's table in step with the store that a cluster has in common, and with the relays in view where the store
 * is gone. Nothing on the way of a message waits for it: whatever becomes of the store, the table in use stays.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { within } from "../within.ts";
import { planMoves } from "./balance.ts";
import { MovingGroups } from "./moving_groups.ts";
import { isNewer, type SlotGroups, type Version } from "./slot_groups.ts";
import type { TableStore } from "./table_store.ts";

/** What a relay in view says of its table. */
export interface PeerVersion extends Version {
  readonly origin: string;
}

export interface RegistryOptions {
  /** How many groups the pool has. */
  readonly count: number;
  readonly store: TableStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: (
    level: "info" | "warn",
    message: string,
    fields: Readonly<Record<string, string | number>>,
  ) => void;
  /** Messages published here since the start, by slot. */
  readonly published: () => ReadonlyMap<number, number>;
  /** Fetches the table of a relay in view. */
  readonly fetch: (origin: string) => Promise<SlotGroups>;
}

/** Between two looks at the store, with a spread of 20 % either way. */
const LOOK_MS = 2000;

/** Who hears of a newer table looks at once, but not more often than this. */
const HURRY_MS = 250;

/** Between two reports of load. */
const REPORT_MS = 10_000;

/** The balance is looked after this often, by one relay of all. */
const BALANCE_MS = 30_000;

/** A start waits for the store no longer than this: a table that comes later is a move. */
const START_MS = 1000;

/** Relays that are behind for so long do not merely need to be told. */
const BEHIND_MS = 30_000;

/** What can fail, each by itself, and how that is told. */
const EFFORTS = {
  read: { failed: "Redis cannot be used, slots keep their groups", mended: "Redis is used again" },
  balance: { failed: "the groups are not balanced", mended: "the groups are balanced again" },
  peer: {
    failed: "the newer table of another relay cannot be had",
    mended: "the newer table of another relay was fetched",
  },
} as const;
type Effort = keyof typeof EFFORTS;

/** The driver of {@link MovingGroups}. */
export class Registry {
  readonly table: MovingGroups;
  readonly #options: RegistryOptions;
  /** By slot, what was reported of it. */
  #reported: ReadonlyMap<number, number> = new Map();
  #reportAtMs: number;
  readonly #troubles = new Map<Effort, string>();
  #newest: PeerVersion | undefined;
  #behindSinceMs: number | undefined;
  #looking: Promise<void> | undefined;
  #lookedMs = -Infinity;
  #cancel = () => {};
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.table = new MovingGroups(options.count);
    this.#reportAtMs = options.clock.nowMs() + REPORT_MS;
  }

  /** What is wrong with the store, for people; undefined while it answers and can be used. */
  get trouble(): string | undefined {
    return this.#troubles.get("read") ?? this.#troubles.get("balance");
  }

  /** Looks at the store from now on. Resolves when the first look is done, or has taken 1 s. */
  async start(): Promise<void> {
    await within(this.#options.clock, START_MS, this.#look());
  }

  /** Takes what the relays in view say of their tables. Call it whenever that may have changed, and every second. */
  follow(peers: readonly PeerVersion[]): void {
    const nowMs = this.#options.clock.nowMs();
    this.#newest = peers.reduce<PeerVersion | undefined>(
      (newest, peer) => !newest || isNewer(peer, newest) ? peer : newest,
      undefined,
    );
    this.#watchBehind(this.table.follow(peers, nowMs), nowMs);
    if (this.#ahead() && !this.#looking) this.#lookIn(this.#lookedMs + HURRY_MS - nowMs);
  }

  /** Ends with what is under way. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    this.#options.store.close();
    await this.#looking;
  }

  /** The relay in view whose table is newer than ours. */
  #ahead(): PeerVersion | undefined {
    return this.#newest && isNewer(this.#newest, this.table) ? this.#newest : undefined;
  }

  #lookIn(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(Math.max(0, ms), () => void this.#look());
  }

  #look(): Promise<void> {
    return this.#looking ??= this.#exchange().finally(() => {
      this.#looking = undefined;
      this.#lookedMs = this.#options.clock.nowMs();
      this.#lookIn(LOOK_MS * (0.8 + 0.4 * this.#options.random()));
    });
  }

  async #exchange(): Promise<void> {
    await this.#try("read", () => this.#read());
    const nowMs = this.#options.clock.nowMs();
    if (!this.#troubles.has("read") && nowMs >= this.#reportAtMs) {
      this.#reportAtMs = nowMs + REPORT_MS;
      await this.#try("balance", () => this.#balance());
    }
    const ahead = this.#ahead();
    if (ahead) await this.#try("peer", () => this.#fetch(ahead.origin));
  }

  async #read(): Promise<void> {
    const { store } = this.#options, { current } = this.table;
    const held = await store.read(current);
    if (held && !isNewer(current, held)) return this.#adopt(held, "the store");
    // It is new, was emptied or was set back: what is in use comes first (an epoch never goes back).
    const ours = current.epoch === 0 ? current.at(1) : current;
    if (!await store.write(ours)) return;
    this.#options.log("info", "the table of groups was written to Redis", { epoch: ours.epoch });
    this.#adopt(ours, "ourselves");
  }

  async #fetch(origin: string): Promise<void> {
    this.#adopt(await this.#options.fetch(origin), origin);
  }

  async #balance(): Promise<void> {
    const { store, published, count } = this.#options;
    const totals = new Map(published()), delta = new Map<number, number>();
    for (const [slot, total] of totals) {
      const messages = total - (this.#reported.get(slot) ?? 0);
      if (messages > 0) delta.set(slot, messages);
    }
    const load = await store.report(delta, BALANCE_MS);
    this.#reported = totals;
    if (!load) return;
    const perSecond = new Map<number, number>();
    for (const [slot, messages] of load.messages) perSecond.set(slot, messages * 1000 / load.ms);
    const base = this.table.current, moves = planMoves(base, count, perSecond);
    if (moves.size === 0) return;
    const next = base.moved(moves);
    if (await store.write(next, base)) this.#adopt(next, "the balance of load");
  }

  #adopt(groups: SlotGroups, from: string): void {
    const moved = this.table.adopt(groups);
    if (!moved) return;
    this.#options.log("info", "slots move to other groups", {
      slots: moved,
      epoch: groups.epoch,
      from,
    });
  }

  /** Says what is wrong once, and again when it changes or is over. */
  async #try(effort: Effort, run: () => Promise<void>): Promise<void> {
    const { log } = this.#options, { failed, mended } = EFFORTS[effort];
    try {
      await run();
      if (this.#troubles.delete(effort)) log("info", mended, { epoch: this.table.epoch });
    } catch (error) {
      if (this.#closed) return;
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#troubles.get(effort) === reason) return;
      this.#troubles.set(effort, reason);
      log("warn", failed, { reason, epoch: this.table.epoch });
    }
  }

  #watchBehind(allKnow: boolean, nowMs: number): void {
    if (allKnow) this.#behindSinceMs = undefined;
    else this.#behindSinceMs ??= nowMs;
    if (this.#behindSinceMs === undefined || nowMs - this.#behindSinceMs < BEHIND_MS) return;
    // Once until all agree.
    this.#behindSinceMs = Infinity;
    const advice = "some relays keep another table of groups: is --redis the same on all nodes?";
    this.#options.log("warn", advice, { epoch: this.table.epoch });
  }
}
