/**
 * Which packets of one sender were taken (as RFC 6479 does it for IPsec): a bitmap that slides behind the newest.
 *
 * @module
 */

const WORDS = 32;
const WORD_BITS = 32;

/** How far a packet may be overtaken and still be taken. One that is not is lost like any other, and repaired. */
export const REPLAY_SPAN = (WORDS - 1) * WORD_BITS;

export class ReplayWindow {
  #newest: number;
  /** The bit of a number is set once it was taken. */
  readonly #taken = new Uint32Array(WORDS);

  /** @param first the number that the sender was first heard with. */
  constructor(first: number) {
    this.#newest = first;
  }

  /** Whether a packet with this number was not taken, for sure. */
  isFresh(counter: number): boolean {
    if (counter > this.#newest) return true;
    if (this.#newest - counter >= REPLAY_SPAN) return false;
    return ((this.#taken[wordOf(counter)] ?? 0) & bitOf(counter)) === 0;
  }

  take(counter: number): void {
    if (counter > this.#newest) {
      const to = Math.floor(counter / WORD_BITS);
      const from = Math.max(Math.floor(this.#newest / WORD_BITS) + 1, to - WORDS + 1);
      for (let word = from; word <= to; word++) this.#taken[word % WORDS] = 0;
      this.#newest = counter;
    }
    const word = wordOf(counter);
    this.#taken[word] = (this.#taken[word] ?? 0) | bitOf(counter);
  }
}

/** Counters are wider than 32 bits: division, not shifts. */
function wordOf(counter: number): number {
  return Math.floor(counter / WORD_BITS) % WORDS;
}

function bitOf(counter: number): number {
  return 1 << (counter % WORD_BITS);
}
