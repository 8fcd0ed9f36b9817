/**
 * Entries by age, not by place: a snapshot may bring older ones after newer ones.
 *
 * @module
 */
import type { Entry } from "./timeline.ts";

/** Dead entries that may stay beyond one for each live one. */
const SLACK = 64;

/** Entries, oldest first. One that has become a skip elsewhere is gone from here too. */
export class AgeQueue {
  #entries: Entry[] = [];
  #head = 0;

  /** `alive`: how many entries of the queue, with this one, are no skips. */
  push(entry: Entry, alive: number): void {
    if (this.#entries.length - this.#head > 2 * alive + SLACK) this.#compact();
    const newest = this.#entries.at(-1);
    if (newest === undefined || newest.atMs <= entry.atMs) this.#entries.push(entry);
    else this.#entries.splice(this.#placeOf(entry.atMs), 0, entry);
  }

  /** The oldest. */
  peek(): Entry | undefined {
    let entry = this.#entries[this.#head];
    while (entry?.kind === "skip") entry = this.#entries[++this.#head];
    if (this.#head >= SLACK && this.#head >= this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Index behind all that are as old or older. */
  #placeOf(atMs: number): number {
    let low = this.#head, high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry && entry.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#head).filter(({ kind }) => kind !== "skip");
    this.#head = 0;
  }
}
