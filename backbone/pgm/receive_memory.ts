/**
 * The memory that streams take at their receiver until it is in order, over all groups of a relay. Without a key anybody
 * on the LAN can make up streams that take some.
 *
 * Guarantee: when it is used up, the address whose streams take the most gives up, and of its streams the one that takes
 * the most: the oldest gap. So no more than the capacity is taken, and what one more packet claims; an address that takes
 * no more than the capacity's share of each address, and of its own share a stream that takes no more than that of each
 * stream, loses nothing, whatever the others send.
 *
 * @module
 */

/** A stream that holds something. */
export interface Holder {
  /** Where its packets come from, if that is known. */
  readonly address: string | undefined;
  /** What it takes, in bytes. */
  readonly bytesHeld: number;
  /** Gives up the oldest of what it waits for. Repeated, it comes down to 0 bytes. */
  giveUpOldest(): void;
}

export class ReceiveMemory {
  readonly #capacity: number;
  readonly #relieved: () => void;
  readonly #held = new Map<Holder, number>();
  #bytes = 0;

  /**
   * @param capacity in bytes.
   * @param relieved told when a stream, perhaps of another group than that of the last packet, had to give something up.
   */
  constructor(capacity: number, relieved: () => void) {
    this.#capacity = capacity;
    this.#relieved = relieved;
  }

  /** What all take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A holder may take more or less than before. */
  update(holder: Holder): void {
    this.#set(holder, holder.bytesHeld);
    if (this.#bytes <= this.#capacity) return;
    while (this.#bytes > this.#capacity) this.#relieve();
    this.#relieved();
  }

  /** A holder is no more. */
  forget(holder: Holder): void {
    this.#set(holder, 0);
  }

  #set(holder: Holder, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(holder) ?? 0);
    if (bytes > 0) this.#held.set(holder, bytes);
    else this.#held.delete(holder);
  }

  /** Makes the greediest of the greediest address give up. */
  #relieve(): void {
    const byAddress = Map.groupBy(this.#held, ([{ address }]) => address);
    const [, holders = []] = greediest(byAddress, ([, all]) => sum(all)) ?? [];
    const [holder] = greediest(holders, ([, bytes]) => bytes) ?? [];
    if (holder === undefined) throw new Error("nobody holds what is held");
    holder.giveUpOldest();
    this.#set(holder, holder.bytesHeld);
  }
}

function sum(held: readonly (readonly [Holder, number])[]): number {
  return held.reduce((total, [, bytes]) => total + bytes, 0);
}

function greediest<T>(all: Iterable<T>, bytesOf: (one: T) => number): T | undefined {
  let most: T | undefined, mostBytes = -1;
  for (const one of all) {
    const bytes = bytesOf(one);
    if (bytes > mostBytes) [most, mostBytes] = [one, bytes];
  }
  return most;
}
