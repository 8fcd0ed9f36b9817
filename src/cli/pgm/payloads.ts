/**
 * The payloads of `pgm send`.
 *
 * @module
 */
import { STAMP_BYTES, writeStamp } from "./stamp.ts";

/** An allocation of its own for each payload costs several times as much as a view of a larger one. */
const SLAB_BYTES = 64 << 10;

export class Payloads {
  readonly #size: number;
  readonly #wallUs: () => number;
  #slab = new Uint8Array();
  #used = 0;

  /** @param size the length of each, at least {@link STAMP_BYTES}. */
  constructor(size: number, wallUs: () => number) {
    if (size < STAMP_BYTES) {
      throw new RangeError(`a payload of ${size} bytes has no room for a stamp`);
    }
    this.#size = size;
    this.#wallUs = wallUs;
  }

  /** A payload with this counter and the present time; nobody writes to it again. */
  stamped(counter: number): Uint8Array {
    if (this.#used + this.#size > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(this.#size, SLAB_BYTES));
      this.#used = 0;
    }
    const payload = this.#slab.subarray(this.#used, this.#used += this.#size);
    writeStamp(payload, { counter, wallUs: this.#wallUs() });
    return payload;
  }
}
