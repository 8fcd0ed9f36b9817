/**
 * Time that passes only when a test says so.
 *
 * @module
 */
import type { Clock } from "../../backbone/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
  cancelled: boolean;
}

/** A clock at 0. Timers of one time run in the order they were set. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  /** A binary heap, the earliest first. */
  readonly #timers: Timer[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, fn: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, ms);
    const timer = { atMs, order: this.#order++, fn, cancelled: false };
    this.#push(timer);
    return () => void (timer.cancelled = true);
  }

  /** Runs what is due within the next `ms` milliseconds, and ends there. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#timers[0]; next && next.atMs <= endMs; next = this.#timers[0]) {
      this.#pop();
      if (next.cancelled) continue;
      this.#nowMs = next.atMs;
      next.fn();
    }
    this.#nowMs = endMs;
  }

  /** Runs the next timer that is due by `endMs`, where there is one; false if not, and it is `endMs` then. */
  runNext(endMs: number): boolean {
    let next = this.#timers[0];
    for (; next?.cancelled; next = this.#timers[0]) this.#pop();
    if (!next || next.atMs > endMs) {
      this.#nowMs = Math.max(this.#nowMs, endMs);
      return false;
    }
    this.#pop();
    this.#nowMs = next.atMs;
    next.fn();
    return true;
  }

  /** Runs until `done`, `stepMs` at a time; false if that takes more than `mostMs`. */
  advanceUntil(done: () => boolean, mostMs: number, stepMs = 1): boolean {
    for (const endMs = this.#nowMs + mostMs; !done();) {
      if (this.#nowMs >= endMs) return false;
      this.advance(stepMs);
    }
    return true;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    for (let up = (at - 1) >> 1; at > 0 && earlier(timer, heap[up]); up = (at - 1) >> 1) {
      heap[at] = heap[up] as Timer;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      const right = heap[down + 1];
      if (right && earlier(right, heap[down])) down++;
      const child = heap[down];
      if (child === undefined || !earlier(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

function earlier(a: Timer, b: Timer | undefined): boolean {
  if (b === undefined) return true;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
