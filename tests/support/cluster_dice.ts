/**
 * Choices by a seeded random.
 *
 * @module
 */

export class Dice {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** 0 ≤ n < 1. */
  roll(): number {
    return this.#random();
  }

  /** A whole number, 0 ≤ n < `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  chance(likely: number): boolean {
    return this.#random() < likely;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}
