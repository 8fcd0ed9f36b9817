/**
 * The receiving side of a session: finds the streams of a group, has a receiver for each, and asks for what they miss.
 *
 * @module
 */
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Counters } from "./counters.ts";
import { encodeNak, encodeSpmr } from "./encode.ts";
import { gsiText } from "./gsi.ts";
import { type Ack, type Data, LARGEST_NAK, type Packet, type Spm, type Stream } from "./packet.ts";
import { Peers } from "./peers.ts";
import { firstSqnOf, Receiver, type ReceiverOptions } from "./receiver.ts";
import type { SqnRange } from "./serial.ts";
import { TIMING } from "./timing.ts";

export interface ListenerOptions extends ReceiverOptions {
  /** The group's address, IPv4 as a number. */
  readonly groupNla: number;
  /** The most streams heard at a time. */
  readonly mostPeers: number;
  readonly counters: Counters;
  /** Where it is noted how far the streams have come whose sources ask for it. */
  readonly acknowledgements: Acknowledgements;
}

/** Where a listener's words go: what streams bring, in order, and packets for the group. */
export interface ListenerEvents {
  message(origin: string, payload: Uint8Array): void;
  lost(origin: string, range: SqnRange): void;
  send(packet: Uint8Array): void;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #events: ListenerEvents;
  readonly #peers: Peers;
  #listening = false;
  /** Streams of before were forgotten: what looks like a young stream may have been heard already. */
  #hasForgotten = false;
  /** Not after the next deadline of any peer. */
  #wakeMs = Infinity;

  constructor(options: ListenerOptions, events: ListenerEvents) {
    this.#options = options;
    this.#events = events;
    this.#peers = new Peers(options.mostPeers);
  }

  start(): void {
    this.#listening = true;
  }

  /** Forgets the streams, and hears none until {@link start}. */
  stop(): void {
    this.#listening = false;
    this.#hasForgotten = true;
    // What they brought may not have been handed on yet.
    for (const peer of this.#peers.values()) this.#options.acknowledgements.forget(peer);
    this.#peers.clear();
  }

  /** Payload bytes held for the order of streams: bounded by peers and per peer. */
  get bytesHeld(): number {
    let bytes = 0;
    for (const peer of this.#peers.values()) bytes += peer.bytes;
    return bytes;
  }

  /** When to call {@link handleTimeout}; Infinity if nothing is due. */
  nextTimeoutMs(): number {
    return this.#wakeMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#wakeMs) return;
    this.#wakeMs = Infinity;
    for (const peer of this.#peers.values()) {
      if (nowMs >= peer.nextTimeoutMs()) this.#wake(peer, nowMs);
      if (nowMs >= peer.heardMs + TIMING.peerExpiryMs) {
        this.#peers.delete(peer.stream);
        this.#options.counters.peers_expired++;
      } else this.#wakeMs = Math.min(this.#wakeMs, peer.nextTimeoutMs());
    }
  }

  /** Takes a packet of another's stream, or one that another receiver sent to its source. */
  handle(packet: Exclude<Packet, Ack>, nowMs: number): void {
    if (!this.#listening) return;
    const peer = this.#peers.get(packet) ?? this.#discover(packet, nowMs);
    if (peer === undefined) return;
    const { through } = peer;
    hand(packet, peer, nowMs);
    // An SPM is answered in any case: the last acknowledgement may be lost.
    if (peer.through !== through || packet.type === "spm") this.#acknowledge(peer);
    // What is missing may have to be asked for at once.
    if (nowMs >= peer.nextTimeoutMs()) this.#wake(peer, nowMs);
    this.#wakeMs = Math.min(this.#wakeMs, peer.nextTimeoutMs());
  }

  #wake(peer: Receiver, nowMs: number): void {
    const { through } = peer;
    const { spmr, ask } = peer.handleTimeout(nowMs);
    if (peer.through !== through) this.#acknowledge(peer);
    if (spmr) this.#requestSpm(peer.stream);
    for (let at = 0; at < ask.length; at += LARGEST_NAK) {
      this.#request(peer, ask.slice(at, at + LARGEST_NAK));
    }
  }

  #acknowledge(peer: Receiver): void {
    if (peer.tagged) this.#options.acknowledgements.note(peer);
  }

  #discover(packet: Packet, nowMs: number): Receiver | undefined {
    // A repair alone does not say where the stream is now.
    if (packet.type !== "spm" && packet.type !== "odata") return undefined;
    if (!this.#peers.makeRoom(nowMs)) {
      this.#options.counters.peers_refused++;
      return undefined;
    }
    const receiver = this.#newReceiver(packet, nowMs);
    this.#peers.set(receiver);
    return receiver;
  }

  #newReceiver(first: Spm | Data, nowMs: number): Receiver {
    const { gsi, sourcePort, destinationPort } = first;
    const origin = gsiText(gsi);
    const events = {
      message: (payload: Uint8Array) => this.#events.message(origin, payload),
      lost: (range: SqnRange) => this.#events.lost(origin, range),
    };
    const stream = { gsi, sourcePort, destinationPort };
    const firstSqn = firstSqnOf(first, !this.#hasForgotten);
    return new Receiver(stream, firstSqn, events, this.#options, nowMs);
  }

  #request({ stream, nla }: Receiver, sqns: readonly number[]): void {
    // A receiver asks for nothing before it knows the address.
    if (nla === undefined) return;
    const { counters, groupNla } = this.#options;
    counters.nak_sent++;
    counters.nak_sqns_sent += sqns.length;
    this.#events.send(encodeNak(stream, "nak", { sqns, sourceNla: nla, groupNla }));
  }

  #requestSpm(stream: Stream): void {
    this.#options.counters.spmr_sent++;
    this.#events.send(encodeSpmr(stream));
  }
}

function hand(packet: Exclude<Packet, Ack>, peer: Receiver, nowMs: number): void {
  switch (packet.type) {
    case "odata":
    case "rdata":
      return peer.handleData(packet, nowMs);
    case "spm":
      return peer.handleSpm(packet, nowMs);
    case "ncf":
      return peer.handleNcf(packet.sqns, nowMs);
    case "nak":
      return peer.handleNak(packet.sqns, nowMs);
    case "spmr":
      return peer.handleSpmr(nowMs);
  }
}
