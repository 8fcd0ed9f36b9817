/**
 * Messages out of the packets of one stream (RFC 3208 §9.2). Packets come in order, those given up are announced.
 *
 * @module
 */
import type { Fragment } from "./options.ts";
import { unpack } from "./packing.ts";
import type { Allocate } from "./slab.ts";

/** What of a data packet matters to its receiver. */
export interface Tpdu {
  readonly payload: Uint8Array;
  readonly fragment: Fragment | undefined;
  readonly packed: boolean;
}

export class Reassembler {
  readonly #largest: number;
  readonly #allocate: Allocate;
  /** The message that is coming in, and how much of it is there. */
  #partial: { readonly first: number; readonly bytes: Uint8Array; filled: number } | undefined;

  /** What the message that is coming in takes. */
  get bytes(): number {
    return this.#partial?.bytes.length ?? 0;
  }

  /**
   * @param largest the longest message taken, in bytes.
   * @param allocate gives what a packet brought its memory.
   */
  constructor(largest: number, allocate: Allocate) {
    this.#largest = largest;
    this.#allocate = allocate;
  }

  /**
   * Takes the next packet; hands on each message that it completes, in bytes of its own. The short ones share buffers.
   * False: the packet, or the message it belongs to, is of no use.
   */
  add({ payload, fragment, packed }: Tpdu, deliver: (message: Uint8Array) => void): boolean {
    if (fragment) return this.#addFragment(fragment, payload, deliver);
    const whole = this.interrupt();
    // One copy for all that a packet holds: an allocation costs more than what is copied.
    const own = this.#allocate(payload.length);
    own.set(payload);
    const payloads = packed ? unpack(own) : [own];
    payloads?.forEach(deliver);
    return whole && payloads !== undefined;
  }

  /** The next packet does not come. False: a message lost its rest. */
  interrupt(): boolean {
    const whole = this.#partial === undefined;
    this.#partial = undefined;
    return whole;
  }

  #addFragment(
    { first, offset, length }: Fragment,
    payload: Uint8Array,
    deliver: (message: Uint8Array) => void,
  ): boolean {
    let whole = true;
    if (offset === 0) {
      whole = this.interrupt();
      if (length > this.#largest) return false;
      this.#partial = { first, bytes: new Uint8Array(length), filled: 0 };
    }
    const partial = this.#partial;
    // The rest of a message whose beginning was given up, or nonsense.
    if (
      partial?.first !== first || partial.filled !== offset || partial.bytes.length !== length ||
      offset + payload.length > length || payload.length === 0
    ) {
      this.interrupt();
      return false;
    }
    partial.bytes.set(payload, offset);
    partial.filled += payload.length;
    if (partial.filled === length) {
      this.#partial = undefined;
      deliver(partial.bytes);
    }
    return whole;
  }
}
