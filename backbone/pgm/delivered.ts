/**
 * What the receivers of a stream have of it, in payloads: their acknowledgements speak of packets, of which one holds
 * several payloads, or a part of one.
 *
 * @module
 */
import type { Acked } from "./ack.ts";
import { ahead, before, plus } from "./serial.ts";
import type { TransmitWindow } from "./transmit_window.ts";

/** Payloads by their ordinals, 1 for a stream's first; both ends belong to it. */
export interface Ordinals {
  readonly from: number;
  readonly through: number;
}

/** What a receiver has without a gap: since which packet, and which payloads that makes. */
interface Run extends Ordinals {
  readonly sqn: number;
}

export class Delivered {
  readonly #window: TransmitWindow;
  /** By GSI. Where a run began is remembered here when it has left the window. */
  readonly #runs = new Map<number, Run>();

  constructor(window: TransmitWindow) {
    this.#window = window;
  }

  /** Forgets the receivers but these. */
  keep(gsis: readonly number[]): void {
    for (const gsi of this.#runs.keys()) {
      if (!gsis.includes(gsi)) this.#runs.delete(gsi);
    }
  }

  /** The payloads that a receiver has, whole; undefined if the acknowledgement tells of none that were not told before. */
  note(gsi: number, { from, through }: Pick<Acked, "from" | "through">): Ordinals | undefined {
    const done = this.#window.payloadsBy(through)?.done;
    // Nothing is known any more of what left the window, and what comes late is of no use.
    if (done === undefined || ahead(from, through) > 1) return undefined;
    const known = this.#runs.get(gsi);
    const isSameRun = known?.sqn === from;
    if (isSameRun && done <= known.through) return undefined;
    const first = isSameRun ? known.from : this.#firstFrom(from);
    this.#runs.set(gsi, { sqn: from, from: first, through: done });
    return done < first ? undefined : { from: first, through: done };
  }

  /** The first payload that began with this packet or after it, as far as the window knows. */
  #firstFrom(sqn: number): number {
    const { trail } = this.#window;
    const last = plus(before(sqn, trail) ? trail : sqn, -1);
    return (this.#window.payloadsBy(last)?.begun ?? Infinity) + 1;
  }
}
