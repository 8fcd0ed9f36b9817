/**
 * Runs anti-entropy with the relays in view: every 2 s and whenever the view changes, this relay exchanges digests with the
 * custodians of what it holds or hears, and either side pulls what it lacks (DESIGN "Anti-entropy").
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { within } from "../backbone/within.ts";
import type { Logs } from "./logs.ts";
import { AntiEntropy, type Holdings } from "./machines/anti_entropy.ts";
import type { CustodyView } from "./machines/custody.ts";
import type { Peer } from "./machines/membership.ts";
import type { Announcement } from "./protocol/announcement.ts";
import type { Digest, DigestEntry } from "./protocol/frames.ts";
import { FROM_NOWHERE, type Standing } from "./protocol/log/catch_up.ts";
import type { Origin, Vector } from "./protocol/message.ts";

export interface ExchangesOptions {
  readonly clock: Clock;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly logs: Logs;
  readonly table: Pick<GroupTable, "groupOf">;
  readonly custody: Pick<CustodyView, "custodians">;
  /** The groups heard now. */
  readonly hears: () => readonly Group[];
  /** The peers in view now. */
  readonly peers: () => readonly Peer[];
  /** Resolves once the view has settled. */
  readonly settled: Promise<void>;
  /** Tells one peer and resolves with what it tells; rejects when it does not answer. */
  readonly digest: (peer: Announcement, digest: Digest) => Promise<Digest>;
  /** Pulls slots from a peer, each from where the log stands, and every slot of `groups`; false if it did not answer. */
  readonly pull: (
    peer: Announcement,
    slots: ReadonlyMap<number, Standing>,
    groups: readonly Group[],
  ) => Promise<boolean>;
  /** This relay has got whatever it lacked of what `origin` held at `begunMs`, in the groups that it heard then. */
  readonly synced: (origin: Origin, begunMs: number) => void;
}

const ROUND_MS = 2000;
/** So far the time between rounds varies, so that relays started together do not go in step. */
const JITTER = 0.2;
/** Changes of the view come in bursts: one round for all that come within this. */
const SOON_MS = 50;

/** So long a pull of the same slot from another peer is waited for, which may bring all that is lacking. */
const OTHER_PULL_MS = 1000;

/** A group is served after this long though a peer in view does not answer: as stale, and what still comes is merged then. */
const JOIN_WAIT_MS = 5000;

/** Counts since the start. */
export interface ExchangeCounters {
  /** Exchanges that this relay began, and those that were not answered. */
  begun: number;
  failed: number;
  /** Slots told to peers, by request or answer. */
  told: number;
}

/** With one peer: the exchange under way, and the one that begins after it. */
interface Running {
  readonly done: Promise<boolean>;
  next?: Promise<boolean>;
}

/** The driver of {@link AntiEntropy}. */
export class Exchanges {
  readonly counters: ExchangeCounters = { begun: 0, failed: 0, told: 0 };
  readonly #options: ExchangesOptions;
  readonly #holdings: Holdings;
  readonly #machine: AntiEntropy;
  readonly #running = new Map<Origin, Running>();
  /** By slot, the pull that fetches it: other peers' copies wait for it. */
  readonly #pulling = new Map<number, Promise<boolean>>();
  /** By peer, the groups of which everything was pulled since this relay hears them. */
  readonly #entered = new Map<Origin, ReadonlySet<Group>>();
  #cancel = () => {};
  #dueMs = Infinity;
  #asOfMs: number;
  #closed = false;

  constructor(options: ExchangesOptions) {
    this.#options = options;
    this.#holdings = holdingsOf(options.logs, options.table);
    this.#machine = new AntiEntropy(this.#holdings);
    this.#asOfMs = options.wallMs();
  }

  /** When, by the wall clock, the last round began in which every custodian answered; before the first, the start. */
  get asOfMs(): number {
    return this.#asOfMs;
  }

