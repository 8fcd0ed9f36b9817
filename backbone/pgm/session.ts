/**
 * One PGM group as one machine: our own stream, and everybody else's. No I/O, no clock.
 *
 * After each of {@link PgmSession.send}, {@link PgmSession.handleDatagram} and {@link PgmSession.handleTimeout}: poll
 * {@link PgmSession.pollTransmit} and {@link PgmSession.pollEvent} until they answer undefined, then wake it at
 * {@link PgmSession.nextTimeoutMs}. Transmissions may be put off while the socket is busy; more payloads then share a
 * packet.
 *
 * @module
 */
import { Authenticator, type AuthRefusal, type Gate, OPEN_GATE } from "./auth.ts";
import type { Credentials } from "./auth_keys.ts";
import type { Acked } from "./ack.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Budget } from "./budget.ts";
import type { Counters } from "./counters.ts";
import { Deque } from "./deque.ts";
import { encodeAck, encodeNak, encodeSpmr } from "./encode.ts";
import { gsiText } from "./gsi.ts";
import {
  type Ack,
  type Data,
  decodePacket,
  isFrom,
  LARGEST_NAK,
  LARGEST_TPDU,
  type Nak,
  type Packet,
  type Refusal,
  type Spm,
  type Stream,
} from "./packet.ts";
import { Peers } from "./peers.ts";
import { type Requester, Requesters } from "./requesters.ts";
import { firstSqnOf, Receiver, type ReceiverOptions } from "./receiver.ts";
import { Source } from "./source.ts";
import { TIMING } from "./timing.ts";

/** The longest message, in bytes: 1 MiB of data and what the relay says about it. */
export const LARGEST_MESSAGE = (1 << 20) + (1 << 16);

/** What a session may use, in bytes and peers. */
export const LIMITS = {
  /** Sent and repairable. */
  transmitWindowBytes: 32 << 20,
  /** Waiting to be sent. */
  queueBytes: 8 << 20,
  /** Held out of order, per peer. */
  receiveWindowBytes: 16 << 20,
  peers: 256,
} as const;

export interface SessionOptions {
  /** Our own stream: its GSI is the origin, its destination port the group's. */
  readonly stream: Stream;
  /** Our address and the group's, IPv4 as a number. */
  readonly sourceNla: number;
  readonly groupNla: number;
  /** Shared by the sessions of a relay. */
  readonly budget: Budget;
  readonly counters: Counters;
  /** Where this session notes what it acknowledges. Shared as well: one packet acknowledges the streams of all groups. */
  readonly acknowledgements: Acknowledgements;
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** The first packet's sequence number; 0 if absent. Another one tests the wrap. */
  readonly firstSqn?: number;
  /** Whether payloads may share packets, which only our own receivers take apart; true if absent. */
  readonly pack?: boolean;
  /** Hears and is heard by those alone who have a key of these; if absent, by those without one. */
  readonly credentials?: Credentials | undefined;
}

/** What a session has to say. Payloads are buffers of their own. */
export type SessionEvent =
  | { readonly type: "message"; readonly origin: string; readonly payload: Uint8Array }
  | { readonly type: "lost"; readonly origin: string; readonly count: number }
  /** The receiver `by` is as far in a stream, which may be that of any session. */
  | { readonly type: "acked"; readonly by: number; readonly acked: Acked };

