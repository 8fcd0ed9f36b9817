/**
 * The receivers of a session, by TSI. Bounded, for without a key anybody on the LAN can make up sources that send as
 * steadily as real ones; what tells them apart is where their packets come from, and who came first.
 *
 * Guarantee: when all places are taken, a newcomer gets that of a stream that was silent for longer than a live source
 * is, or else that of the youngest stream of the address that has the most, if that address has at least two more than the
 * newcomer's. So of n addresses each can have its n-th part of the places, and one in any case while n is no larger than
 * their number, whatever the others send; and a stream never loses its place to a later one of its own address. Who can
 * forge as many addresses as there are places keeps new sources out, and leaves the oldest of each address: against that
 * there is the group key.
 *
 * @module
 */
import type { Stream } from "./packet.ts";
import type { Receiver } from "./receiver.ts";
import { TIMING } from "./timing.ts";

/** What a live source is never silent for: it sends ambient SPMs, and one may be lost. */
const SILENCE_MS = 2 * TIMING.ambientSpmMs;

type Address = string | undefined;

export class Peers {
  readonly #most: number;
  /** By GSI, then by source port. */
  readonly #peers = new Map<number, Map<number, Receiver>>();
  /** How many each address has. */
  readonly #places = new Map<Address, number>();
  #size = 0;
  /** Before this time nobody was silent for long: most newcomers of a flood are refused without a look at every peer. */
  #silentMs = -Infinity;

  constructor(most: number) {
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#size >= this.#most;
  }

  get({ gsi, sourcePort }: Stream): Receiver | undefined {
    return this.#peers.get(gsi)?.get(sourcePort);
  }

  /** Who gives its place to a newcomer of an address, if anybody does. */
  replaceable(address: Address, nowMs: number): Receiver | undefined {
    return this.#silent(nowMs) ?? this.#overrepresented(address);
  }

  /** Gives a receiver, whose stream has none, a place. */
  add(receiver: Receiver): void {
    const { stream: { gsi, sourcePort }, address } = receiver;
    let ofGsi = this.#peers.get(gsi);
    if (ofGsi === undefined) this.#peers.set(gsi, ofGsi = new Map());
    ofGsi.set(sourcePort, receiver);
    this.#size++;
    this.#count(address, 1);
  }

  /** The first packet of a stream that was not heard before tells its address. */
  locate(receiver: Receiver, address: string): void {
    this.#count(receiver.address, -1);
    receiver.address = address;
    this.#count(address, 1);
  }

  delete({ stream: { gsi, sourcePort }, address }: Receiver): void {
    const ofGsi = this.#peers.get(gsi);
    if (!ofGsi?.delete(sourcePort)) return;
    if (ofGsi.size === 0) this.#peers.delete(gsi);
    this.#size--;
    this.#count(address, -1);
  }

  *values(): Iterable<Receiver> {
    for (const ofGsi of this.#peers.values()) yield* ofGsi.values();
  }

  #count(address: Address, change: number): void {
    const count = (this.#places.get(address) ?? 0) + change;
    if (count > 0) this.#places.set(address, count);
    else this.#places.delete(address);
  }

  #silent(nowMs: number): Receiver | undefined {
    if (nowMs < this.#silentMs) return undefined;
    let quietest: Receiver | undefined;
    for (const peer of this.values()) {
      if (quietest === undefined || peer.heardMs < quietest.heardMs) quietest = peer;
    }
    this.#silentMs = (quietest?.heardMs ?? nowMs) + SILENCE_MS;
    return nowMs < this.#silentMs ? undefined : quietest;
  }

  #overrepresented(address: Address): Receiver | undefined {
    let most = this.#places.get(address) ?? 0, from: Address;
    // With one more only, the two would take each other's place in turn.
    const least = most + 2;
    for (const [other, count] of this.#places) {
      if (count > most) [most, from] = [count, other];
    }
    return most < least ? undefined : this.#youngestOf(from);
  }

  #youngestOf(address: Address): Receiver | undefined {
    let youngest: Receiver | undefined;
    for (const peer of this.values()) {
      if (peer.address !== address) continue;
      if (youngest === undefined || peer.sinceMs >= youngest.sinceMs) youngest = peer;
    }
    return youngest;
  }
}
