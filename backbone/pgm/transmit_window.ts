/**
 * What a source sent and can still repair (RFC 3208 §5.1): packets from `trail` to `lead`, bounded by bytes and age.
 *
 * @module
 */
import { Deque } from "./deque.ts";
import { ahead, plus } from "./serial.ts";
import { TIMING } from "./timing.ts";

/** How many payloads a stream has brought by the end of a packet. They differ in the middle of one that takes several. */
export interface Payloads {
  readonly begun: number;
  readonly done: number;
}

/** One packet as it was sent. */
export interface Sent {
  readonly packet: Uint8Array;
  readonly payloads: Payloads;
  readonly sentMs: number;
  /** When its last request was taken up. */
  requestedMs: number;
}

export class TransmitWindow {
  readonly #sent = new Deque<Sent>();
  readonly #capacity: number;
  #trail: number;
  #bytes = 0;
  #beforeTrail: Payloads = { begun: 0, done: 0 };

  /**
   * @param capacity the most bytes held.
   * @param first the sequence number of the first packet.
   */
  constructor(capacity: number, first: number) {
    this.#capacity = capacity;
    this.#trail = first;
  }

  /** The oldest packet held; one past {@link lead} if none is. */
  get trail(): number {
    return this.#trail;
  }

  /** The last packet sent; one before the first if none was. */
  get lead(): number {
    return plus(this.#trail, this.#sent.length - 1);
  }

  /** Gives up what is too old to be asked for. */
  expire(nowMs: number): void {
    this.#drop(TIMING.windowMs, 0, nowMs);
  }

  /** Whether `bytes` more fit; gives up the old for them, but nothing that receivers may just be asking for. */
  makeRoom(bytes: number, nowMs: number): boolean {
    this.expire(nowMs);
    this.#drop(TIMING.windowLeastMs, bytes, nowMs);
    return this.#bytes + bytes <= this.#capacity;
  }

  /** When {@link makeRoom} is worth another try. */
  roomMs(): number {
    const oldest = this.#sent.at(0);
    return oldest ? Math.max(oldest.sentMs, oldest.requestedMs) + TIMING.windowLeastMs : Infinity;
  }

  /** Takes the packet with the sequence number after {@link lead}. */
  add(packet: Uint8Array, payloads: Payloads, nowMs: number): void {
    this.#sent.push({ packet, payloads, sentMs: nowMs, requestedMs: -Infinity });
    this.#bytes += packet.length;
  }

  get(sqn: number): Sent | undefined {
    return this.#sent.at(ahead(sqn, this.#trail));
  }

  /** What the stream had brought by the end of this packet; known from the one before `trail` on. */
  payloadsBy(sqn: number): Payloads | undefined {
    return ahead(sqn, this.#trail) === -1 ? this.#beforeTrail : this.get(sqn)?.payloads;
  }

  /** Gives up packets of at least this age; with `bytes`, only until so many fit. */
  #drop(ageMs: number, bytes: number, nowMs: number): void {
    for (let oldest = this.#sent.at(0); oldest; oldest = this.#sent.at(0)) {
      const roomy = bytes > 0 && this.#bytes + bytes <= this.#capacity;
      // For new data, nothing is given up that was asked for a moment ago: the repair may be lost as well.
      const youngMs = bytes > 0 ? Math.max(oldest.sentMs, oldest.requestedMs) : oldest.sentMs;
      if (roomy || nowMs < youngMs + ageMs) return;
      this.#sent.shift();
      this.#bytes -= oldest.packet.length;
      this.#beforeTrail = oldest.payloads;
      this.#trail = plus(this.#trail, 1);
    }
  }
}
