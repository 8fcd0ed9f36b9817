/**
 * Custody: for each group two relays keep all its slots, so that what one of them has acknowledged outlives the crash of
 * any one relay (DESIGN "Custody"). Views may differ for a while; then more than two keep a group, and nothing is lost.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";
import { asReady, type Duty, isUnsynced, type Keeper, wasReady } from "./duty.ts";
import { rank } from "./rendezvous.ts";

/** How many relays keep a group. */
const CUSTODIANS = 2;

/** How long a relay that is no custodian any more keeps its groups at least: views need that to agree. */
const RETIRE_MS = 10_000;

/** So long after a move all peers are asked for its slots: from then on those that have some say so, by the new table. */
const TELL_MS = 10_000;

/** Looking whether others cover a group goes through all its slots: not more often than this. */
const LOOK_MS = 1000;

/** So long after one relay became ready others may be asked to give places as before: by then all have heard of it, twice. */
const NEW_MS = 1500;

/** Who keeps what, in this relay's view. */
export interface CustodyView {
  /** The relays that are to keep a group, best first; this one may be among them. */
  custodians(group: number): readonly Origin[];
  /** Those of them that are ready: they have synced with whoever held something of it. */
  ready(group: number): readonly Origin[];
}

/** What the driver has to do. Of each group `acquire` and `release` alternate. */
export type CustodyOutput =
  /** Hear the group, then call {@link Custody.handleHeard}. */
  | { readonly type: "acquire"; readonly group: number }
  /** It need not be heard for custody any longer. */
  | { readonly type: "release"; readonly group: number }
  /** {@link Custody.readyGroups} or {@link Custody.keptGroups} has changed: the others should hear of it. */
  | { readonly type: "changed" };

export interface CustodyOptions {
  readonly self: Pick<Keeper, "origin" | "node">;
  /** Groups are 1 to this. */
  readonly groupCount: number;
  /** Whether a relay is known to lack nothing of what this one holds of a group. */
  readonly covers: (origin: Origin, group: number) => boolean;
}

/** One relay's custody of all groups. Feed it with the view, with what was heard and synced, and with time. */
export class Custody implements CustodyView {
  readonly #options: CustodyOptions;
  readonly #duties = new Map<number, Duty>();
  readonly #outputs: CustodyOutput[] = [];
  #inView: readonly Keeper[] = [];
  /** Those of them that hear us. */
  #peers: readonly Keeper[] = [];
  #members = "";
  #lookAtMs = -Infinity;
  #custodians: readonly (readonly Origin[])[] = [];

  constructor(options: CustodyOptions) {
    this.#options = options;
  }

  custodians(group: number): readonly Origin[] {
    return this.#custodians[group] ?? [];
  }

  ready(group: number): readonly Origin[] {
    const { self } = this.#options;
    return this.custodians(group).filter((origin) =>
      origin === self.origin
        ? this.#duties.get(group)?.state === "ready"
        : this.#peers.some((peer) => peer.origin === origin && peer.ready.includes(group))
    );
  }

  /**
   * Who gives a group's messages places in an order, best first: the ready custodians. Where none is ready, those that were:
   * a relay that joins becomes a custodian before it has anything. Where nobody is left of these, whoever is heard to say so,
   * and may not hear us.
   */
  sequencers(group: number): readonly Origin[] {
    const ready = this.ready(group);
    if (ready.length > 0) return ready;
    const duty = this.#duties.get(group), own = duty && wasReady(duty) ? [this.#options.self] : [];
    const others = this.#othersWithAll(group);
    const near = [...own, ...others.filter(({ mutual }) => mutual)];
    return rank(group, near.length > 0 ? near : others).map(({ origin }) => origin);
  }

  /** Whether this relay became ready a moment ago, and others gave places before: what they gave one may not have come yet. */
  isNew(group: number, nowMs: number): boolean {
    const duty = this.#duties.get(group);
    return duty?.state === "ready" && nowMs < duty.newUntilMs;
  }

  /** The groups of which this relay was a ready custodian, and may become one again or waits for others to be. */
  get keptGroups(): readonly number[] {
    return this.#groupsIn(wasReady);
  }

  /** The groups of which this relay is a ready custodian, ascending. */
  get readyGroups(): readonly number[] {
    return this.#groupsIn((duty) => duty.state === "ready");
  }

  /** The groups of which this relay is a custodian, but not ready yet, ascending. */
  get unreadyGroups(): readonly number[] {
    return this.#groupsIn((duty) => duty.state === "entering" || duty.state === "syncing");
  }

