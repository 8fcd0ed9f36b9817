/**
 * What this relay does for the LAN cluster: it keeps groups as their custodian, exchanges digests with the others, and
 * tells its readers when it cannot know whether they have everything.
 *
 * @module
 */
import type { Backbone, Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { pause, within } from "../backbone/within.ts";
import { Custodian } from "./custodian.ts";
import { Exchanges } from "./exchanges.ts";
import { Freshness } from "./freshness.ts";
import type { Groups } from "./groups.ts";
import type { Logs } from "./logs.ts";
import { MEMBERSHIP_TIMERS, type Peer } from "./machines/membership.ts";
import type { Unreachable } from "./machines/missing.ts";
import type { Sight } from "./machines/staleness.ts";
import { LOOK_MS, Standstill } from "./machines/standstill.ts";
import type { Peers } from "./peers.ts";
import type { Digest } from "./protocol/frames.ts";
import type { Origin } from "./protocol/message.ts";
import type { RelayLog } from "./options.ts";
import { Pace } from "./pace.ts";
import type { Sync } from "./sync.ts";

export interface ClusterOptions {
  readonly clock: Clock;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly self: { readonly origin: Origin; readonly node: string };
  readonly backbone: Pick<Backbone, "tag">;
  readonly groups: Groups;
  readonly logs: Logs;
  readonly peers: Pick<Peers, "digest">;
  readonly sync: Pick<Sync, "from">;
  readonly table: Pick<GroupTable, "count" | "groupOf">;
  /** Who is in view now. */
  readonly view: ClusterView;
  /** What this relay says of itself has changed. */
  readonly changed: () => void;
  /** The readers of a group are to be told. */
  readonly tell: (group: Group, stale: boolean) => void;
  readonly log: RelayLog;
}

/** The other relays. */
export interface ClusterView {
  readonly peers: readonly Peer[];
  /** Those that vanished without a goodbye and cannot be reached. */
  readonly unreachable: readonly Unreachable[];
  /** Resolves once the view has settled: before, nobody in it does not mean alone. */
  readonly settled: Promise<void>;
  readonly isSettled: boolean;
}

/** A relay that leaves waits so long for what it alone holds to be held by others. */
const HAND_OVER_MS = 2000;
/** Between two looks at that. */
const HAND_OVER_STEP_MS = 50;

/** A peer that does not hear us, or is not heard, is in touch while exchanges with it succeed: a little more than a round. */
const OUT_OF_TOUCH_MS = 2500;

/** One relay's part in the cluster. */
export class Cluster {
  readonly exchanges: Exchanges;
  readonly freshness: Freshness;
  readonly #options: ClusterOptions;
  readonly #custodian: Custodian;
  readonly #pace: Pace;
  /** When each peer in view was last known to hear us and be heard, or showed what it holds. */
  readonly #touchMs = new Map<Origin, number>();
  /** Those that heard us when last looked at. */
  readonly #mutual = new Set<Origin>();
  readonly #standstill: Standstill;
  #members = "";
  #started = false;
  #cancelLook = () => {};

  constructor(options: ClusterOptions) {
    const { backbone, groups, peers, sync, table, view } = options;
    this.#options = options;
    this.#standstill = new Standstill(options.clock.nowMs());
    this.#lookOn();
    this.#pace = new Pace(backbone, table.count);
    this.exchanges = new Exchanges({
      ...options,
      custody: { custodians: (group) => this.#custodian.custodians(group) },
      hears: () => groups.heard,
      peers: () => view.peers,
      settled: view.settled,
      digest: (peer, digest) => peers.digest(peer, digest),
      pull: (peer, slots, pulled) => sync.from(peer, slots, pulled),
      synced: (origin, begunMs) => {
        this.#touchMs.set(origin, Math.max(this.#touchMs.get(origin) ?? begunMs, begunMs));
        this.#custodian.synced(origin, begunMs);
      },
    });
    this.#custodian = new Custodian({
      ...options,
      groupCount: table.count,
      covers: (origin, group) => this.exchanges.covers(origin, group),
      exchange: (peer) => this.exchanges.with(peer),
      changed: () => this.#changed(),
    });
    this.freshness = new Freshness({
      ...options,
      sync: () => this.exchanges.withAll(),
      waits: (group, ms) => this.#waits(group, ms),
    });
  }

  /** Who keeps what. */
  get custody(): Omit<Custodian, "follow" | "gained" | "synced"> {
    return this.#custodian;
  }

  /** Why traffic should not come here yet; empty when it may. */
  get waiting(): readonly string[] {
    if (!this.#options.view.isSettled) return ["looking for other relays"];
    const { length } = this.#custodian.unreadyGroups;
    this.#started ||= length === 0;
    return this.#started ? [] : [`fetching ${length} groups to keep`];
  }

  /** Whether this relay is a ready custodian of a slot. */
  keeps(slot: number): boolean {
    const { self, table } = this.#options;
    return this.custody.ready(table.groupOf(slot)).includes(self.origin);
  }

  /** It stood still until a moment ago, as a stopped process or machine does: others may have acted in its place. */
  get stoodStill(): boolean {
    const { clock, view } = this.#options, nowMs = clock.nowMs();
    return view.peers.length > 0 && this.#standstill.isRecent(nowMs);
  }

  /** Whether a slot is heard and what it missed before is still being fetched. */
  isJoining(slot: number): boolean {
    const { groups, table } = this.#options, group = table.groupOf(slot);
    return groups.hears(group) && this.freshness.isJoining(group);
  }

  /** The view, or what somebody in it says, may have changed. To be called a few times a second. */
  follow(): void {
    const { view } = this.#options;
    if (!view.isSettled) return;
    this.#custodian.follow(view.peers);
    this.#tag();
    this.freshness.follow(this.#sight());
    const members = view.peers.map(({ origin, mutual }) => origin + mutual).join();
    if (members === this.#members) return;
    this.#members = members;
    this.exchanges.prod();
  }

  /** Slots have got other groups: who keeps these lacks them. */
  moved(slots: readonly number[]): void {
    const { table } = this.#options;
    this.#custodian.gained(new Set(slots.map((slot) => table.groupOf(slot))));
    this.exchanges.prod();
  }

  /** A peer left the view. */
  left(origin: Origin): void {
    this.exchanges.forget(origin);
    this.#touchMs.delete(origin);
    this.#mutual.delete(origin);
  }

  /** A group is heard from now on. */
  async entered(group: Group): Promise<void> {
    this.freshness.entered(group, await this.exchanges.entered());
  }

  /** Answers a peer's digest. */
  digest(from: Origin, digest: Digest): Digest {
    return this.exchanges.answer(from, digest);
  }

  /** Waits until what this relay holds is on a ready custodian, if anybody is there to hold it; for 2 s at most. */
  async handOver(): Promise<void> {
    const { clock } = this.#options, endMs = clock.nowMs() + HAND_OVER_MS;
    while (!this.#isHeldByOthers() && clock.nowMs() < endMs) {
      const answered = await within(clock, endMs - clock.nowMs(), this.exchanges.round());
      if (!answered || this.#isHeldByOthers()) return;
      await pause(clock, HAND_OVER_STEP_MS);
    }
  }

  close(): void {
    this.#cancelLook();
    this.exchanges.close();
  }

  /** Looks at the clock from now on. */
  #lookOn(): void {
    const { clock } = this.#options;
    this.#standstill.look(clock.nowMs());
    this.#cancelLook = clock.after(LOOK_MS, () => this.#lookOn());
  }

  /** Whom this relay sees, and whom it hears but is out of touch with: a cut may go one way. */
  #sight(): Sight {
    const { clock, view } = this.#options, nowMs = clock.nowMs();
    const lost: Unreachable[] = [];
    for (const { origin, node, mutual } of view.peers) {
      this.#touch(origin, mutual, nowMs);
      const heardMs = this.#touchMs.get(origin) ?? nowMs;
      if (nowMs - heardMs >= OUT_OF_TOUCH_MS) lost.push({ origin, node, heardMs });
    }
    return {
      inView: view.peers.length - lost.length,
      unreachable: [...view.unreachable, ...lost],
      hasCustodian: (group) => this.custody.ready(group).length > 0,
    };
  }

  /** A peer is in view; `mutual`: each hears the other. */
  #touch(origin: Origin, mutual: boolean, nowMs: number): void {
    if (mutual) {
      this.#mutual.add(origin);
      this.#touchMs.set(origin, nowMs);
    } else if (this.#mutual.delete(origin)) {
      // Who says that it does not hear us has not for so long.
      this.#touchMs.set(origin, nowMs - MEMBERSHIP_TIMERS.expiryMs);
    } else if (!this.#touchMs.has(origin)) this.#touchMs.set(origin, nowMs);
  }

  #waits(group: Group, ms: number): boolean {
    const { logs, table } = this.#options;
    return logs.slots().some((slot) =>
      table.groupOf(slot) === group && (logs.peek(slot)?.waitingSinceMs ?? Infinity) <= ms
    );
  }

  #isHeldByOthers(): boolean {
    const { self, view } = this.#options;
    if (view.peers.length === 0) return true;
    return this.exchanges.heldGroups.every((group) =>
      this.custody.ready(group).some((origin) =>
        origin !== self.origin && this.exchanges.covers(origin, group)
      )
    );
  }

  #changed(): void {
    this.#tag();
    this.#options.changed();
  }

  #tag(): void {
    const { origin: self } = this.#options.self;
    this.#pace.follow((group) => this.custody.ready(group).filter((origin) => origin !== self));
  }
}
