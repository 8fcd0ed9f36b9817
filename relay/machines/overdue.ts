/**
 * The publishes of one group that no acknowledgement has come for in time, and whom they were pushed to by unicast. The
 * ready custodians get them first to last: the next one when one refuses, or has said nothing for a while (DESIGN
 * "Custody"). None is asked for more while it owes an answer, so that a slow one is not buried.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";

/** A publish that waits for a ready custodian to hold its message. */
export interface Pending<T> {
  /** Its payload's, see `Backbone.send`; 0: of none, so that no acknowledgement speaks of it. */
  readonly ordinal: number;
  readonly sinceMs: number;
  readonly bytes: number;
  readonly publish: T;
  /** Not to be pushed before. */
  pushAtMs: number;
}

/** A custodian that has not answered for so long is not waited for: the next one is asked as well. */
const RANK_MS = 500;
/** One that refused, or could not be reached, is asked again after so long. */
const REST_MS = 100;
/** How often it is looked who may be asked now. */
const LOOK_MS = 50;
/** Bounds of one push. */
const MAX_PUSHED = 256;
const MAX_PUSHED_BYTES = 1024 * 1024;

export class Overdue<T> {
  readonly #pending = new Set<Pending<T>>();
  /** By custodian, the push that it owes an answer to. */
  readonly #unanswered = new Map<Origin, readonly Pending<T>[]>();
  /** Until when a custodian is let rest. */
  readonly #resting = new Map<Origin, number>();
  /** When to look again. */
  #lookAtMs = Infinity;

  /** Nothing is overdue, and no answer either. */
  get isEmpty(): boolean {
    return this.#pending.size === 0 && this.#unanswered.size === 0;
  }

  /** When {@link next} and {@link expire} are due. */
  get dueMs(): number {
    return this.#pending.size === 0 ? Infinity : this.#lookAtMs;
  }

  add(pending: Pending<T>): void {
    this.#pending.add(pending);
  }

  /** Takes out what was acknowledged. */
  take(from: number, through: number): Pending<T>[] {
    return this.#takeWhere(({ ordinal }) => ordinal >= from && ordinal <= through);
  }

  /** Takes out what has waited since `ms` or longer. */
  expire(ms: number): Pending<T>[] {
    return this.#takeWhere(({ sinceMs }) => sinceMs <= ms);
  }

  /** What to push to whom now; undefined: nothing, or there is nobody to ask. Ask until then. */
  next(
    custodians: readonly Origin[],
    nowMs: number,
  ): { readonly to: Origin; readonly pending: readonly Pending<T>[] } | undefined {
    this.#lookAtMs = nowMs + LOOK_MS;
    const to = custodians.find((origin) =>
      !this.#unanswered.has(origin) && (this.#resting.get(origin) ?? -Infinity) <= nowMs
    );
    if (to === undefined) return undefined;
    const pending = this.#due(nowMs);
    if (pending.length === 0) return undefined;
    for (const one of pending) one.pushAtMs = nowMs + RANK_MS;
    this.#unanswered.set(to, pending);
    return { to, pending };
  }

  /** A custodian has answered, or cannot; what it holds is taken out. */
  answered(from: Origin, holds: boolean, nowMs: number): Pending<T>[] {
    const pushed = this.#unanswered.get(from) ?? [];
    this.#unanswered.delete(from);
    if (holds) {
      this.#resting.delete(from);
      return pushed.filter((pending) => this.#pending.delete(pending));
    }
    this.#resting.set(from, nowMs + REST_MS);
    for (const pending of pushed) pending.pushAtMs = nowMs;
    return [];
  }

  #due(nowMs: number): Pending<T>[] {
    const due: Pending<T>[] = [];
    let bytes = 0;
    for (const pending of this.#pending) {
      if (pending.pushAtMs > nowMs) continue;
      bytes += pending.bytes;
      if (due.length === MAX_PUSHED || (due.length > 0 && bytes > MAX_PUSHED_BYTES)) break;
      due.push(pending);
    }
    return due;
  }

  #takeWhere(matches: (pending: Pending<T>) => boolean): Pending<T>[] {
    if (this.#pending.size === 0) return [];
    const taken = [...this.#pending].filter(matches);
    for (const pending of taken) this.#pending.delete(pending);
    return taken;
  }
}
