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
import type { Ordinals } from "./delivered.ts";
import { Deque } from "./deque.ts";
import { encodeAck } from "./encode.ts";
import { Listener } from "./listener.ts";
import {
  type Ack,
  decodePacket,
  isFrom,
  LARGEST_TPDU,
  type Packet,
  type Refusal,
  type Stream,
} from "./packet.ts";
import type { ReceiveMemory } from "./receive_memory.ts";
import type { Allocate } from "./slab.ts";
import { type Requester, Requesters } from "./requesters.ts";
import type { SqnRange } from "./serial.ts";
import { Source } from "./source.ts";
import type { Urgency } from "./urgency.ts";

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
  /** Held and missing, of all peers of all sessions of a relay. */
  receiveBytes: 64 << 20,
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
  /** What is held for the order of others' streams. Shared as well. */
  readonly memory: ReceiveMemory;
  /** Memory for what streams bring. Shared as well: most bring little. */
  readonly allocate: Allocate;
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** The first packet's sequence number; 0 if absent. Another one tests the wrap. */
  readonly firstSqn?: number;
  /** Whether payloads may share packets, which only our own receivers take apart; true if absent. */
  readonly pack?: boolean;
  /** Hears and is heard by those alone who have a key of these; if absent, by those without one. */
  readonly credentials?: Credentials | undefined;
}

/** What a session has to say. Payloads have bytes of their own. */
export type SessionEvent =
  | { readonly type: "message"; readonly origin: string; readonly payload: Uint8Array }
  | { readonly type: "lost"; readonly origin: string; readonly range: SqnRange }
  /** The receiver `by` has this of a stream, which may be that of any session, and such a window. */
  | {
    readonly type: "acked";
    readonly by: number;
    readonly acked: Acked;
    readonly window: number;
  };

export class PgmSession {
  readonly #options: SessionOptions;
  readonly #gate: Gate;
  readonly #source: Source;
  readonly #requesters = new Requesters();
  readonly #listener: Listener;
  readonly #requests = new Deque<Uint8Array>();
  readonly #events = new Deque<SessionEvent>();

  constructor(options: SessionOptions) {
    this.#options = options;
    const { credentials, stream: { gsi }, groupNla } = options;
    this.#gate = credentials ? new Authenticator({ ...credentials, gsi, groupNla }) : OPEN_GATE;
    this.#source = new Source({
      ...options,
      firstSqn: options.firstSqn ?? 0,
      pack: options.pack ?? true,
      largestTpdu: LARGEST_TPDU - this.#gate.overheadBytes,
      windowBytes: LIMITS.transmitWindowBytes,
      queueBytes: LIMITS.queueBytes,
    });
    this.#listener = this.#newListener(options);
  }

  /** Our own stream. */
  get stream(): Stream {
    return this.#options.stream;
  }

  /** Hears others from now on. Requests for our own packets are heard in any case. */
  listen(): void {
    this.#listener.start();
  }

  /** The sequence number that our next packet will have. */
  get position(): number {
    return this.#source.position;
  }

  /** Hears the stream of `gsi` here from `position` on: see {@link Listener.startAt}. Heeded only while it listens. */
  startAt(gsi: number, position: number, nowMs: number): void {
    const { stream } = this.#options;
    // Our own is not heard.
    if (gsi !== stream.gsi) this.#listener.startAt({ ...stream, gsi }, position, nowMs);
  }

  /** Forgets the others and hears them no more. */
  deafen(): void {
    this.#listener.stop();
  }

  /**
   * Takes a payload to send; answers its ordinal: 1, 2, 3 … 0: too many wait. The bytes must stay as they are.
   *
   * @throws {RangeError} if the payload is longer than {@link LARGEST_MESSAGE}.
   */
  send(payload: Uint8Array, urgency: Urgency, nowMs: number): number {
    if (payload.length > LARGEST_MESSAGE) {
      throw new RangeError(`${payload.length} bytes are more than a message holds`);
    }
    return this.#source.send(payload, urgency, nowMs);
  }

  /** Names the receivers whose acknowledgements hold our stream to a window: see {@link Source.tag}. */
  tag(gsis: readonly number[], nowMs: number): void {
    this.#source.tag(gsis, nowMs);
  }

  /** An acknowledgement of our stream, whichever group it came by: see {@link Source.handleAck}. */
  handleAck(by: number, acked: Acked, window: number): Ordinals | undefined {
    return this.#source.handleAck(by, acked, window);
  }

  /** Sends what is to be acknowledged now, of whatever sessions: what their events brought must have been handed on. */
  acknowledge(nowMs: number): void {
    const { acknowledgements, stream, counters } = this.#options;
    for (let acks = acknowledgements.poll(nowMs); acks; acks = acknowledgements.poll(nowMs)) {
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
   * @param from the address that it came from. What one may ask of us, and what streams may hold, is bounded by address.
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
    } else this.#listener.handle(packet, nowMs, from);
  }

  /** The packet, if it is one and for us; what is dropped has changed nothing. */
  #admit(bytes: Uint8Array, nowMs: number): Packet | Refusal | AuthRefusal | "foreign" {
    const packet = decodePacket(bytes);
    if (typeof packet === "string") return packet;
    if (packet.destinationPort !== this.#options.stream.destinationPort) return "foreign";
    return this.#gate.refuse(bytes, nowMs) ?? packet;
  }

  handleTimeout(nowMs: number): void {
    this.#listener.handleTimeout(nowMs);
  }

  /** When to call {@link handleTimeout} and poll again; Infinity if nothing is due. */
  nextTimeoutMs(): number {
    return Math.min(this.#source.nextTimeoutMs(), this.#listener.nextTimeoutMs());
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

  /** The memory of what of our own waits to be sent; 0 if nothing does. */
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
    if (acks === undefined) return;
    const { window, streams } = acks;
    for (const acked of streams) {
      if (acked.gsi !== this.#options.stream.gsi) continue;
      this.#events.push({ type: "acked", by, acked, window });
    }
  }

  #newListener(options: SessionOptions): Listener {
    const { counters, credentials, stream: { gsi } } = options;
    return new Listener({
      ...options,
      gsi,
      // Those with a tag of ours are known, and do not come in.
      echoes: credentials === undefined,
      windowBytes: LIMITS.receiveWindowBytes,
      largestMessage: LARGEST_MESSAGE,
      mostPeers: LIMITS.peers,
    }, {
      message: (origin, payload) => {
        counters.messages_received++;
        this.#events.push({ type: "message", origin, payload });
      },
      lost: (origin, range) => this.#events.push({ type: "lost", origin, range }),
      send: (packet) => this.#send(packet),
    });
  }

  #send(packet: Uint8Array): void {
    this.#options.budget.charge(packet.length);
    this.#requests.push(packet);
  }
}
