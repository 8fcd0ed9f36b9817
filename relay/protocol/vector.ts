/**
 * Arithmetic of vectors: an origin that is absent is at 0.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "./message.ts";

/** Every origin is at 0. */
export const NOWHERE: Vector = new Map();

/** No origin. */
export const NOBODY: ReadonlySet<Origin> = new Set();

/** Whether everything that `other` names lies within `vector`. */
export function covers(vector: Vector, other: Vector): boolean {
  for (const [origin, seq] of other) {
    if ((vector.get(origin) ?? 0) < seq) return false;
  }
  return true;
}

/** Moves `into` up to `other` where `other` is further; origins at 0 are named too. */
export function raise(into: Map<Origin, Seq>, other: Vector): void {
  for (const [origin, seq] of other) {
    const own = into.get(origin);
    if (own === undefined || own < seq) into.set(origin, seq);
  }
}

/** The smallest vector that covers both. */
export function mergeVectors(a: Vector, b: Vector): Map<Origin, Seq> {
  const merged = new Map(a);
  raise(merged, b);
  return merged;
}
