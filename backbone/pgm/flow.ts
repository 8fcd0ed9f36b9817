/**
 * Flow control of one source: *tagged* receivers, and they alone, hold it to a window of packets that they have not
 * acknowledged. Who is not tagged asks for repairs, and has to keep pace or to fetch elsewhere.
 *
 * A tag counts from the receiver's first acknowledgement that is not far behind, and lapses when the receiver holds the
 * source up: so nobody stops it for longer than {@link TIMING.stallMs}. It counts again when the receiver has caught up.
 *
 * @module
 */
import { LARGEST_TAG } from "./ack.ts";
import type { Counters } from "./counters.ts";
import { ahead } from "./serial.ts";
import { TIMING } from "./timing.ts";

/**
 * The most packets sent beyond what every tagged receiver has: at 100,000 a second five milliseconds' worth, more than
 * the way of an acknowledgement and a turn of the receiver's event loop. A socket buffer of 4 MiB holds several times as
 * many; Linux's default of 212,992 bytes does not, and what overflows has to be repaired.
 */
export const FLOW_WINDOW = 512;
/** Who is this near is in step. */
const NEAR = FLOW_WINDOW / 2;
/** Who advances less within {@link TIMING.stallMs} while the source waits for it is stalled, or as good as. */
const LEAST_PROGRESS = FLOW_WINDOW / 4;

/** Why a source waits: since when, for a receiver that was where. */
interface Hold {
  readonly sinceMs: number;
  readonly from: number;
}

interface Tag {
  counts: boolean;
  acked: number;
  hold: Hold | undefined;
}

export class FlowControl {
  readonly #counters: Counters;
  readonly #tags = new Map<number, Tag>();
  /** What every receiver that counts has; undefined while none does. */
  #least: number | undefined;
  #retryMs = Infinity;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** The GSIs of the receivers asked to acknowledge. */
  get tagged(): readonly number[] {
    return [...this.#tags.keys()];
  }

  /**
   * Names the receivers that hold the source to its window. Those that were named before keep their place.
   *
   * @throws {RangeError} if they are more than {@link LARGEST_TAG}.
   */
  tag(gsis: readonly number[]): void {
    if (gsis.length > LARGEST_TAG) throw new RangeError(`${gsis.length} receivers are too many`);
    for (const gsi of this.#tags.keys()) {
      if (!gsis.includes(gsi)) this.#tags.delete(gsi);
    }
    for (const gsi of gsis) {
      if (this.#tags.has(gsi)) continue;
      this.#tags.set(gsi, { counts: false, acked: 0, hold: undefined });
    }
    this.#findLeast();
  }

  /** A receiver has everything up to `sqn`, or has given it up; `lead` is the last packet sent. */
  acked(gsi: number, sqn: number, lead: number): void {
    const tag = this.#tags.get(gsi);
    const behind = ahead(lead, sqn);
    // Nobody has what was never sent.
    if (tag === undefined || behind < 0) return;
    if (tag.counts && ahead(sqn, tag.acked) <= 0) return;
    tag.acked = sqn;
    if (behind <= NEAR) {
      tag.hold = undefined;
      if (!tag.counts) this.#counters.tags_admitted++;
      tag.counts = true;
    }
    this.#findLeast();
  }

  /** Whether another packet may follow `lead`. */
  allows(lead: number, nowMs: number): boolean {
    if (this.#isOpen(lead)) return true;
    this.#retryMs = Infinity;
    for (const tag of this.#tags.values()) {
      if (!tag.counts || ahead(lead, tag.acked) < FLOW_WINDOW) continue;
      const { sinceMs } = this.#hold(tag, nowMs);
      this.#retryMs = Math.min(this.#retryMs, sinceMs + TIMING.stallMs);
    }
    this.#findLeast();
    return this.#isOpen(lead);
  }

  /** When it is worth another try without an acknowledgement, after {@link allows} said no. */
  get retryMs(): number {
    return this.#retryMs;
  }

  #isOpen(lead: number): boolean {
    return this.#least === undefined || ahead(lead, this.#least) < FLOW_WINDOW;
  }

  /** The source waits for a receiver; if it has for long and in vain, its tag lapses. */
  #hold(tag: Tag, nowMs: number): Hold {
    const fresh = { sinceMs: nowMs, from: tag.acked };
    const hold = tag.hold ??= fresh;
    if (nowMs < hold.sinceMs + TIMING.stallMs) return hold;
    if (ahead(tag.acked, hold.from) >= LEAST_PROGRESS) return tag.hold = fresh;
    tag.counts = false;
    tag.hold = undefined;
    this.#counters.tags_lapsed++;
    return fresh;
  }

  #findLeast(): void {
    let least: number | undefined;
    for (const { counts, acked } of this.#tags.values()) {
      if (counts && (least === undefined || ahead(acked, least) < 0)) least = acked;
    }
    this.#least = least;
  }
}
