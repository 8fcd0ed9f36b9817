/**
 * Flow control of one source: *tagged* receivers, and they alone, hold it to a window of packets that they have not
 * acknowledged. Who is not tagged asks for repairs, and has to keep pace or to fetch elsewhere.
 *
 * A tag counts from the moment it is named: who begins at full speed would otherwise have outrun a receiver before it
 * is first heard of. It lapses when the receiver holds the source up: so nobody stops it for longer than
 * {@link TIMING.stallMs}. It counts again when the receiver has caught up, or begins anew not far behind.
 *
 * @module
 */
import { type Acked, LARGEST_TAG, type Tagged } from "./ack.ts";
import type { Counters } from "./counters.ts";
import { ahead, before, plus } from "./serial.ts";
import { TIMING } from "./timing.ts";

/**
 * The most packets sent beyond what every tagged receiver has: at 100,000 a second five milliseconds' worth, more than
 * the way of an acknowledgement and a turn of the receiver's event loop. Fewer, if the receiver says that its socket
 * buffer holds fewer.
 */
export const FLOW_WINDOW = 512;
/** The same before a receiver said anything: Linux's default buffer of 212,992 bytes holds 92 full packets. */
export const FIRST_WINDOW = 32;
/** The same at least, whatever a receiver says: one packet at a time would be a standstill. */
const LEAST_WINDOW = 8;
/** Who begins further behind is not waited for: it would take too long. What is nearer, socket buffers hold. */
export const REACH = 4 * FLOW_WINDOW;
/** Who advances less within {@link TIMING.stallMs} while the source waits for it is stalled, or as good as. */
const LEAST_PROGRESS = FLOW_WINDOW / 4;

/** Why a source waits: since when, for a receiver that was where. */
interface Hold {
  readonly sinceMs: number;
  readonly from: number;
}

/** Where a source is, and who waits for its receivers. */
export interface Lead {
  /** The last packet sent. */
  readonly lead: number;
  /** How long ago that was. */
  readonly restMs: number;
  /** Whether somebody waits to hear that a receiver has what is sent. */
  readonly isAwaited: boolean;
}

/** What a receiver says of our stream, and of its socket buffer. */
export type Heard = Pick<Acked, "from" | "through"> & {
  /** In packets. */
  readonly window: number;
};

interface Tag {
  counts: boolean;
  /** Whether the receiver ever acknowledged. */
  heard: boolean;
  /** What it has, or is taken to have until it is heard. */
  acked: number;
  window: number;
  hold: Hold | undefined;
}

export class FlowControl {
  readonly #counters: Counters;
  /** By GSI, in the order named. */
  #tags: ReadonlyMap<number, Tag> = new Map();
  /** The last packet that may be sent; undefined while no receiver counts. */
  #last: number | undefined;
  #retryMs = Infinity;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /**
   * How the receivers are to be asked to acknowledge. If that is awaited, the first that counts does so at once, and for
   * the others, who are asked for the sake of the window, one packet now and then is enough. Who should have been heard
   * by now and was not is asked again; and the others with the first, which may be gone.
   */
  ask({ lead, restMs, isAwaited }: Lead): Tagged[] {
    const { others, unawaited } = TIMING.gatherMs;
    let waitMs: number = isAwaited ? 0 : unawaited, isFirstLate = false;
    return Array.from(this.#tags, ([gsi, { heard, counts, acked, hold }]) => {
      const isLate = restMs >= Math.max(waitMs, TIMING.heartbeatFirstMs);
      const now = !heard || (acked !== lead && (isLate || isFirstLate || hold !== undefined));
      const tagged = { gsi, now, waitMs };
      if (waitMs === 0 && counts) [waitMs, isFirstLate] = [others, now];
      return tagged;
    });
  }

  /**
   * Names the receivers that hold the source to its window, who is to acknowledge at once first. Those that were named
   * before keep their standing; `lead` is the last packet sent.
   *
   * @throws {RangeError} if they are more than {@link LARGEST_TAG}.
   */
  tag(gsis: readonly number[], lead: number): void {
    if (gsis.length > LARGEST_TAG) throw new RangeError(`${gsis.length} receivers are too many`);
    this.#tags = new Map(gsis.map((gsi) => [gsi, this.#tags.get(gsi) ?? newTag(lead)]));
    this.#findLast();
  }

  /** A receiver tells what it has; `lead` is the last packet sent. False: it is not tagged, or has what was never sent. */
  acked(gsi: number, { from, through, window }: Heard, lead: number): boolean {
    const tag = this.#tags.get(gsi);
    const behind = ahead(lead, through);
    if (tag === undefined || behind < 0) return false;
    // It begins, or begins again: it does not go on from what it had.
    const isNew = !tag.heard || ahead(from, tag.acked) > 1;
    if (!isNew && tag.counts && ahead(through, tag.acked) <= 0) return true;
    tag.acked = through;
    tag.window = Math.min(Math.max(window, LEAST_WINDOW), FLOW_WINDOW);
    if (behind <= (isNew ? REACH : tag.window / 2)) {
      if (!tag.counts || !tag.heard) this.#counters.tags_admitted++;
      tag.counts = true;
      tag.hold = undefined;
    } else if (isNew) tag.counts = false;
    tag.heard = true;
    this.#findLast();
    return true;
  }

  /** Whether another packet may follow `lead`. */
  allows(lead: number, nowMs: number): boolean {
    if (this.#isOpen(lead)) return true;
    this.#retryMs = Infinity;
    for (const tag of this.#tags.values()) {
      if (!tag.counts || ahead(lead, tag.acked) < tag.window) continue;
      const { sinceMs } = this.#hold(tag, nowMs);
      this.#retryMs = Math.min(this.#retryMs, sinceMs + TIMING.stallMs);
    }
    this.#findLast();
    return this.#isOpen(lead);
  }

  /** When it is worth another try without an acknowledgement, after {@link allows} said no. */
  get retryMs(): number {
    return this.#retryMs;
  }

  #isOpen(lead: number): boolean {
    return this.#last === undefined || before(lead, this.#last);
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

  #findLast(): void {
    let least: number | undefined;
    for (const { counts, acked, window } of this.#tags.values()) {
      const last = plus(acked, window);
      if (counts && (least === undefined || before(last, least))) least = last;
    }
    this.#last = least;
  }
}

function newTag(lead: number): Tag {
  return { counts: true, heard: false, acked: lead, window: FIRST_WINDOW, hold: undefined };
}
