/**
 * The wires between simulated machines: who reaches whom, how long it takes, what is lost.
 *
 * @module
 */
import type { VirtualClock } from "./virtual_clock.ts";

/** How bad the wires are. */
export interface Weather {
  /** How likely a datagram is lost on its way to one machine. */
  readonly loss: number;
  /** How likely something takes far longer than the others, and by how much at most, in milliseconds. */
  readonly slow: number;
  readonly slowMs: number;
  /** How long a switch may take to pass on a group that was joined, in milliseconds. */
  readonly joinMs: number;
}

/** Wires on which nothing is lost. */
export const FAIR: Weather = { loss: 0, slow: 0, slowMs: 0, joinMs: 0 };

/** What a datagram or segment takes in milliseconds, and a random part of it. */
const WIRE_MS = 0.05;
const JITTER_MS = 0.5;

/** All wires of one LAN. Machines are known by their numbers. */
export class Wires {
  readonly clock: VirtualClock;
  readonly random: () => number;
  /** May be changed at any time. */
  weather: Weather = FAIR;
  readonly #cut = new Set<string>();

  constructor(clock: VirtualClock, random: () => number) {
    this.clock = clock;
    this.random = random;
  }

  /** From now on nothing of `from` reaches `to`; the way back is another matter. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(from: number, to: number): void {
    this.#cut.delete(`${from}>${to}`);
  }

  healAll(): void {
    this.#cut.clear();
  }

  isOpen(from: number, to: number): boolean {
    return !this.#cut.has(`${from}>${to}`);
  }

  /** Whether a datagram gets through. */
  passes(from: number, to: number): boolean {
    return this.isOpen(from, to) && this.random() >= this.weather.loss;
  }

  /** How long something is on its way, in milliseconds. */
  delayMs(): number {
    const { slow, slowMs } = this.weather;
    const extraMs = slow > 0 && this.random() < slow ? this.random() * slowMs : 0;
    return WIRE_MS + this.random() * JITTER_MS + extraMs;
  }
}
