/**
 * Virtual time for whole relays, whose work goes on in promises: time passes only when nothing is left to be done now.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../../backbone/clock.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/**
 * Resolves when every promise that can go on has gone on: the loop turns only when no microtask is left. (1.5 µs; a count
 * of awaited ticks would be a guess at how deep the relay's promises are.)
 */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Lets virtual time pass until `endMs`. Whatever waits for something real (a socket, a thread) is not waited for. */
export async function runUntil(clock: VirtualClock, endMs: number): Promise<void> {
  do await settled(); while (clock.runNext(endMs));
}

/** One machine's share of virtual time: it can be stopped as by SIGSTOP, and ended as by SIGKILL. */
export class ProcessClock implements Clock {
  readonly #clock: VirtualClock;
  /** What has waited since the process was stopped. */
  #waiting: { readonly timers: (() => void)[]; readonly arrivals: (() => void)[] } | undefined;
  #dead = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get isDead(): boolean {
    return this.#dead;
  }

  get isStopped(): boolean {
    return this.#waiting !== undefined;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  after(ms: number, fn: () => void): () => void {
    let cancelled = false;
    const cancel = this.#clock.after(ms, () => this.#do("timers", () => cancelled || fn()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Does something that has arrived from outside in this process: now, or when it goes on, or never. */
  run(fn: () => void): void {
    this.#do("arrivals", fn);
  }

  stop(): void {
    this.#waiting ??= { timers: [], arrivals: [] };
  }

  /**
   * What became due while it was stopped is done one after the other, each with its promises: what waits at its sockets
   * before its timers, or after.
   */
  resume(arrivalsFirst: boolean): void {
    const { timers, arrivals } = this.#waiting ?? { timers: [], arrivals: [] };
    this.#waiting = undefined;
    const all = arrivalsFirst ? [...arrivals, ...timers] : [...timers, ...arrivals];
    for (const fn of all) this.#clock.after(0, () => this.run(fn));
  }

  #do(what: "timers" | "arrivals", fn: () => void): void {
    if (this.#dead) return;
    if (this.#waiting) this.#waiting[what].push(fn);
    else fn();
  }

  kill(): void {
    this.#dead = true;
    this.#waiting = undefined;
  }
}
