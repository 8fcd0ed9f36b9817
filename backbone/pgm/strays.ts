/**
 * Packets that contradict what is known of a stream. One may be forged, corrupt or late, and is not believed; but
 * when for some time all are of that kind, it is what was known that is wrong.
 *
 * @module
 */

export class Strays {
  readonly #patienceMs: number;
  /** The first of a row without any packet in between that fits. */
  #first: { readonly sqn: number; readonly atMs: number } | undefined;

  /** @param patienceMs how long a row lasts before it is believed. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Takes a stray with the number `sqn`; answers the row's first number once the row is believed, and ends it. */
  note(sqn: number, nowMs: number): number | undefined {
    this.#first ??= { sqn, atMs: nowMs };
    if (nowMs - this.#first.atMs < this.#patienceMs) return undefined;
    const { sqn: first } = this.#first;
    this.clear();
    return first;
  }

  /** A packet fits. */
  clear(): void {
    this.#first = undefined;
  }
}
