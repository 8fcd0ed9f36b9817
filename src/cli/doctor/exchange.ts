/**
 * What one doctor knows of the others: each sends probes to the group, and answers those of others to their address. No
 * I/O; time is a parameter, in milliseconds.
 *
 * @module
 */
import type { Message } from "./probe.ts";

/** More are not looked at: the group may be anybody's. */
const MOST_PEERS = 64;

/** Of so many probes it is remembered when they were sent. */
const REMEMBERED = 64;

/** What became of the exchange with one other doctor. */
export interface PeerReport {
  readonly address: string;
  /** Of its probes to the group, how many came, and how many it sent from the first that came to the last. */
  readonly heard: number;
  readonly sent: number;
  /** Whether it hears our probes. */
  readonly hearsUs: boolean;
  /** Answers that came to our address. */
  readonly answers: number;
  /** The median time from a probe to its answer. */
  readonly roundTripMs: number | null;
}

interface Peer {
  readonly address: string;
  heard: number;
  /** The numbers of the first and the last of them. */
  first: number;
  last: number;
  hearsUs: boolean;
  readonly roundTripsMs: number[];
  answers: number;
}

export class Exchange {
  readonly #id: string;
  readonly #peers = new Map<string, Peer>();
  readonly #sentMs = new Map<number, number>();
  #sent = 0;

  constructor(id: string) {
    this.#id = id;
  }

  /** The next probe, for the group. */
  probe(nowMs: number): Omit<Message, "groundwave"> {
    this.#sentMs.set(++this.#sent, nowMs);
    this.#sentMs.delete(this.#sent - REMEMBERED);
    return this.#message();
  }

  /** Takes a message of `address`; answers what to send there, if anything. */
  handle(
    message: Message,
    address: string,
    nowMs: number,
  ): Omit<Message, "groundwave"> | undefined {
    if (message.id === this.#id) return undefined;
    const peer = this.#peer(message.id, address);
    if (peer === undefined) return undefined;
    peer.hearsUs ||= message.hears.includes(this.#id);
    if (message.answers === undefined) {
      peer.heard++;
      peer.first = Math.min(peer.first, message.sent);
      peer.last = Math.max(peer.last, message.sent);
      return { ...this.#message(), answers: { id: message.id, sent: message.sent } };
    }
    const sentMs = this.#sentMs.get(message.answers.sent);
    if (message.answers.id !== this.#id || sentMs === undefined) return undefined;
    peer.hearsUs = true;
    peer.answers++;
    if (peer.roundTripsMs.push(nowMs - sentMs) > REMEMBERED) peer.roundTripsMs.shift();
    return undefined;
  }

  report(): PeerReport[] {
    return [...this.#peers.values()].map((peer) => ({
      address: peer.address,
      heard: peer.heard,
      sent: peer.heard && peer.last - peer.first + 1,
      hearsUs: peer.hearsUs,
      answers: peer.answers,
      roundTripMs: median(peer.roundTripsMs),
    }));
  }

  #message(): Omit<Message, "groundwave"> {
    const heard = [...this.#peers].filter(([, peer]) => peer.heard > 0);
    return { id: this.#id, sent: this.#sent, hears: heard.map(([id]) => id) };
  }

  #peer(id: string, address: string): Peer | undefined {
    const known = this.#peers.get(id);
    if (known || this.#peers.size >= MOST_PEERS) return known;
    const peer: Peer = {
      address,
      heard: 0,
      first: Infinity,
      last: 0,
      hearsUs: false,
      roundTripsMs: [],
      answers: 0,
    };
    this.#peers.set(id, peer);
    return peer;
  }
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? null;
}
