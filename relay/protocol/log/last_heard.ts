/**
 * When each origin was last heard of: a vector's entry outlives its origin's last message by so long, and no longer.
 *
 * @module
 */
import type { Origin } from "../message.ts";

export class LastHeard {
  readonly #heardMs = new Map<Origin, number>();
  readonly #forgetMs: number;
  /** Nothing is to be forgotten before. */
  #dueMs = Infinity;

  constructor(forgetMs: number) {
    this.#forgetMs = forgetMs;
  }

  /** When {@link forget} is due. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** A message of the origin arrived in the LAN at `atMs`. */
  heard(origin: Origin, atMs: number): void {
    const heardMs = this.#heardMs.get(origin);
    if (heardMs !== undefined && heardMs >= atMs) return;
    this.#heardMs.set(origin, atMs);
    if (heardMs === undefined) this.#dueMs = Math.min(this.#dueMs, atMs + this.#forgetMs);
  }

  /** By origin, how long since its last message. */
  idleMs(nowMs: number): Map<Origin, number> {
    const idleMs = new Map<Origin, number>();
    for (const [origin, atMs] of this.#heardMs) idleMs.set(origin, Math.max(0, nowMs - atMs));
    return idleMs;
  }

  /** The origins whose time is over: they are forgotten here, and to be forgotten elsewhere. */
  forget(nowMs: number): Origin[] {
    const forgotten: Origin[] = [];
    this.#dueMs = Infinity;
    for (const [origin, atMs] of this.#heardMs) {
      const dueMs = atMs + this.#forgetMs;
      if (dueMs <= nowMs) forgotten.push(origin);
      else this.#dueMs = Math.min(this.#dueMs, dueMs);
    }
    for (const origin of forgotten) this.#heardMs.delete(origin);
    return forgotten;
  }
}
