/**
 * What messages are to follow, as their publishers state it: looked for, and cut to what exists (DESIGN "append").
 *
 * @module
 */
import type { Logs } from "./logs.ts";
import { Absent } from "./machines/absent.ts";
import type { Origin, Vector } from "./protocol/message.ts";

export interface FollowedOptions {
  readonly origin: Origin;
  readonly logs: Pick<Logs, "vectorOf" | "peek">;
  /** Brings a slot up to what the relays in view hold; true if every one has answered in time, and nobody is missed. */
  readonly pull: (slot: number) => Promise<boolean>;
  /** Whether a relay is in view. */
  readonly lives: (origin: Origin) => boolean;
}

export class Followed {
  readonly #options: FollowedOptions;
  readonly #absent = new Absent();
  /** Counts the views that there were. */
  #view = 0;

  constructor(options: FollowedOptions) {
    this.#options = options;
  }

  /** Somebody came into view, or left it. */
  viewChanged(): void {
    this.#view += 1;
    this.#absent.clear();
  }

  /** Whether `stated` names what this relay has not seen, and others may have. */
  isAhead(slot: number, stated: Vector): boolean {
    const known = this.#options.logs.vectorOf(slot);
    for (const [origin, seq] of stated) {
      const top = known.get(origin) ?? 0;
      if (seq <= top || origin === this.#options.origin) continue;
      if (this.#absent.cut(slot, origin, seq) > top) return true;
    }
    return false;
  }

  /** Looks for it; false if some of it may exist, as far as this relay could learn. */
  async look(slot: number, stated: Vector): Promise<boolean> {
    if (!this.isAhead(slot, stated)) return true;
    const view = this.#view;
    // Who came into view meanwhile was not asked.
    const isComplete = await this.#options.pull(slot) && view === this.#view;
    if (isComplete) this.#miss(slot, stated);
    return isComplete;
  }

  /**
   * `stated` cut to positions that exist: one that nobody ever gives would hold the message back everywhere (model
   * counter-example 1). Where not all relays have answered, one that this relay does not know may exist all the same.
   */
  existing(slot: number, stated: Vector, isComplete: boolean): Vector {
    const log = this.#options.logs.peek(slot);
    const existing = new Map<Origin, number>();
    for (const [origin, seq] of stated) {
      const isCut = isComplete || origin === this.#options.origin;
      const upTo = isCut ? Math.min(seq, log?.highest(origin) ?? 0) : seq;
      if (upTo > 0) existing.set(origin, upTo);
    }
    return existing;
  }

  /** Nobody has what has not come by now; who is there may still publish it. */
  #miss(slot: number, stated: Vector): void {
    const { logs, lives } = this.#options, log = logs.peek(slot);
    for (const [origin, seq] of stated) {
      const highest = log?.highest(origin) ?? 0;
      if (seq > highest && !lives(origin)) this.#absent.add(slot, origin, highest + 1);
    }
  }
}
