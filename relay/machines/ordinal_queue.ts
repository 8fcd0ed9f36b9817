/**
 * Items by their ordinal, ascending: put in at the end, taken out by ranges, most of them from the front.
 *
 * @module
 */

/** Gone items are let go of once they are so many, and most of all. */
const MIN_GONE = 64;

export class OrdinalQueue<T extends { readonly ordinal: number }> {
  readonly #items: T[] = [];
  /** Where the queue starts: what lies before is gone. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** Puts in an item whose ordinal is above those of all others. */
  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item) this.#dropUntil(this.#head + 1);
    return item;
  }

  /** Takes out the items of these ordinals, both included. */
  take(from: number, through: number): T[] {
    const start = this.#lowerBound(from), end = this.#lowerBound(through + 1);
    if (start >= end) return [];
    if (start > this.#head) return this.#items.splice(start, end - start);
    const taken = this.#items.slice(start, end);
    this.#dropUntil(end);
    return taken;
  }

  #dropUntil(index: number): void {
    this.#head = index;
    const { length } = this.#items;
    if (index < length && (index < MIN_GONE || index * 2 < length)) return;
    this.#items.splice(0, index);
    this.#head = 0;
  }

  #lowerBound(ordinal: number): number {
    let low = this.#head, high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.ordinal ?? Infinity) < ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
