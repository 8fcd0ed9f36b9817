/**
 * What one relay acknowledges, of all groups and to all sources: gathered, so that it costs a packet a millisecond
 * however many streams there are. The first few after a pause go at once: somebody may wait for each. So does the one
 * after a good part of a window, or a busy source with a small window would stand still until a timer wakes us.
 *
 * @module
 */
import { type Acked, type Acks, LARGEST_ACK } from "./ack.ts";
import type { Stream } from "./packet.ts";
import { TIMING } from "./timing.ts";

/** What a full packet takes of a socket buffer of Linux, in bytes. */
const PACKET_COST = 2_304;

/** The share of a socket buffer for what one source sends: others send, too, and repairs and requests come beside it. */
const SHARE = 0.5;

const LARGEST_WINDOW = 0xffff;

/** So many packets need not wait for each other: what comes as often as they may go would always wait for a timer. */
const BURST = 4;

/** So large a part of a window is acknowledged at once. */
const PART = 0.25;

/** A stream that is heard, and what of it was handed to the application: see {@link Acked}. */
export interface Progress {
  readonly stream: Stream;
  readonly from: number;
  readonly through: number;
}

export class Acknowledgements {
  readonly #receiveBuffer: () => number;
  /** What has come on since it was acknowledged. */
  readonly #due = new Set<Progress>();
  /** Packets that came since the last acknowledgement, of all streams. */
  #unacknowledged = 0;
  /** When the next packet would go if they went evenly. */
  #slotMs = -Infinity;

  /** @param receiveBuffer the bytes that wait at a socket at most. */
  constructor(receiveBuffer: () => number) {
    this.#receiveBuffer = receiveBuffer;
  }

  /** A stream whose source asks for it has come on. What it has is looked at when it is told. */
  note(progress: Progress): void {
    this.#due.add(progress);
    this.#unacknowledged++;
  }

  /** A stream is heard no more: what was not handed on by now never is. */
  forget(progress: Progress): void {
    this.#due.delete(progress);
  }

  /** When {@link poll} has something; Infinity if nothing waits. */
  nextTimeoutMs(): number {
    if (this.#due.size === 0) return Infinity;
    if (this.#unacknowledged >= PART * this.#window) return -Infinity;
    return this.#slotMs - (BURST - 1) * TIMING.ackMs;
  }

  /** What one packet says now; undefined if nothing is due. Poll until it is. */
  poll(nowMs: number): Acks | undefined {
    if (nowMs < this.nextTimeoutMs()) return undefined;
    const streams: Acked[] = [];
    for (const progress of this.#due) {
      if (streams.length === LARGEST_ACK) break;
      this.#due.delete(progress);
      const { stream: { gsi, sourcePort }, from, through } = progress;
      streams.push({ gsi, sourcePort, from, through });
    }
    // What does not fit one packet goes in several, at once.
    if (this.#due.size === 0) this.#sent(nowMs);
    return { window: this.#window, streams };
  }

  #sent(nowMs: number): void {
    this.#unacknowledged = 0;
    const slotMs = Math.max(this.#slotMs, nowMs) + TIMING.ackMs;
    // Those that could not wait do not make the next ones wait longer.
    this.#slotMs = Math.min(slotMs, nowMs + BURST * TIMING.ackMs);
  }

  /** How many packets of one source the socket buffer has room for. */
  get #window(): number {
    const packets = Math.floor(SHARE * this.#receiveBuffer() / PACKET_COST);
    return Math.min(packets, LARGEST_WINDOW);
  }
}