export class PgmSession {
  readonly #options: SessionOptions;
  readonly #gate: Gate;
  readonly #source: Source;
  readonly #requesters = new Requesters();
  readonly #peers = new Peers(LIMITS.peers);
  readonly #receiverOptions: ReceiverOptions;
  readonly #requests = new Deque<Uint8Array>();
  readonly #events = new Deque<SessionEvent>();
  #listening = false;
  /** Streams of before were forgotten: what looks like a young stream may have been heard already. */
  #hasForgotten = false;
  /** Not after the next deadline of any peer. */
  #peersWakeMs = Infinity;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { counters, random, credentials, stream: { gsi }, groupNla } = options;
    this.#gate = credentials ? new Authenticator({ ...credentials, gsi, groupNla }) : OPEN_GATE;
    this.#source = new Source({
      ...options,
      firstSqn: options.firstSqn ?? 0,
      pack: options.pack ?? true,
      largestTpdu: LARGEST_TPDU - this.#gate.overheadBytes,
      windowBytes: LIMITS.transmitWindowBytes,
      queueBytes: LIMITS.queueBytes,
    });
    this.#receiverOptions = {
      random,
      echoes: credentials === undefined,
      counters,
      windowBytes: LIMITS.receiveWindowBytes,
      largestMessage: LARGEST_MESSAGE,
      gsi,
    };
  }

  /** Hears others from now on. Requests for our own packets are heard in any case. */
  listen(): void {
    this.#listening = true;
  }

  /** Forgets the others and hears them no more. */
  deafen(): void {
    this.#listening = false;
    this.#hasForgotten = true;
    this.#peers.clear();
  }

  /**
   * Takes a payload to send. False: too many wait. The bytes must stay as they are.
   *
   * @throws {RangeError} if the payload is longer than {@link LARGEST_MESSAGE}.
   */
  send(payload: Uint8Array, nowMs: number): boolean {
    if (payload.length > LARGEST_MESSAGE) {
      throw new RangeError(`${payload.length} bytes are more than a message holds`);
    }
    return this.#source.send(payload, nowMs);
  }

  /** Names the receivers whose acknowledgements hold our stream to a window: see {@link Source.tag}. */
  tag(gsis: readonly number[], nowMs: number): void {
    this.#source.tag(gsis, nowMs);
  }

  /** An acknowledgement of our stream, whichever group it came by. */
  handleAck(by: number, sqn: number): void {
    this.#source.handleAck(by, sqn);
  }

  /** Sends what is to be acknowledged now, of whatever sessions. */
  acknowledge(nowMs: number): void {
    const { acknowledgements, stream, counters } = this.#options;
    for (;;) {
      const acks = acknowledgements.poll(nowMs);
      if (acks.length === 0) return;
      counters.acks_sent++;
      this.#send(encodeAck(stream, acks));
    }
  }

  /** Says goodbye: see {@link Source.close}. */
  close(nowMs: number): void {
    this.#source.close(nowMs);
  }

  /**
   * Takes what a socket received. The bytes may be used again afterwards.
   *
   * @param from the address that it came from. What one may ask of us is bounded, where it is known who asks.
   */
  handleDatagram(bytes: Uint8Array, nowMs: number, from?: string): void {
    const { counters, stream } = this.#options;
    counters.packets_received++;
    counters.bytes_received += bytes.length;
    // Our own, looped back: half of what a busy source receives.
    if (isFrom(bytes, stream)) return;
    const packet = this.#admit(bytes, nowMs);
    if (typeof packet === "string") counters[`dropped_${packet}`]++;
    else if (packet.type === "ack") this.#handleAck(packet);
    else if (this.#isOwn(packet)) {
      this.#handleOwn(packet, this.#gate.senderOf(bytes) ?? from, nowMs);
    } else if (this.#listening) this.#handleOther(packet, nowMs);
  }

  /** The packet, if it is one and for us; what is dropped has changed nothing. */
  #admit(bytes: Uint8Array, nowMs: number): Packet | Refusal | AuthRefusal | "foreign" {
    const packet = decodePacket(bytes);
    if (typeof packet === "string") return packet;
    if (packet.destinationPort !== this.#options.stream.destinationPort) return "foreign";
    return this.#gate.refuse(bytes, nowMs) ?? packet;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#peersWakeMs) return;
    this.#peersWakeMs = Infinity;
    for (const peer of this.#peers.values()) {
      if (nowMs >= peer.nextTimeoutMs()) this.#wake(peer, nowMs);
      if (nowMs >= peer.heardMs + TIMING.peerExpiryMs) {
        this.#peers.delete(peer.stream);
        this.#options.counters.peers_expired++;
      } else this.#peersWakeMs = Math.min(this.#peersWakeMs, peer.nextTimeoutMs());
    }
  }

  /** When to call {@link handleTimeout} and poll again; Infinity if nothing is due. */
  nextTimeoutMs(): number {
    return Math.min(this.#source.nextTimeoutMs(), this.#peersWakeMs);
  }

  /** The next packet to send to the group. */
  pollTransmit(nowMs: number): Uint8Array | undefined {
    const plain = this.#requests.shift() ?? this.#source.pollTransmit(nowMs);
    if (plain === undefined) return undefined;
    const packet = this.#gate.sign(plain, nowMs);
    this.#options.counters.packets_sent++;
    this.#options.counters.bytes_sent += packet.length;
    return packet;
  }

  pollEvent(): SessionEvent | undefined {
    return this.#events.shift();
  }

  /** Payload bytes held for other streams' order: bounded by peers and per peer. */
  get bytesHeld(): number {
    let bytes = 0;
    for (const peer of this.#peers.values()) bytes += peer.bytes;
    return bytes;
  }

  /** Payload bytes of our own that wait to be sent. */
  get bytesWaiting(): number {
    return this.#source.bytesWaiting;
  }

  #isOwn({ gsi, sourcePort }: Stream): boolean {
    const own = this.#options.stream;
    return gsi === own.gsi && sourcePort === own.sourcePort;
  }

  /** What others ask of our own stream. An N-NAK asks for nothing: it tells of a repair by a local repairer (RFC 3208, DLR). */
  #handleOwn(packet: Packet, who: Requester | undefined, nowMs: number): void {
    if (packet.type !== "nak" && packet.type !== "spmr") return;
    const asked = packet.type === "nak" ? packet.sqns.length : 1;
    const granted = who === undefined ? asked : this.#requesters.grant(who, asked, nowMs);
    this.#options.counters.requests_refused += asked - granted;
    if (granted === 0) return;
    if (packet.type === "spmr") this.#source.handleSpmr(nowMs);
    else this.#source.handleNak(packet.sqns.slice(0, granted), nowMs);
  }

  #handleAck({ gsi: by, acks }: Ack): void {
    for (const acked of acks) {
      if (acked.gsi === this.#options.stream.gsi) this.#events.push({ type: "acked", by, acked });
    }
  }

  #handleOther(packet: Exclude<Packet, Ack>, nowMs: number): void {
    const peer = this.#peers.get(packet) ?? this.#discover(packet, nowMs);
    if (peer === undefined) return;
    const { position } = peer;
    switch (packet.type) {
      case "odata":
      case "rdata":
        peer.handleData(packet, nowMs);
        break;
      case "spm":
        peer.handleSpm(packet, nowMs);
        break;
      case "ncf":
        peer.handleNcf(packet.sqns, nowMs);
        break;
      case "nak":
        peer.handleNak(packet.sqns, nowMs);
        break;
      case "spmr":
        peer.handleSpmr(nowMs);
        break;
    }
    // An SPM is answered in any case: the last acknowledgement may be lost.
    if (peer.tagged && (peer.position !== position || packet.type === "spm")) {
      this.#options.acknowledgements.note(peer.stream, peer.position);
    }
    // What is missing may have to be asked for at once.
    if (nowMs >= peer.nextTimeoutMs()) this.#wake(peer, nowMs);
    this.#peersWakeMs = Math.min(this.#peersWakeMs, peer.nextTimeoutMs());
  }

  #wake(peer: Receiver, nowMs: number): void {
    const { spmr, ask } = peer.handleTimeout(nowMs);
    if (spmr) this.#requestSpm(peer.stream);
    for (let at = 0; at < ask.length; at += LARGEST_NAK) {
      this.#request(peer, ask.slice(at, at + LARGEST_NAK));
    }
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
    const { counters } = this.#options;
    const events = {
      message: (payload: Uint8Array) => {
        counters.messages_received++;
        this.#events.push({ type: "message", origin, payload });
      },
      lost: (count: number) => this.#events.push({ type: "lost", origin, count }),
    };
    const stream = { gsi, sourcePort, destinationPort };
    const firstSqn = firstSqnOf(first, !this.#hasForgotten);
    return new Receiver(stream, firstSqn, events, this.#receiverOptions, nowMs);
  }

  #request({ stream, nla }: Receiver, sqns: readonly number[]): void {
    // A receiver asks for nothing before it knows the address.
    if (nla === undefined) return;
    this.#options.counters.nak_sent++;
    this.#options.counters.nak_sqns_sent += sqns.length;
    const nak: Pick<Nak, "sqns" | "sourceNla" | "groupNla"> = {
      sqns,
      sourceNla: nla,
      groupNla: this.#options.groupNla,
    };
    this.#send(encodeNak(stream, "nak", nak));
  }

  #requestSpm(stream: Stream): void {
    this.#options.counters.spmr_sent++;
    this.#send(encodeSpmr(stream));
  }

  #send(packet: Uint8Array): void {
    this.#options.budget.charge(packet.length);
    this.#requests.push(packet);
  }
}
