/**
 * How many receivers ask for repairs, as one of them sees it. NAKs are multicast and do not name who asks, but where all
 * lose about the same, each sends its share of them: of losses of its own as of those that all have in common.
 *
 * @module
 */

/** Before anything was heard: Aeron's guess, too. */
const FIRST_GUESS = 10;
/** The weight of one NAK in the average. */
const WEIGHT = 1 / 16;

export class GroupSize {
  /** Which share of the NAKs is our own. */
  #share = 1 / FIRST_GUESS;

  /** We sent a NAK. */
  asked(): void {
    this.#share += (1 - this.#share) * WEIGHT;
  }

  /** Another receiver sent one. */
  heardOther(): void {
    this.#share -= this.#share * WEIGHT;
  }

  /** About how many receivers there are, 1 or more. */
  get estimate(): number {
    return Math.min(1 / this.#share, MOST);
  }
}

/** No group is larger, for a receiver that never had to ask. */
const MOST = 10_000;
