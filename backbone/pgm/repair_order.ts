/**
 * The order in which repairs were asked for. They come in that order while packets do: what several later ones overtook was
 * lost, its request or itself (the packet threshold of RFC 9002 §6.1.1, for repairs), and need not be waited for any longer.
 *
 * @module
 */

/** So many later repairs tell a loss from packets that changed places. */
const THRESHOLD = 3;

/** A repair that will not come, and when it was asked for. */
export interface Overtaken {
  readonly sqn: number;
  readonly askedMs: number;
}

const NONE: readonly Overtaken[] = [];

interface Asked extends Overtaken {
  /** How many were asked for before. */
  readonly place: number;
}

export class RepairOrder {
  /** What is waited for, in the order it was asked for last. */
  readonly #asked = new Map<number, Asked>();
  #places = 0;
  /** The last places of those that came, rising; their number is the threshold. */
  readonly #came: number[] = Array(THRESHOLD).fill(-1);

  /** Somebody asks for a packet, perhaps once more. */
  ask(sqn: number, nowMs: number): void {
    this.#asked.delete(sqn);
    this.#asked.set(sqn, { sqn, askedMs: nowMs, place: this.#places++ });
  }

  /** A packet is waited for no more. */
  forget(sqn: number): void {
    this.#asked.delete(sqn);
  }

  /** A repair came. Answers those that it shows to be lost, each once. */
  repaired(sqn: number): readonly Overtaken[] {
    const place = this.#asked.get(sqn)?.place;
    this.#asked.delete(sqn);
    const [least = -1] = this.#came;
    if (place === undefined || place < least) return NONE;
    this.#came[0] = place;
    this.#came.sort((a, b) => a - b);
    return this.#before(this.#came[0]);
  }

  #before(place: number): readonly Overtaken[] {
    const overtaken: Asked[] = [];
    for (const asked of this.#asked.values()) {
      if (asked.place > place) break;
      overtaken.push(asked);
    }
    for (const { sqn } of overtaken) this.#asked.delete(sqn);
    return overtaken;
  }
}
