/**
 * Arithmetic of 32-bit sequence numbers that wrap (RFC 1982, as RFC 3208 §3.2 asks): of two numbers the later one is
 * at most 2³¹ ahead.
 *
 * @module
 */

/** `a` + `n`, as an unsigned 32-bit number; `n` may be negative. */
export function plus(a: number, n: number): number {
  return (a + n) >>> 0;
}

/** How far `a` is ahead of `b`: −2³¹ to 2³¹ − 1. */
export function ahead(a: number, b: number): number {
  return (a - b) | 0;
}

/** Numbers that follow upon each other. */
export interface SqnRange {
  /** The first. */
  readonly from: number;
  /** The last. */
  readonly to: number;
}

/** How many numbers a range has. */
export function lengthOf({ from, to }: SqnRange): number {
  return ahead(to, from) + 1;
}

/** Whether `a` comes before `b`. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
