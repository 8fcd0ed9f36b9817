/**
 * The relay as an edge in the same process sees it.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import type { Interest } from "./interest.ts";
import type { Logs } from "./logs.ts";
import { type Cursor, cutIn } from "./protocol/cursor.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import { slotOf } from "./protocol/slot.ts";
import type {
  Draft,
  GapEvent,
  Metric,
  Outcome,
  Page,
  Published,
  Readiness,
  ReadRequest,
  Sink,
  StreamEvent,
  SubscribeRequest,
  Subscription,
  Upstream,
} from "./protocol/upstream.ts";
import { covers, NOWHERE } from "./protocol/vector.ts";
import type { Publisher } from "./publisher.ts";
import { RelaySubscription, type SubscriptionHooks } from "./subscription.ts";

export interface UpstreamOptions {
  readonly node: Upstream["node"];
  readonly clock: Clock;
  readonly table: GroupTable;
  readonly interest: Interest;
  readonly logs: Logs;
  readonly publisher: Pick<Publisher, "publish" | "publishAll">;
  /** Wall-clock milliseconds of this relay's last sync, for cursors. */
  readonly asOfMs: () => number;
  /** Brings a slot up to what the relays in view hold. */
  readonly pull: (slot: number) => Promise<unknown>;
  /** Whether readers of a group are to be told that nobody can tell whether they have everything. */
  readonly isStale: (group: Group) => boolean | undefined;
  /** Why traffic should not come here yet; empty when it may. */
  readonly waiting: () => readonly string[];
  /** What is amiss without keeping traffic away. */
  readonly notes: () => readonly string[];
  readonly metrics: () => readonly Metric[];
}

/** A subscription that takes nothing for so long is ended with `slow_reader` (INTERFACE "Limits": reader lag). */
const STALL_LIMIT_MS = 10_000;
const STALL_CHECK_MS = 1000;

