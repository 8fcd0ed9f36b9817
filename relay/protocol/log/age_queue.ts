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
  /** The first one makes it, with room for no other: there may be millions of queues of one entry. */
  #entries: Entry[] | undefined;
  #head = 0;
  /** What came after newer ones, merged when somebody looks: one by one, a long snapshot would move a long log as often. */
  #late: Entry[] | undefined;

  /** `alive`: how many entries of the queue, with this one, are no skips. */
  push(entry: Entry, alive: number): void {
    if (this.#entries === undefined) {
      this.#entries = [entry];
      return;
    }
    const late = this.#late?.length ?? 0;
    if (this.#entries.length + late - this.#head > 2 * alive + SLACK) this.#compact();
    const newest = this.#entries.at(-1);
    if (newest === undefined || newest.atMs <= entry.atMs) this.#entries.push(entry);
    else (this.#late ??= []).push(entry);
  }

  /** The oldest. */
  peek(): Entry | undefined {
    if (this.#late) this.#compact();
    if (!this.#entries) return undefined;
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
    const alive = (this.#entries ?? []).slice(this.#head).filter(({ kind }) => kind !== "skip");
    this.#entries = this.#late ? alive.concat(this.#late).sort((a, b) => a.atMs - b.atMs) : alive;
    this.#late = undefined;
    this.#head = 0;
  }
}
