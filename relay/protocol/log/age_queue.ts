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
  /** What came after newer ones, merged when somebody looks: one by one, a long snapshot would move a long log as often. */
  #late: Entry[] = [];

  /** `alive`: how many entries of the queue, with this one, are no skips. */
  push(entry: Entry, alive: number): void {
    if (this.#entries.length + this.#late.length - this.#head > 2 * alive + SLACK) this.#compact();
    const newest = this.#entries.at(-1);
    if (newest === undefined || newest.atMs <= entry.atMs) this.#entries.push(entry);
    else this.#late.push(entry);
  }

  /** The oldest. */
  peek(): Entry | undefined {
    if (this.#late.length > 0) this.#compact();
    let entry = this.#entries[this.#head];
    while (entry?.kind === "skip") entry = this.#entries[++this.#head];
    if (this.#head >= SLACK && this.#head >= this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Drops the dead, and puts the late ones behind all that are as old or older. */
  #compact(): void {
    const alive = this.#entries.slice(this.#head).filter(({ kind }) => kind !== "skip");
    this.#entries = this.#late.length === 0
      ? alive
      : alive.concat(this.#late).sort((a, b) => a.atMs - b.atMs);
    this.#late = [];
    this.#head = 0;
  }
}
