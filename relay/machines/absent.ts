/**
 * Positions that no relay in view has, of relays that are gone: who answers them is not held up by another look. What a
 * reader saw of a message that died with its relay stays in its cursor for a day.
 *
 * @module
 */
import type { Origin, Seq } from "../protocol/message.ts";

/** With more, everything is looked for anew. */
const MAX_ORIGINS = 4096;

/** To be cleared when the view changes: whoever comes may have what nobody had. */
export class Absent {
  /** By slot and origin, the lowest. */
  readonly #from = new Map<number, Map<Origin, Seq>>();
  #origins = 0;

  /** Nobody has what `origin` gave in a slot from `seq` on. */
  add(slot: number, origin: Origin, seq: Seq): void {
    let from = this.#from.get(slot);
    if (!from) this.#from.set(slot, from = new Map());
    if (!from.has(origin)) this.#origins += 1;
    from.set(origin, seq);
    if (this.#origins > MAX_ORIGINS) this.clear();
  }

  /** What is left of a position without that. */
  cut(slot: number, origin: Origin, seq: Seq): Seq {
    return Math.min(seq, (this.#from.get(slot)?.get(origin) ?? Infinity) - 1);
  }

  clear(): void {
    this.#from.clear();
    this.#origins = 0;
  }
}
