/**
 * Memory for many small buffers at once: an allocation of its own for each costs several times as much as a view of a larger
 * one. A slab is freed when none of its buffers is in use, so they should be given up in about the order they were taken.
 *
 * @module
 */

const SLAB_BYTES = 64 << 10;

/** Gives zeroed bytes that nobody else has. */
export type Allocate = (length: number) => Uint8Array<ArrayBuffer>;

export class Slabs {
  #slab = new Uint8Array();
  #used = 0;

  readonly allocate: Allocate = (length) => {
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(length, SLAB_BYTES));
      this.#used = 0;
    }
    return this.#slab.subarray(this.#used, this.#used += length);
  };
}
