/**
 * How far publishes have come: each waits until a ready custodian other than this relay holds its message (DESIGN "Publish
 * levels"). Multicast acknowledgements say so in most cases; what none has spoken of after 50 ms is pushed by unicast,
 * again and again until its time is over.
 *
 * Feed it with publishes, acknowledgements, answers to pushes and time; poll its outputs after each.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";
import { OrdinalQueue } from "./ordinal_queue.ts";
import { Overdue, type Pending } from "./overdue.ts";

/** Without an acknowledgement for so long, a publish is pushed. */
export const PUSH_AFTER_MS = 50;
/** A publish that no custodian holds by then has failed, though its message may still arrive. */
export const REPLICATE_MS = 3000;

/** Bounds of what waits in all groups together; a publisher is refused beyond. */
const MAX_PENDING = 100_000;
const MAX_PENDING_BYTES = 64 * 1024 * 1024;

/** What has come of publishes, and what to do. `T` is what the driver knows a publish by. */
export type PublishingOutput<T> =
  | { readonly type: "replicated" | "late"; readonly publishes: readonly T[] }
  /** Push these to a custodian, and hand its answer to {@link Publishing.pushed}. */
  | {
    readonly type: "push";
    readonly group: number;
    readonly to: Origin;
    readonly publishes: readonly T[];
  };

interface Group<T> {
  /** No acknowledgement yet, and none missed either. */
  readonly young: OrdinalQueue<Pending<T>>;
  readonly overdue: Overdue<T>;
}

export class Publishing<T> {
  readonly #custodians: (group: number) => readonly Origin[];
  /** Those in which something waits. */
  readonly #groups = new Map<number, Group<T>>();
  #outputs: PublishingOutput<T>[] = [];
  #count = 0;
  #bytes = 0;

  /** @param custodians the ready custodians of a group now, best first, without this relay. */
  constructor(custodians: (group: number) => readonly Origin[]) {
    this.#custodians = custodians;
  }

  /** Publishes that wait. */
  get pending(): number {
    return this.#count;
  }

  /** Whether one more may wait. */
  get hasRoom(): boolean {
    return this.#count < MAX_PENDING && this.#bytes < MAX_PENDING_BYTES;
  }

  /** A message was sent to a group as the payload of this ordinal, which is above those before. */
  sent(group: number, ordinal: number, bytes: number, publish: T, nowMs: number): void {
    const pushAtMs = nowMs + PUSH_AFTER_MS;
    const pending: Pending<T> = { ordinal, sinceMs: nowMs, bytes, publish, pushAtMs };
    this.#group(group).young.push(pending);
    this.#wait(pending);
  }

  /** A message that was sent long ago has to be held as well: acknowledgements no longer speak of it, so it is pushed. */
  sentBefore(group: number, bytes: number, publish: T, nowMs: number): void {
    const pending: Pending<T> = { ordinal: 0, sinceMs: nowMs, bytes, publish, pushAtMs: nowMs };
    const { overdue } = this.#group(group);
    overdue.add(pending);
    this.#wait(pending);
    this.#push(group, overdue, nowMs);
  }

  /** `from` was handed all payloads of these ordinals, both included. It counts if it is a ready custodian. */
  acknowledged(group: number, origin: Origin, from: number, through: number): void {
    const pending = this.#groups.get(group);
    if (!pending || !this.#custodians(group).includes(origin)) return;
    this.#end("replicated", pending.young.take(from, through));
    this.#end("replicated", pending.overdue.take(from, through));
    this.#tidy(group, pending);
  }

  /** A custodian has answered a push: it `holds` all of it as a ready custodian, or it does not, or there was no answer. */
  pushed(group: number, to: Origin, holds: boolean, nowMs: number): void {
    const pending = this.#groups.get(group);
    if (!pending) return;
    this.#end("replicated", pending.overdue.answered(to, holds, nowMs));
    this.#push(group, pending.overdue, nowMs);
    this.#tidy(group, pending);
  }

  /** Time has passed. */
  handleTimeout(nowMs: number): void {
    for (const [group, pending] of this.#groups) {
      const { young, overdue } = pending;
      for (let first = young.first; first && first.pushAtMs <= nowMs; first = young.first) {
        young.shift();
        overdue.add(first);
      }
      if (overdue.isEmpty) continue;
      this.#end("late", overdue.expire(nowMs - REPLICATE_MS));
      this.#push(group, overdue, nowMs);
      this.#tidy(group, pending);
    }
  }

  /** When {@link handleTimeout} is due; Infinity: not until something is sent. Never more than 50 ms after what was sent last. */
  nextTimeoutMs(): number {
    let next = Infinity;
    for (const { young, overdue } of this.#groups.values()) {
      next = Math.min(next, young.first?.pushAtMs ?? Infinity, overdue.dueMs);
    }
    return next;
  }

  /** What happened since, oldest first. */
  takeOutputs(): readonly PublishingOutput<T>[] {
    const outputs = this.#outputs;
    if (outputs.length > 0) this.#outputs = [];
    return outputs;
  }

  /** Gives up all that waits. */
  abandon(): void {
    for (const { young, overdue } of this.#groups.values()) {
      this.#end("late", young.take(0, Infinity));
      this.#end("late", overdue.expire(Infinity));
    }
    this.#groups.clear();
  }

  #push(group: number, overdue: Overdue<T>, nowMs: number): void {
    const custodians = this.#custodians(group);
    for (let push; (push = overdue.next(custodians, nowMs));) {
      const publishes = push.pending.map(({ publish }) => publish);
      this.#outputs.push({ type: "push", group, to: push.to, publishes });
    }
  }

  #group(number: number): Group<T> {
    let group = this.#groups.get(number);
    if (!group) {
      group = { young: new OrdinalQueue(), overdue: new Overdue() };
      this.#groups.set(number, group);
    }
    return group;
  }

  #wait({ bytes }: Pending<T>): void {
    this.#count += 1;
    this.#bytes += bytes;
  }

  #end(type: "replicated" | "late", ended: readonly Pending<T>[]): void {
    if (ended.length === 0) return;
    this.#count -= ended.length;
    for (const { bytes } of ended) this.#bytes -= bytes;
    this.#outputs.push({ type, publishes: ended.map(({ publish }) => publish) });
  }

  #tidy(number: number, { young, overdue }: Group<T>): void {
    if (young.length === 0 && overdue.isEmpty) this.#groups.delete(number);
  }
}
