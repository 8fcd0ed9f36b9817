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

/** How fast a machine takes in what arrives: one datagram after the other, from a buffer that may overflow. */
export interface Intake {
  readonly msEach: number;
  /** The most datagrams that wait. */
  readonly buffer: number;
}

/** How long a datagram takes without faults. */
const WIRE_MS = 0.05;

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

  /** Adds a node; answers how it sends. Nodes are numbered from 0. Without `intake` it takes everything at once. */
  attach(receive: Receive, intake?: Intake): (bytes: Uint8Array) => void {
    const take = intake ? this.#buffered(receive, intake) : receive;
    const from = this.#nodes.push(take) - 1;
    return (bytes) => this.#send(from, bytes);
  }

  #send(from: number, bytes: Uint8Array): void {
    this.sent++;
    const { drop, copies, delayMs } = this.faults;
    const together: Receive[] = [];
    this.#nodes.forEach((receive, to) => {
      if (to !== from && drop?.(bytes, from, to)) return;
      for (let copy = to === from ? 1 : copies?.() ?? 1; copy > 0; copy--) {
        if (to === from || !delayMs) together.push(receive);
        else this.#clock.after(delayMs(), () => receive(bytes));
      }
    });
    // One timer for all that arrive together: what a thousand receivers cost is their own work.
    this.#clock.after(WIRE_MS, () => together.forEach((receive) => receive(bytes)));
  }

  #buffered(receive: Receive, { msEach, buffer }: Intake): Receive {
    let waiting = 0, freeMs = 0;
    return (bytes) => {
      if (waiting === buffer) return;
      waiting++;
      freeMs = Math.max(freeMs, this.#clock.nowMs()) + msEach;
      this.#clock.after(freeMs - this.#clock.nowMs(), () => {
        waiting--;
        receive(bytes);
      });
    };
  }
}
