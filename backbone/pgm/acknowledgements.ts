/**
 * What one relay acknowledges, of all groups and to all sources: gathered, so that it costs a packet a millisecond
 * however many streams there are. The first few after a pause go at once: somebody may wait for each. Streams for which
 * nobody waits go with the others, or when their source wants to hear at last. A good part of a window is acknowledged at
 * once in any case, or a busy source with a small window would stand still until a timer wakes us.
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
  /** What has come on since it was acknowledged, and is awaited. */
  readonly #prompt = new Set<Progress>();
  /** The same of what may wait, and until when. */
  readonly #patient = new Set<Progress>();
  #patientMs = Infinity;
  /** Packets that came since the last acknowledgement, of all streams. */
  #unacknowledged = 0;
  /** When the next packet would go if they went evenly. */
  #slotMs = -Infinity;

  /** @param receiveBuffer the bytes that wait at a socket at most. */
  constructor(receiveBuffer: () => number) {
    this.#receiveBuffer = receiveBuffer;
  }

  /**
   * A stream whose source asks for it has come on, or its source asks again. What it has is looked at when it is told.
   *
   * @param packets by how much it has come on.
   * @param waitMs for how long that may wait; 0: it is awaited.
   */
  note(progress: Progress, packets: number, waitMs: number, nowMs: number): void {
    this.#unacknowledged += packets;
    if (waitMs === 0) {
      this.#prompt.add(progress);
      this.#patient.delete(progress);
    } else if (!this.#prompt.has(progress)) {
      this.#patient.add(progress);
      this.#patientMs = Math.min(this.#patientMs, nowMs + waitMs);
    }
  }

  /** A stream is heard no more: what was not handed on by now never is. */
  forget(progress: Progress): void {
    this.#prompt.delete(progress);
    this.#patient.delete(progress);
  }

  /** When {@link poll} has something; Infinity if nothing waits. */
  nextTimeoutMs(): number {
    const isPrompt = this.#prompt.size > 0;
    if (!isPrompt && this.#patient.size === 0) return Infinity;
    if (this.#unacknowledged >= PART * this.#window) return -Infinity;
    return isPrompt ? this.#slotMs - (BURST - 1) * TIMING.ackMs : this.#patientMs;
  }

  /** What one packet says now; undefined if nothing is due. Poll until it is. */
  poll(nowMs: number): Acks | undefined {
    if (nowMs < this.nextTimeoutMs()) return undefined;
    const streams: Acked[] = [];
    for (const due of [this.#prompt, this.#patient]) {
      for (const progress of due) {
        if (streams.length === LARGEST_ACK) break;
        due.delete(progress);
        const { stream: { gsi, sourcePort }, from, through } = progress;
        streams.push({ gsi, sourcePort, from, through });
      }
    }
    // What is awaited and does not fit one packet goes in several, at once.
    if (this.#prompt.size === 0) this.#takeSlot(nowMs);
    if (this.#patient.size === 0) {
      this.#unacknowledged = 0;
      this.#patientMs = Infinity;
    }
    return { window: this.#window, streams };
  }

  #takeSlot(nowMs: number): void {
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
