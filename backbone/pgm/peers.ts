/**
 * The receivers of a session, by TSI. Bounded: forged sources must not cost memory without end, nor a place from the
 * real.
 *
 * @module
 */
import type { Stream } from "./packet.ts";
import type { Receiver } from "./receiver.ts";
import { TIMING } from "./timing.ts";

export class Peers {
  readonly #most: number;
  /** By GSI, then by source port. */
  readonly #peers = new Map<number, Map<number, Receiver>>();
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  get({ gsi, sourcePort }: Stream): Receiver | undefined {
    return this.#peers.get(gsi)?.get(sourcePort);
  }

  /** Makes room for one more: whoever was silent longer than a live source is goes. False: nobody was. */
  makeRoom(nowMs: number): boolean {
    if (this.#size < this.#most) return true;
    let quietest: Receiver | undefined;
    for (const peer of this.values()) {
      if (quietest === undefined || peer.heardMs < quietest.heardMs) quietest = peer;
    }
    if (quietest === undefined || nowMs - quietest.heardMs < 2 * TIMING.ambientSpmMs) return false;
    this.delete(quietest.stream);
    return true;
  }

  set(receiver: Receiver): void {
    const { gsi, sourcePort } = receiver.stream;
    let ofGsi = this.#peers.get(gsi);
    if (ofGsi === undefined) this.#peers.set(gsi, ofGsi = new Map());
    if (!ofGsi.has(sourcePort)) this.#size++;
    ofGsi.set(sourcePort, receiver);
  }

  delete({ gsi, sourcePort }: Stream): void {
    const ofGsi = this.#peers.get(gsi);
    if (!ofGsi?.delete(sourcePort)) return;
    this.#size--;
    if (ofGsi.size === 0) this.#peers.delete(gsi);
  }

  clear(): void {
    this.#peers.clear();
    this.#size = 0;
  }

  *values(): Iterable<Receiver> {
    for (const ofGsi of this.#peers.values()) yield* ofGsi.values();
  }
}