/** A page of history ends after so many bytes of data, whatever its limit. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** The in-process {@link Upstream}. */
export class RelayUpstream implements Upstream {
  readonly node: Upstream["node"];
  readonly #options: UpstreamOptions;
  /** Subscriptions that take nothing for now, and since when. */
  readonly #stalledMs = new Map<RelaySubscription, number>();
  readonly #subscriptions = new Set<RelaySubscription>();
  #draining = false;
  #cancelCheck: (() => void) | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.node = options.node;
  }

  /** How many subscriptions are open. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  publish(draft: Draft): Promise<Published> {
    if (this.#draining) return Promise.reject(draining());
    return this.#options.publisher.publish(draft);
  }

  publishAll(drafts: readonly Draft[]): Promise<readonly Outcome[]> {
    if (this.#draining) return Promise.resolve(drafts.map(draining));
    return this.#options.publisher.publishAll(drafts);
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    const slots = channelsBySlot(request.channels);
    const release = await this.#enter(slots, request.start);
    const subscription = new RelaySubscription(sink, this.#hooks(release), this.#options.asOfMs);
    this.#subscriptions.add(subscription);
    this.#watch(subscription);
    this.#open(subscription, slots, request);
    return subscription;
  }

  async read(request: ReadRequest): Promise<Page> {
    const slots = channelsBySlot(request.channels);
    const release = await this.#enter(slots, request.start);
    const page = new PageSink(request.limit);
    const hooks = { stalled: () => {}, over: release };
    const subscription = new RelaySubscription(page, hooks, this.#options.asOfMs);
    this.#open(subscription, slots, request);
    if (request.limit > 0) subscription.resume();
    const cursor = subscription.cursor();
    subscription.close();
    return { events: page.events, cursor };
  }

  readiness(): Readiness {
    const reasons = this.#draining ? ["draining"] : this.#options.waiting();
    return { ready: reasons.length === 0, reasons, notes: this.#options.notes() };
  }

  metrics(): readonly Metric[] {
    return this.#options.metrics();
  }

  /** The readers of a group have become stale, or fresh again. */
  setStale(group: Group, stale: boolean): void {
    const isMeant = (slot: number) => this.#options.table.groupOf(slot) === group;
    for (const subscription of [...this.#subscriptions]) subscription.setStale(isMeant, stale);
  }

  /** Slots have moved to other groups: their readers are as stale as these are, once that is known. */
  moved(slots: readonly number[]): void {
    const { table, isStale } = this.#options, moved = new Set(slots);
    for (const stale of [true, false]) {
      const isMeant = (slot: number) => moved.has(slot) && isStale(table.groupOf(slot)) === stale;
      for (const subscription of [...this.#subscriptions]) subscription.setStale(isMeant, stale);
    }
  }

  /** Takes nothing new and ends every subscription with `draining`. Idempotent. */
  drain(): void {
    this.#draining = true;
    for (const subscription of [...this.#subscriptions]) subscription.end(draining());
    this.#cancelCheck?.();
  }

  /** Waits until the slots are heard and synced; answers how to give the interest up again. */
  async #enter(
    slots: ReadonlyMap<number, readonly string[]>,
    start: SubscribeRequest["start"],
  ): Promise<() => void> {
    if (this.#draining) throw draining();
    const unfollow = await this.#follow(slots.keys());
    const release = () => {
      unfollow();
      for (const slot of slots.keys()) this.#options.logs.touched(slot);
    };
    if (typeof start === "object") await this.#reach(slots, start);
    if (!this.#draining) return release;
    release();
    throw draining();
  }

  async #follow(slots: Iterable<number>): Promise<() => void> {
    try {
      return await this.#options.interest.follow(slots);
    } catch (cause) {
      throw new GroundwaveError("unavailable", "the channel's group cannot be heard now", {
        cause,
        retryAfterS: 2,
      });
    }
  }

  /**
   * A cursor ahead of the log is no error: what it names may be on its way, or on a peer (DESIGN "Forgetting"). One that
   * was cut may be.
   */
  async #reach(slots: ReadonlyMap<number, unknown>, cursor: Cursor): Promise<void> {
    const { logs, pull } = this.#options;
    const ahead = [...cursor.slots].filter(([slot, vector]) =>
      slots.has(slot) && (!covers(logs.vectorOf(slot), vector) || cutIn(cursor, slot).size > 0)
    );
    await Promise.all(ahead.map(([slot]) => pull(slot)));
  }

  #open(
    subscription: RelaySubscription,
    slots: ReadonlyMap<number, readonly string[]>,
    { start }: SubscribeRequest,
  ): void {
    const { logs, clock, table, isStale } = this.#options;
    const cursor = typeof start === "object" ? start : undefined;
    for (const [slot, channels] of slots) {
      const from = typeof start === "object" ? start.slots.get(slot) ?? NOWHERE : start;
      const resumed = cursor && { asOfMs: cursor.asOfMs, cut: cutIn(cursor, slot) };
      subscription.open(slot, slots.size === 1, (sink) => {
        return logs.of(slot).open(channels, from, clock.nowMs(), { sink, ...resumed });
      });
    }
    subscription.setStale((slot) => isStale(table.groupOf(slot)) === true, true);
  }

  #hooks(release: () => void): SubscriptionHooks {
    return {
      stalled: (subscription, stalled) => {
        if (stalled) this.#watch(subscription);
        else this.#stalledMs.delete(subscription);
      },
      over: (subscription) => {
        this.#subscriptions.delete(subscription);
        this.#stalledMs.delete(subscription);
        release();
      },
    };
  }

  #watch(subscription: RelaySubscription): void {
    this.#stalledMs.set(subscription, this.#options.clock.nowMs());
    this.#cancelCheck ??= this.#options.clock.after(STALL_CHECK_MS, () => this.#check());
  }

  #check(): void {
    this.#cancelCheck = undefined;
    const limitMs = this.#options.clock.nowMs() - STALL_LIMIT_MS;
    for (const [subscription, sinceMs] of this.#stalledMs) {
      if (sinceMs <= limitMs) {
        subscription.end(
          new GroundwaveError("slow_reader", "the reader took nothing for 10 s", {
            retryAfterS: 1,
          }),
        );
      }
    }
    if (this.#stalledMs.size > 0) {
      this.#cancelCheck = this.#options.clock.after(STALL_CHECK_MS, () => this.#check());
    }
  }
}

/** Collects a page: it ends before what a gap would have to tell apart, as a cursor over many slots is long to write. */
class PageSink implements Sink {
  readonly events: StreamEvent[] = [];
  readonly #limit: number;
  #messages = 0;
  #bytes = 0;
  /** Of the gaps before the first message: of when the first was told, as the page is read later. */
  #gapCursor: string | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  event(event: StreamEvent): boolean {
    if (event.type === "gap") return this.#gap(event);
    this.events.push(event);
    if (event.type !== "message") return true;
    this.#messages += 1;
    this.#bytes += event.message.data.length;
    return this.#messages < this.#limit && this.#bytes < PAGE_BYTES;
  }

  #gap(event: GapEvent): boolean {
    const { type, channel, reason, missing } = event;
    const cursor = this.#messages > 0 ? event.cursor : this.#gapCursor ??= event.cursor;
    this.events.push({ type, channel, reason, missing, cursor });
    return this.#messages === 0;
  }

  closed(): void {
    // Nothing ends a page from outside: it is read within one turn of the loop.
  }
}

function channelsBySlot(channels: readonly string[]): ReadonlyMap<number, readonly string[]> {
  return Map.groupBy(channels, slotOf);
}

function draining(): GroundwaveError {
  return new GroundwaveError("draining", "this relay is shutting down", { retryAfterS: 1 });
}