  /** The groups of which this relay has something, ascending. */
  get heldGroups(): readonly Group[] {
    const groups = new Set<Group>();
    for (const slot of this.#holdings.slots()) {
      const group = this.#holdings.groupOf(slot);
      if (!groups.has(group) && this.#holdings.entry(slot)) groups.add(group);
    }
    return [...groups].sort((a, b) => a - b);
  }

  /** Runs a round soon, and from then on every 2 s. */
  prod(): void {
    this.#schedule(SOON_MS);
  }

  /** Exchanges digests with one peer, begun after this call; true once whatever it showed to be lacking here has come. */
  with(peer: Announcement): Promise<boolean> {
    const { origin } = peer, running = this.#running.get(origin);
    if (running) return running.next ??= running.done.then(() => this.with(peer));
    const done = this.#closed ? Promise.resolve(false) : this.#exchange(peer);
    this.#running.set(origin, { done });
    void done.then(() => this.#running.delete(origin));
    return done;
  }

  /** The same with every peer in view; true if all of them have answered. */
  async withAll(): Promise<boolean> {
    await this.#options.settled;
    const { peers } = this.#options;
    const answered = await Promise.all(
      peers().map(async (peer) => {
        const done = await this.with(peer);
        // Nobody waits for one that has left meanwhile.
        return done || !peers().some(({ origin }) => origin === peer.origin);
      }),
    );
    return answered.every((one) => one);
  }

  /** A group is heard from now on: the same with every peer in view, but for 5 s at most. */
  async entered(): Promise<boolean> {
    return await within(this.#options.clock, JOIN_WAIT_MS, this.withAll()) ?? false;
  }

  /** Answers a peer's digest, and begins to pull what it has beyond this relay. */
  answer(from: Origin, digest: Digest): Digest {
    const { answer, ahead } = this.#machine.answer(from, digest, this.#options.hears());
    const peer = this.#options.peers().find(({ origin }) => origin === from);
    if (peer && ahead.length > 0) void this.#pull(peer, ahead);
    this.counters.told += answer.entries.length;
    return answer;
  }

  /** Whether a peer has said that it lacks nothing of what this relay holds of a group. */
  covers(origin: Origin, group: Group): boolean {
    const { slots, groupOf } = this.#holdings;
    return this.#machine.isCovered(origin, [...slots()].filter((slot) => groupOf(slot) === group));
  }

  /** A peer left the view. */
  forget(origin: Origin): void {
    this.#machine.forget(origin);
    this.#entered.delete(origin);
  }

  /** Ends the rounds. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #schedule(inMs: number): void {
    const { clock } = this.#options, dueMs = clock.nowMs() + inMs;
    if (this.#closed || dueMs >= this.#dueMs) return;
    this.#cancel();
    this.#dueMs = dueMs;
    this.#cancel = clock.after(inMs, () => {
      this.#dueMs = Infinity;
      void this.round();
      this.#schedule(ROUND_MS * (1 - JITTER + 2 * JITTER * this.#options.random()));
    });
  }

  /** Exchanges digests with every custodian of what this relay holds or hears; false if there are some and none answered. */
  async round(): Promise<boolean> {
    const begunMs = this.#options.wallMs();
    const answered = await Promise.all(this.#targets().map((peer) => this.with(peer)));
    if (answered.every((one) => one)) this.#asOfMs = begunMs;
    return answered.length === 0 || answered.some((one) => one);
  }

  /** The custodians of what this relay holds or hears, and whoever is not heard or does not hear it. */
  #targets(): Peer[] {
    const { hears, custody, peers } = this.#options;
    const groups = new Set([...hears(), ...this.heldGroups]);
    const custodians = new Set([...groups].flatMap((group) => custody.custodians(group)));
    return peers().filter(({ origin, mutual }) => !mutual || custodians.has(origin));
  }

  async #exchange(peer: Announcement): Promise<boolean> {
    const { clock, custody, hears, digest, synced } = this.#options;
    const { origin } = peer, begunMs = clock.nowMs();
    const isCustodian = (group: Group) => custody.custodians(group).includes(origin);
    const request = this.#machine.request(origin, isCustodian, hears());
    this.counters.begun += 1;
    this.counters.told += request.entries.length;
    try {
      // At once, as if the digest had shown that all of it is lacking: somebody waits to be served.
      const entering = this.#enter(peer, request.groups);
      const answer = await digest(peer, request);
      const ahead = this.#machine.takeAnswer(origin, answer);
      const done = await entering && await this.#pull(peer, ahead);
      if (done) {
        this.#entered.set(origin, new Set(request.groups));
        synced(origin, begunMs);
      }
      return done;
    } catch {
      this.counters.failed += 1;
      return false;
    }
  }

  /** Pulls everything of groups that are heard only now: the peer says with it where its stream of them stands. */
  async #enter(peer: Announcement, heard: readonly Group[]): Promise<boolean> {
    const entered = this.#entered.get(peer.origin);
    const groups = heard.filter((group) => peer.holds.includes(group) && !entered?.has(group));
    return groups.length === 0 || await this.#options.pull(peer, NOTHING, groups);
  }

  async #pull(peer: Announcement, ahead: readonly DigestEntry[]): Promise<boolean> {
    const busy = ahead.map(({ slot }) => this.#pulling.get(slot)).filter((pull) =>
      pull !== undefined
    );
    if (busy.length > 0) await within(this.#options.clock, OTHER_PULL_MS, Promise.all(busy));
    const slots = new Map<number, Standing>();
    for (const entry of ahead) {
      const start = this.#holdings.pullFrom(entry);
      if (start) slots.set(entry.slot, start);
    }
    if (slots.size === 0) return true;
    const pulled = this.#options.pull(peer, slots, []);
    for (const slot of slots.keys()) this.#pulling.set(slot, pulled);
    const done = await pulled;
    for (const slot of slots.keys()) {
      if (this.#pulling.get(slot) === pulled) this.#pulling.delete(slot);
    }
    return done;
  }
}

/** A relay's logs, as digests see them. */
export function holdingsOf(logs: Logs, table: Pick<GroupTable, "groupOf">): Holdings {
  return {
    groupOf: (slot) => table.groupOf(slot),
    slots: () => logs.slots(),
    version: (slot) => logs.versionOf(slot),
    entry(slot) {
      const log = logs.peek(slot);
      if (!log || !stands(log.vector)) return undefined;
      return { slot, vector: log.vector, lost: log.lost() };
    },
    pullFrom({ slot, vector, lost }) {
      const log = logs.peek(slot);
      if (log) return log.pullFrom(vector, lost);
      return stands(vector) ? FROM_NOWHERE : undefined;
    },
  };
}

/** Whether a vector names anything. */
function stands(vector: Vector): boolean {
  for (const seq of vector.values()) if (seq > 0) return true;
  return false;
}

const NOTHING: ReadonlyMap<number, Standing> = new Map<number, Standing>();