  /** The groups that fewer than two ready custodians keep. */
  get underReplicated(): readonly number[] {
    const groups = Array.from({ length: this.#options.groupCount }, (_, i) => i + 1);
    return groups.filter((group) => this.ready(group).length < CUSTODIANS);
  }

  /** The relays that this one has to be synced with before it is ready, for one group at least. */
  get unsynced(): readonly Origin[] {
    return this.#peers.filter((peer) =>
      [...this.#duties].some(([group, duty]) => isUnsynced(duty, group, peer))
    ).map(({ origin }) => origin);
  }

  /** The view, now. To be called for the first time once it has settled: before, nobody in view does not mean alone. */
  handleView(peers: readonly Keeper[], nowMs: number): void {
    this.#inView = peers;
    // Who does not hear us would not know that we keep something.
    this.#peers = peers.filter(({ mutual }) => mutual);
    const members = this.#peers.map(({ origin, node }) => origin + node).sort().join("\n");
    if (members !== this.#members || this.#custodians.length === 0) {
      this.#members = members;
      this.#assign(nowMs);
    }
    this.handleTimeout(nowMs);
  }

  /** A group that was to be acquired is heard from now on. */
  handleHeard(group: number, nowMs: number): void {
    const duty = this.#duties.get(group);
    if (duty?.state === "retiring") this.#duties.set(group, { ...duty, heard: true });
    if (duty?.state !== "entering") return;
    this.#sync(group, nowMs);
    this.#settle(nowMs);
  }

  /** Slots have been moved to these groups: who is ready for one lacks them, and others do not say yet that they hold some. */
  handleGained(groups: Iterable<number>, nowMs: number): void {
    for (const group of groups) {
      const duty = this.#duties.get(group);
      if (duty?.state !== "ready" && duty?.state !== "syncing") continue;
      this.#sync(group, nowMs, true);
      if (duty.state === "ready") this.#outputs.push({ type: "changed" });
    }
    this.#settle(nowMs);
  }

  /** This relay has got whatever it lacked of what `origin` held at `begunMs` or later. */
  handleSynced(origin: Origin, begunMs: number, nowMs: number): void {
    for (const duty of this.#duties.values()) {
      if (duty.state === "syncing" && duty.sinceMs <= begunMs) duty.synced.add(origin);
    }
    this.#settle(nowMs);
  }

  /** Time has passed, or what others cover has changed. Due a few times a second. */
  handleTimeout(nowMs: number): void {
    this.#relax(nowMs);
    this.#settle(nowMs);
    const due = [...this.#duties].filter(([, duty]) =>
      duty.state === "retiring" && nowMs - duty.sinceMs >= RETIRE_MS
    );
    if (due.length === 0 || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_MS;
    for (const [group] of due) {
      if (!this.#isKeptByOthers(group)) continue;
      const duty = this.#duties.get(group);
      this.#duties.delete(group);
      this.#outputs.push({ type: "release", group });
      if (duty && wasReady(duty)) this.#outputs.push({ type: "changed" });
    }
  }

  /** What to do next, oldest first. */
  pollOutput(): CustodyOutput | undefined {
    return this.#outputs.shift();
  }

  #groupsIn(filter: (duty: Duty) => boolean): readonly number[] {
    const groups = [...this.#duties].filter(([, duty]) => filter(duty)).map(([group]) => group);
    return groups.sort((a, b) => a - b);
  }

  #assign(nowMs: number): void {
    const { self, groupCount } = this.#options;
    const candidates = [self, ...this.#peers];
    this.#custodians = Array.from(
      { length: groupCount + 1 },
      (_, group) => rank(group, candidates).slice(0, CUSTODIANS).map(({ origin }) => origin),
    );
    for (let group = 1; group <= groupCount; group++) {
      if (this.custodians(group).includes(self.origin)) this.#takeUp(group, nowMs);
      else this.#retire(group, nowMs);
    }
  }

  #takeUp(group: number, nowMs: number): void {
    const duty = this.#duties.get(group);
    if (duty === undefined) {
      this.#duties.set(group, { state: "entering" });
      this.#outputs.push({ type: "acquire", group });
    } else if (duty.state === "retiring") {
      if (duty.heard) this.#sync(group, nowMs);
      else this.#duties.set(group, { state: "entering" });
    }
  }

  #sync(group: number, sinceMs: number, everybody = false): void {
    const duty = this.#duties.get(group), was = duty && asReady(duty);
    this.#duties.set(group, { state: "syncing", sinceMs, synced: new Set(), everybody, was });
  }

  #retire(group: number, nowMs: number): void {
    const duty = this.#duties.get(group);
    if (duty === undefined || duty.state === "retiring") return;
    const heard = duty.state !== "entering";
    this.#duties.set(group, { state: "retiring", sinceMs: nowMs, heard, was: asReady(duty) });
    if (duty.state === "ready") this.#outputs.push({ type: "changed" });
  }

  /** One peer that answers nothing must not keep a group from everybody that had slots moved to it. */
  #relax(nowMs: number): void {
    for (const [group, duty] of this.#duties) {
      if (duty.state !== "syncing" || !duty.everybody || nowMs - duty.sinceMs < TELL_MS) continue;
      this.#duties.set(group, { ...duty, everybody: false });
    }
  }

  #settle(nowMs: number): void {
    for (const [group, duty] of this.#duties) {
      if (duty.state !== "syncing") continue;
      if (this.#peers.some((peer) => isUnsynced(duty, group, peer))) continue;
      const isFirst = this.#othersWithAll(group).length === 0;
      const newUntilMs = duty.was?.newUntilMs ?? (isFirst ? -Infinity : nowMs + NEW_MS);
      this.#duties.set(group, { state: "ready", newUntilMs });
      this.#outputs.push({ type: "changed" });
    }
  }

  #othersWithAll(group: number): readonly Keeper[] {
    return this.#inView.filter(({ ready, kept }) => ready.includes(group) || kept.includes(group));
  }

  /** One alone would be too few: a crash may follow at once (model counter-example 10). */
  #isKeptByOthers(group: number): boolean {
    const ready = this.ready(group);
    return ready.length >= CUSTODIANS &&
      ready.every((origin) => this.#options.covers(origin, group));
  }
}
