/**
 * A LAN in virtual time: every datagram goes to every node, its sender included, unless something befalls it.
 *
 * @module
 */
import type { VirtualClock } from "./virtual_clock.ts";

/** One machine on the network. */
export type Receive = (bytes: Uint8Array) => void;

/** What befalls datagrams. Looped back to its sender, a datagram meets nothing of it. */
export interface Faults {
  /** Whether this datagram is lost on its way to one node. */
  drop?: (bytes: Uint8Array, from: number, to: number) => boolean;
  /** How often it arrives: 1, or more. */
  copies?: () => number;
  /** How long it takes, in milliseconds; what takes longer is overtaken. */
  delayMs?: () => number;
}

export class SimulatedNetwork {
  readonly #clock: VirtualClock;
  readonly #nodes: Receive[] = [];
  /** May be changed at any time. */
  faults: Faults;
  /** Datagrams sent. */
  sent = 0;

  constructor(clock: VirtualClock, faults: Faults = {}) {
    this.#clock = clock;
    this.faults = faults;
  }

  /** Adds a node; answers how it sends. Nodes are numbered from 0. */
  attach(receive: Receive): (bytes: Uint8Array) => void {
    const from = this.#nodes.push(receive) - 1;
    return (bytes) => this.#send(from, bytes);
  }

  #send(from: number, bytes: Uint8Array): void {
    this.sent++;
    this.#nodes.forEach((receive, to) => {
      const { drop, copies, delayMs } = to === from ? {} as Faults : this.faults;
      if (drop?.(bytes, from, to)) return;
      for (let copy = copies?.() ?? 1; copy > 0; copy--) {
        this.#clock.after(delayMs?.() ?? 0.05, () => receive(bytes));
      }
    });
  }
}
