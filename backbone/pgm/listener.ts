/**
 * The receiving side of a session: finds the streams of a group, has a receiver for each, and asks for what they miss.
 *
 * @module
 */
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Counters } from "./counters.ts";
import { type Discovery, firstSqnOf } from "./discovery.ts";
import { encodeNak, encodeSpmr } from "./encode.ts";
import { gsiText } from "./gsi.ts";
import { type Ack, type Data, LARGEST_NAK, type Packet, type Spm, type Stream } from "./packet.ts";
import { Peers } from "./peers.ts";
import type { ReceiveMemory } from "./receive_memory.ts";
import { Receiver, type ReceiverOptions } from "./receiver.ts";
import { ahead, type SqnRange } from "./serial.ts";
import { TIMING } from "./timing.ts";

export interface ListenerOptions extends ReceiverOptions {
  /** The group's address, IPv4 as a number. */
  readonly groupNla: number;
  /** The most streams heard at a time. */
  readonly mostPeers: number;
  readonly counters: Counters;
  /** Shared by the sessions of a relay: what their streams hold. */
  readonly memory: ReceiveMemory;
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
    for (const peer of this.#peers.values()) this.#forget(peer);
  }

  /** What came before `position` is had by other means: see {@link Receiver.startAt}. A stream not heard yet begins there. */
  startAt(stream: Stream, position: number, nowMs: number): void {
    if (!this.#listening) return;
    const known = this.#peers.get(stream);
    known?.startAt(position, nowMs);
    const firstSqn = position, address = undefined;
    const peer = known ?? this.#open({ stream, firstSqn, address, nowMs });
    if (peer) this.#settle(peer);
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
        this.#forget(peer);
        this.#options.counters.peers_expired++;
      } else this.#wakeMs = Math.min(this.#wakeMs, peer.nextTimeoutMs());
    }
  }

  /**
   * Takes a packet of another's stream, or one that another receiver sent to its source.
   *
   * @param from the address that it came from, if that is known.
   */
  handle(packet: Exclude<Packet, Ack>, nowMs: number, from?: string): void {
    if (!this.#listening) return;
    const peer = this.#peers.get(packet) ?? this.#discover(packet, from, nowMs);
    if (peer === undefined) return;
    if (peer.address === undefined && from !== undefined && isOfSource(packet)) {
      this.#peers.locate(peer, from);
    }
    const { through } = peer;
    hand(packet, peer, nowMs);
    this.#acknowledge(peer, ahead(peer.through, through), packet.type === "spm", nowMs);
    // What is missing may have to be asked for at once.
    if (nowMs >= peer.nextTimeoutMs()) this.#wake(peer, nowMs);
    this.#settle(peer);
  }

  /** A packet has brought a peer's stream on by so many; less than none if it begins again. */
  #acknowledge(peer: Receiver, came: number, isSpm: boolean, nowMs: number): void {
    const { asked } = peer;
    if (asked === undefined || (came === 0 && !(isSpm && asked.now))) return;
    // Whoever waited for a repair has kept a busy source from going on.
    const waitMs = came === 1 ? asked.waitMs : 0;
    this.#options.acknowledgements.note(peer, Math.max(0, came), waitMs, nowMs);
  }

  /** Something may have changed about a peer: what it holds, and when it wants waking. */
  #settle(peer: Receiver): void {
    this.#options.memory.update(peer);
    this.#wakeMs = Math.min(this.#wakeMs, peer.nextTimeoutMs());
  }

  #forget(peer: Receiver): void {
    this.#peers.delete(peer);
    this.#options.memory.forget(peer);
    // What it brought may not have been handed on yet.
    this.#options.acknowledgements.forget(peer);
  }

  #wake(peer: Receiver, nowMs: number): void {
    const { spmr, ask } = peer.handleTimeout(nowMs);
    if (spmr) this.#requestSpm(peer.stream);
    for (let at = 0; at < ask.length; at += LARGEST_NAK) {
      this.#request(peer, ask.slice(at, at + LARGEST_NAK));
    }
    this.#options.memory.update(peer);
  }

  #discover(packet: Packet, address: string | undefined, nowMs: number): Receiver | undefined {
    if (!isOfSource(packet)) return undefined;
    const { gsi, sourcePort, destinationPort } = packet;
    const firstSqn = firstSqnOf(packet, !this.#hasForgotten);
    const stream = { gsi, sourcePort, destinationPort };
    return this.#open({ stream, firstSqn, address, nowMs });
  }

  /** Hears a stream, if there is room for one more or can be made. */
  #open(discovery: Discovery): Receiver | undefined {
    if (this.#peers.isFull && !this.#makeRoom(discovery)) {
      this.#options.counters.peers_refused++;
      return undefined;
    }
    const origin = gsiText(discovery.stream.gsi);
    const events = {
      message: (payload: Uint8Array) => this.#events.message(origin, payload),
      lost: (range: SqnRange) => this.#events.lost(origin, range),
    };
    const receiver = new Receiver(discovery, events, this.#options);
    this.#peers.add(receiver);
    return receiver;
  }

  #makeRoom({ address, nowMs }: Discovery): boolean {
    const leaver = this.#peers.replaceable(address, nowMs);
    if (leaver === undefined) return false;
    this.#forget(leaver);
    this.#options.counters.peers_replaced++;
    return true;
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

/** Whether a packet tells that there is a source, and where it is now: a repair alone does not. */
function isOfSource(packet: Packet): packet is Spm | Data {
  return packet.type === "spm" || packet.type === "odata";
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
