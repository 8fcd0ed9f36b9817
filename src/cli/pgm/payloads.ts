/**
 * The payloads of `pgm send`.
 *
 * @module
 */
import { Slabs } from "../../../backbone/pgm/slab.ts";
import { STAMP_BYTES, writeStamp } from "./stamp.ts";

export class Payloads {
  readonly #size: number;
  readonly #wallUs: () => number;
  readonly #slabs = new Slabs();

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
    const payload = this.#slabs.allocate(this.#size);
    writeStamp(payload, { counter, wallUs: this.#wallUs() });
    return payload;
  }
}
