/**
 * The origins a relay has heard of within a day: a cursor that names another is answered with a gap, for nobody can tell
 * what it has missed (DESIGN "Forgetting").
 *
 * @module
 */
import type { Origin } from "./protocol/message.ts";

/** How long an origin is remembered after it was last heard of. */
export const REMEMBER_MS = 24 * 60 * 60 * 1000;

/** More are not kept: at 300 restarts of 30 relays a day that is enough, and forged ones cannot fill the memory. */
const MAX_ORIGINS = 10_000;

/** When each origin was last heard of. */
export class Origins {
  readonly #heardMs = new Map<Origin, number>();

  /** `origin` was heard of `ageMs` ago, here or by a peer. */
  hear(origin: Origin, nowMs: number, ageMs = 0): void {
    const heardMs = nowMs - ageMs;
    const before = this.#heardMs.get(origin);
    if (ageMs >= REMEMBER_MS || (before !== undefined && before >= heardMs)) return;
    // Kept in the order of hearing, roughly, so that what is dropped first was heard first.
    this.#heardMs.delete(origin);
    this.#heardMs.set(origin, heardMs);
    if (this.#heardMs.size > MAX_ORIGINS) this.#dropOldest();
  }

  /** How many are known, give or take those whose day is over. */
  get size(): number {
    return this.#heardMs.size;
  }

  /** Whether `origin` was heard of within a day. */
  knows(origin: Origin, nowMs: number): boolean {
    const heardMs = this.#heardMs.get(origin);
    return heardMs !== undefined && nowMs - heardMs < REMEMBER_MS;
  }

  /** What to tell a peer: every origin of the last day and how long ago it was heard of. */
  list(nowMs: number): readonly { readonly origin: Origin; readonly ageMs: number }[] {
    const list = [];
    for (const [origin, heardMs] of this.#heardMs) {
      const ageMs = nowMs - heardMs;
      if (ageMs < REMEMBER_MS) list.push({ origin, ageMs });
      else this.#heardMs.delete(origin);
    }
    return list;
  }

  #dropOldest(): void {
    const [oldest] = this.#heardMs.keys();
    if (oldest !== undefined) this.#heardMs.delete(oldest);
  }
}
