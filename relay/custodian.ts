/**
 * Runs the custody machine: hears the groups that this relay keeps, syncs with whoever holds something of them, and tells
 * when it is ready.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { Groups } from "./groups.ts";
import { Custody, type CustodyOutput, type CustodyView } from "./machines/custody.ts";
import type { Peer } from "./machines/membership.ts";
import type { Origin } from "./protocol/message.ts";
import type { RelayLog } from "./options.ts";

export interface CustodianOptions {
  readonly clock: Clock;
  readonly self: { readonly origin: Origin; readonly node: string };
  readonly groupCount: number;
  readonly groups: Pick<Groups, "acquire" | "release">;
  /** Whether a relay is known to lack nothing of what this one holds of a group. */
  readonly covers: (origin: Origin, group: Group) => boolean;
  /** Fetches whatever a peer has beyond this relay, and then calls {@link Custodian.synced}; false if it does not answer. */
  readonly exchange: (peer: Peer) => Promise<boolean>;
  /** What this relay is ready for has changed. */
  readonly changed: () => void;
  readonly log: RelayLog;
}

/** Before something that failed is tried again. */
const RETRY_MS = 1000;

/** Custody moves when relays come and go; only what lasts longer is worth a warning. */
const WARN_MS = 3000;

/** The driver of {@link Custody}. */
export class Custodian implements CustodyView {
  readonly #options: CustodianOptions;
  readonly #custody: Custody;
  /** Groups to be heard whose join failed, and peers that did not answer: when to try again. */
  readonly #retryMs = new Map<Group | Origin, number>();
  readonly #syncing = new Set<Origin>();
  #peers: readonly Peer[] = [];
  #hadCompany = false;
  /** Since when some group has lacked a ready custodian; undefined: none does. */
  #lackingMs: number | undefined;
  #warned = false;

  constructor(options: CustodianOptions) {
    this.#options = options;
    const { self, groupCount, covers } = options;
    this.#custody = new Custody({ self, groupCount, covers });
  }

  custodians(group: Group): readonly Origin[] {
    return this.#custody.custodians(group);
  }

  ready(group: Group): readonly Origin[] {
    return this.#custody.ready(group);
  }

  /** Who gives a group's messages places in an order, best first. */
  sequencers(group: Group): readonly Origin[] {
    return this.#custody.sequencers(group);
  }

  /** Whether this relay gives them places since a moment ago, and others did before. */
  isNew(group: Group): boolean {
    return this.#custody.isNew(group, this.#options.clock.nowMs());
  }

  /** The groups of which this relay was one, and may become one again or waits for others to be. */
  get keptGroups(): readonly Group[] {
    return this.#custody.keptGroups;
  }

  /** The groups of which this relay is a ready custodian. */
  get readyGroups(): readonly Group[] {
    return this.#custody.readyGroups;
  }

  /** The groups that it is to keep, but is not ready for. */
  get unreadyGroups(): readonly Group[] {
    return this.#custody.unreadyGroups;
  }

  /** The groups that fewer than two ready custodians keep. */
  get underReplicated(): readonly Group[] {
    return this.#custody.underReplicated;
  }

  /** Takes the peers in view. To be called a few times a second, from when the view has settled. */
  follow(peers: readonly Peer[]): void {
    const { clock } = this.#options;
    this.#peers = peers.filter(({ mutual }) => mutual);
    this.#custody.handleView(peers, clock.nowMs());
    this.#act();
    this.#warn(clock.nowMs());
  }

  /** Slots have been moved to these groups. */
  gained(groups: Iterable<Group>): void {
    this.#custody.handleGained(groups, this.#options.clock.nowMs());
    this.#act();
  }

  /** This relay has got whatever it lacked of what `origin` held at `begunMs`. */
  synced(origin: Origin, begunMs: number): void {
    this.#custody.handleSynced(origin, begunMs, this.#options.clock.nowMs());
    this.#act();
  }

  #act(): void {
    let changed = false;
    for (let output; (output = this.#custody.pollOutput());) {
      if (output.type === "changed") changed = true;
      else this.#obey(output);
    }
    this.#sync();
    if (changed) this.#options.changed();
  }

  #obey({ type, group }: Exclude<CustodyOutput, { type: "changed" }>): void {
    if (type === "acquire") void this.#enter(group);
    else if (!this.#retryMs.delete(group)) this.#options.groups.release(group);
  }

  async #enter(group: Group): Promise<void> {
    const { groups, clock, log } = this.#options;
    try {
      await groups.acquire(group);
      this.#custody.handleHeard(group, clock.nowMs());
      this.#act();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log("warn", "cannot hear a group to keep it", { group, reason });
      this.#retryMs.set(group, clock.nowMs() + RETRY_MS);
    }
  }

  /** Fetches what custody needs of the peers, one exchange each at a time. */
  #sync(): void {
    const nowMs = this.#options.clock.nowMs();
    const unsynced = new Set(this.#custody.unsynced);
    for (const peer of this.#peers) {
      const { origin } = peer;
      if (!unsynced.has(origin) || this.#syncing.has(origin)) continue;
      if ((this.#retryMs.get(origin) ?? 0) > nowMs) continue;
      void this.#syncWith(peer);
    }
    for (const group of this.#custody.unreadyGroups) {
      if ((this.#retryMs.get(group) ?? Infinity) > nowMs) continue;
      this.#retryMs.delete(group);
      void this.#enter(group);
    }
  }

  async #syncWith(peer: Peer): Promise<void> {
    const { origin } = peer, { exchange, clock } = this.#options;
    this.#syncing.add(origin);
    const answered = await exchange(peer);
    this.#syncing.delete(origin);
    if (answered) this.#retryMs.delete(origin);
    else this.#retryMs.set(origin, clock.nowMs() + RETRY_MS);
    this.#act();
  }

  #warn(nowMs: number): void {
    this.#hadCompany ||= this.#peers.length > 0;
    const groups = this.#hadCompany ? this.underReplicated.length : 0;
    this.#lackingMs = groups === 0 ? undefined : this.#lackingMs ?? nowMs;
    const lacking = this.#lackingMs !== undefined && nowMs - this.#lackingMs >= WARN_MS;
    if (lacking === this.#warned || (this.#warned && groups > 0)) return;
    this.#warned = lacking;
    if (lacking) {
      this.#options.log("warn", "groups with fewer than two ready custodians", { groups });
    } else this.#options.log("info", "every group has two ready custodians again");
  }
}
