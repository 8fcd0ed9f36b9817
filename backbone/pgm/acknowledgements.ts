/**
 * What one relay acknowledges, of all groups and to all sources: gathered, so that it costs a packet a millisecond at
 * most however many streams there are.
 *
 * @module
 */
import { type Acked, LARGEST_ACK } from "./ack.ts";
import type { Stream } from "./packet.ts";
import { TIMING } from "./timing.ts";

export class Acknowledgements {
  /** How far each stream has come, by the stream; only those that have come on. */
  readonly #due = new Map<Stream, number>();
  #sentMs = -Infinity;

  /** A stream whose source asks for it has come as far as `sqn`. One stream is one object. */
  note(stream: Stream, sqn: number): void {
    this.#due.set(stream, sqn);
  }

  /** When {@link poll} has something; Infinity if nothing waits. */
  nextTimeoutMs(): number {
    return this.#due.size > 0 ? this.#sentMs + TIMING.ackMs : Infinity;
  }

  /** What one packet says now; empty if nothing is due. Poll until it is. */
  poll(nowMs: number): readonly Acked[] {
    const acks: Acked[] = [];
    if (nowMs < this.nextTimeoutMs()) return acks;
    for (const [stream, sqn] of this.#due) {
      if (acks.length === LARGEST_ACK) return acks;
      this.#due.delete(stream);
      acks.push({ gsi: stream.gsi, sourcePort: stream.sourcePort, sqn });
    }
    this.#sentMs = nowMs;
    return acks;
  }
}
