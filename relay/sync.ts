/**
 * Fetching from peers what multicast did not bring: what digests have shown to be lacking, what a held message waits for,
 * and what a cursor names beyond the log. Every fetch is a resume: it says where the log stands and merges the answer.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { within } from "../backbone/within.ts";
import type { Logs } from "./logs.ts";
import { MEMBERSHIP_TIMERS } from "./machines/membership.ts";
import type { Announcement } from "./protocol/announcement.ts";
import { type CatchUp, FROM_NOWHERE, type Standing } from "./protocol/log/catch_up.ts";
import { RangeSets } from "./protocol/log/range_set.ts";
import type { Pull } from "./protocol/frames.ts";
import type { Origin, Range } from "./protocol/message.ts";
import { Turns } from "./turns.ts";

export interface SyncOptions {
  readonly clock: Clock;
  readonly logs: Logs;
  readonly table: GroupTable;
  /** The peers in view now. */
  readonly peers: () => readonly Announcement[];
  /** Whether what a slot missed before it was heard is being fetched: until then everything waits for something. */
  readonly joining: (slot: number) => boolean;
  /** Resolves once the view has settled: before that, nobody in view does not mean alone. */
  readonly settled: Promise<void>;
  /** Asks one peer; resolves when it has answered all, rejects when it cannot be reached or stalls. */
  readonly ask: (
    peer: Announcement,
    pull: PullRequest,
    answer: (part: CatchUp) => void,
  ) => Promise<void>;
}

/** What is asked for: all slots of some groups, or some slots, each from where the log stands. */
export type PullRequest = Omit<Pull, "id" | "type">;

/** A slot is served after this long even if a peer is slow to answer: what it still brings is merged when it comes. */
const PULL_WAIT_MS = 2000;

/** A hole in multicast is usually repaired by NAK within this; only then are the peers asked. */
const HOLD_ASK_MS = 100;
const HOLD_RETRY_MS = 500;

/** Whoever did not answer is not asked for a slot again before: the next one would only wait as long. */
const UNANSWERED_MS = 2000;
/** For a publisher that states what it answers: those behind it wait too. */
const SOON_MS = 250;

/** Origins that were heard; relays of which this one knows nothing else, and forged ones, must not fill the memory. */
const MAX_HEARD = 1024;

/** Whole groups are pulled from one peer after the other, but nobody waits for one that brings nothing, or little at a time. */
const PATIENCE = { stalledMs: 500, longestMs: 5000 };

/** Of one slot: the pull under way, and the one that begins after it. */
interface SlotPull {
  readonly done: Promise<boolean>;
  next?: Promise<boolean>;
}

