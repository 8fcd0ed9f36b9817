/**
 * What a message of `order=total` must follow. One relay sequences them, so they are in order as its messages are; when
 * another takes over, its first must not overtake the last of the one before. It therefore states what its log has of
 * others, each position once: the next message follows it through the order of their origin.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "./protocol/message.ts";
import { mergeVectors } from "./protocol/vector.ts";

/** Origins that one message states at most; the first ones are those longest known, and left out. */
const MAX_STATED = 256;

export class TotalOrder {
  readonly #self: Origin;
  /** By slot, what earlier messages stated. */
  readonly #stated = new Map<number, Vector>();

  constructor(self: Origin) {
    this.#self = self;
  }

  /** What the slot's next message of total order must follow, given where its log stands. */
  next(slot: number, vector: Vector): Vector {
    const stated = this.#stated.get(slot);
    const fresh: [Origin, Seq][] = [];
    for (const [origin, seq] of vector) {
      if (origin !== this.#self && seq > (stated?.get(origin) ?? 0)) fresh.push([origin, seq]);
    }
    return new Map(fresh.slice(-MAX_STATED));
  }

  /** A message was sent that follows `positions`. */
  sent(slot: number, positions: Vector): void {
    if (positions.size > 0) {
      this.#stated.set(slot, mergeVectors(this.#stated.get(slot) ?? new Map(), positions));
    }
  }
}
