/**
 * Whether this relay stood still, as a stopped process or machine does, at once or in bits: others may have acted in its
 * place. It notices by its own looks at the clock, which come late then.
 *
 * @module
 */

/** Looks are due so often. */
export const LOOK_MS = 100;

/** So much lateness within so long is a standstill. What is less may pass unnoticed. */
const LATE_MS = 600;
const WITHIN_MS = 1200;

/** So long after it goes on, what it missed may not have come yet, nor have others heard of it again. */
const WAKING_MS = 1500;

export class Standstill {
  readonly #late: { readonly atMs: number; readonly ms: number }[] = [];
  #lookedMs: number;
  #wokeMs = -Infinity;

  constructor(nowMs: number) {
    this.#lookedMs = nowMs;
  }

  /** To be called every {@link LOOK_MS}. */
  look(nowMs: number): void {
    const ms = nowMs - this.#lookedMs - LOOK_MS;
    if (this.#lateMs(nowMs) >= LATE_MS) {
      this.#wokeMs = nowMs;
      this.#late.length = 0;
    } else if (ms > 0) this.#late.push({ atMs: nowMs, ms });
    while ((this.#late[0]?.atMs ?? Infinity) <= nowMs - WITHIN_MS) this.#late.shift();
    this.#lookedMs = nowMs;
  }

  /** Whether it did until a moment ago. */
  isRecent(nowMs: number): boolean {
    return nowMs - this.#wokeMs < WAKING_MS || this.#lateMs(nowMs) >= LATE_MS;
  }

  #lateMs(nowMs: number): number {
    const sum = this.#late.reduce(
      (sum, { atMs, ms }) => nowMs - atMs < WITHIN_MS ? sum + ms : sum,
      0,
    );
    return sum + Math.max(0, nowMs - this.#lookedMs - LOOK_MS);
  }
}