/** The fetching side of one relay. */
export class Sync {
  readonly #options: SyncOptions;
  readonly #slotPulls = new Map<number, SlotPull>();
  /** Peers that did not answer a moment ago. */
  readonly #silent = new Set<Origin>();
  readonly #holds = new Set<number>();
  /** When the origins of held messages were heard themselves, in or out of view. */
  readonly #heardMs = new Map<Origin, number>();
  readonly #timers = new Set<() => void>();
  readonly #turns: Turns;
  #pulls = 0;
  #failures = 0;
  #messages = 0;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#turns = new Turns(options.clock, PATIENCE);
  }

  /** Since the start: pulls begun and failed, and the messages that came. */
  get counters(): { readonly pulls: number; readonly failures: number; readonly messages: number } {
    return { pulls: this.#pulls, failures: this.#failures, messages: this.#messages };
  }

  /** Pulls slots from one peer, each from a place, and every slot of `groups`; false if it did not answer. */
  from(
    peer: Announcement,
    slots: ReadonlyMap<number, Standing>,
    groups: readonly Group[],
  ): Promise<boolean> {
    return groups.length === 0
      ? this.#ask(peer, { groups, slots })
      : this.#turns.take(() => this.#fromGroups(peer, slots, groups));
  }

  /**
   * Brings one slot up to what the peers hold, at the time of the call or later; true if every one has answered, within 2 s.
   * Who asks while a pull is under way shares the next one: of that one some answers may have been given already.
   */
  slot(slot: number): Promise<boolean> {
    const running = this.#slotPulls.get(slot);
    if (running) {
      return running.next ??= running.done.then(() => this.slot(slot));
    }
    const done = this.#pullSlot(slot);
    this.#slotPulls.set(slot, { done });
    void done.then(() => this.#slotPulls.delete(slot));
    return done;
  }

  /** The same, but waits no longer than it takes a sound peer to answer. */
  async slotSoon(slot: number): Promise<boolean> {
    return await within(this.#options.clock, SOON_MS, this.slot(slot)) ?? false;
  }

  /**
   * A message is held in this slot: sees to it that what it waits for is fetched, or known to be nowhere.
   * @param from the relay that it came from, if that published it: it lives, though it may not be in view yet.
   */
  held(slot: number, from?: Origin): void {
    if (from !== undefined) this.#heard(from);
    if (this.#holds.has(slot)) return;
    this.#holds.add(slot);
    this.#after(HOLD_ASK_MS, () => void this.#resolveHolds(slot));
  }

  /** Asks for nothing more. */
  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /** All that a peer has of groups; what it has in common with the one before, that one has brought. */
  #fromGroups(
    peer: Announcement,
    slots: ReadonlyMap<number, Standing>,
    groups: readonly Group[],
  ): Promise<boolean> {
    const { logs, table } = this.#options;
    const known = logs.slots().filter((slot) =>
      table.groupsOf(slot).some((group) => groups.includes(group))
    );
    return this.#ask(peer, { groups, slots: new Map([...this.#places(known), ...slots]) });
  }

  async #pullSlot(slot: number): Promise<boolean> {
    await this.#options.settled;
    const pull = { groups: [], slots: this.#places([slot]) }, peers = this.#options.peers();
    const sound = peers.filter(({ origin }) => !this.#silent.has(origin));
    const answers = await Promise.all(sound.map((peer) => this.#askSoon(peer, pull)));
    return sound.length === peers.length && answers.every((answered) => answered);
  }

  /** Waits for the answer, but not for ever; who gave none is not waited for again soon. */
  async #askSoon(peer: Announcement, pull: PullRequest): Promise<boolean> {
    const { origin } = peer;
    if (await within(this.#options.clock, PULL_WAIT_MS, this.#ask(peer, pull))) return true;
    this.#silent.add(origin);
    this.#after(UNANSWERED_MS, () => this.#silent.delete(origin));
    return false;
  }

  /** What every peer in view has said it lacks need not be waited for any longer (DESIGN "append"). */
  async #resolveHolds(slot: number): Promise<void> {
    const { logs, clock, peers, joining } = this.#options;
    if (joining(slot)) return void this.#after(HOLD_RETRY_MS, () => void this.#resolveHolds(slot));
    const live = new Set(peers().map(({ origin }) => origin));
    const recentMs = clock.nowMs() - MEMBERSHIP_TIMERS.expiryMs;
    // An origin that lives never lacks what it published, it only has not been heard; and what others said while it was
    // there is no verdict: it may have told them since.
    const gone = this.#missing(slot).filter(({ origin }) =>
      !live.has(origin) && (this.#heardMs.get(origin) ?? -Infinity) < recentMs
    );
    if (this.#missing(slot).length > 0 && live.size > 0 && await this.#pullSlot(slot)) {
      const still = intersection(gone, this.#missing(slot));
      if (still.length > 0) {
        logs.peek(slot)?.lacked(still, clock.nowMs());
        logs.touched(slot);
      }
    }
    if (this.#missing(slot).length > 0) {
      this.#after(HOLD_RETRY_MS, () => void this.#resolveHolds(slot));
    } else this.#holds.delete(slot);
  }

  #heard(origin: Origin): void {
    this.#heardMs.delete(origin);
    this.#heardMs.set(origin, this.#options.clock.nowMs());
    if (this.#heardMs.size <= MAX_HEARD) return;
    for (const oldest of this.#heardMs.keys()) return void this.#heardMs.delete(oldest);
  }

  #places(slots: readonly number[]): ReadonlyMap<number, Standing> {
    const { logs } = this.#options;
    return new Map(slots.map((slot) => [slot, logs.peek(slot)?.standing ?? FROM_NOWHERE]));
  }

  #missing(slot: number): readonly Range[] {
    return this.#options.logs.peek(slot)?.missing() ?? [];
  }

  /** Asks a peer and merges its answer; false if there was none. */
  async #ask(peer: Announcement, pull: PullRequest): Promise<boolean> {
    const outrun = await this.#askOnce(peer, pull);
    if (!outrun || outrun.length === 0) return outrun !== undefined;
    const again = await this.#askOnce(peer, { groups: [], slots: this.#places(outrun) });
    return again?.length === 0;
  }

  /**
   * Answers the slots whose answer was thrown away: their logs forgot meanwhile what they had asked from (DESIGN "Catch-up
   * is a resume"). Undefined if the peer did not answer.
   */
  async #askOnce(peer: Announcement, pull: PullRequest): Promise<number[] | undefined> {
    const { logs, clock } = this.#options;
    const outrun: number[] = [];
    this.#pulls += 1;
    try {
      await this.#options.ask(peer, pull, (part) => {
        this.#messages += part.messages.length + part.held.length;
        if (pull.groups.length > 0) this.#turns.comesOn();
        if (!logs.of(part.slot).merge(part, clock.nowMs())) outrun.push(part.slot);
        logs.touched(part.slot);
        if (this.#missing(part.slot).length > 0) this.held(part.slot);
      });
      return outrun;
    } catch {
      this.#failures += 1;
      return undefined;
    }
  }

  #after(ms: number, fn: () => void): () => void {
    const stop = this.#options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      fn();
    });
    const cancel = () => {
      this.#timers.delete(cancel);
      stop();
    };
    this.#timers.add(cancel);
    return cancel;
  }
}

/** The ranges that lie in both lists. */
function intersection(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  const common: Range[] = [], others = new RangeSets();
  for (const { origin, from, to } of b) others.add(origin, from, to);
  for (const { origin, from, to } of a) {
    for (const span of others.of(origin)?.within(from, to) ?? []) common.push({ origin, ...span });
  }
  return common;
}
