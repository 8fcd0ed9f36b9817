/**
 * A PGM session on the simulated network.
 *
 * @module
 */
import { Acknowledgements } from "../../backbone/pgm/acknowledgements.ts";
import type { Credentials } from "../../backbone/pgm/auth_keys.ts";
import { Budget } from "../../backbone/pgm/budget.ts";
import type { Ordinals } from "../../backbone/pgm/delivered.ts";
import { newCounters } from "../../backbone/pgm/counters.ts";
import { ReceiveMemory } from "../../backbone/pgm/receive_memory.ts";
import { Slabs } from "../../backbone/pgm/slab.ts";
import { LIMITS, PgmSession, type SessionEvent } from "../../backbone/pgm/session.ts";
import { lengthOf } from "../../backbone/pgm/serial.ts";
import type { Urgency } from "../../backbone/pgm/urgency.ts";
import type { Intake, SimulatedNetwork } from "./sim_network.ts";
import type { VirtualClock } from "./virtual_clock.ts";

export interface PgmNodeOptions {
  readonly clock: VirtualClock;
  readonly network: SimulatedNetwork;
  readonly random: () => number;
  readonly gsi: number;
  readonly firstSqn?: number;
  /** Bytes a second. */
  readonly rate?: number;
  /** What of it is kept for repairs; a quarter if absent. */
  readonly repairShare?: number;
  readonly pack?: boolean;
  /** At once if absent. */
  readonly intake?: Intake;
  /** The most memory for what streams hold; that of a relay if absent. */
  readonly receiveBytes?: number;
  readonly credentials?: Credentials | undefined;
  /** What its socket buffer holds; 4 MiB, doubled as Linux does, if absent. */
  readonly bufferBytes?: number;
}

export class PgmNode {
  readonly session: PgmSession;
  readonly gsi: number;
  readonly counters = newCounters();
  readonly #acknowledgements: Acknowledgements;
  /** Payloads that tagged receivers were heard to have: who, and their ordinals. */
  readonly acknowledged: (Ordinals & { readonly by: number })[] = [];
  readonly #memory: ReceiveMemory;
  readonly events: SessionEvent[] = [];
  readonly #clock: VirtualClock;
  readonly #transmit: (bytes: Uint8Array) => void;
  #cancel: (() => void) | undefined;
  #wakeMs = Infinity;
  #running = true;
  /** The most bytes that it held, and was missing, for the order of streams. */
  peakBytesHeld = 0;

  constructor(options: PgmNodeOptions) {
    const { clock, network, random, gsi, intake, rate = 100_000_000, repairShare = 0.25 } = options;
    const { bufferBytes = 8 << 20 } = options;
    this.#clock = clock;
    this.gsi = gsi;
    this.#acknowledgements = new Acknowledgements(() => bufferBytes);
    this.#memory = new ReceiveMemory(options.receiveBytes ?? LIMITS.receiveBytes, () => {});
    this.session = new PgmSession({
      stream: { gsi, sourcePort: 32769, destinationPort: 3055 },
      sourceNla: 0x0a4d_0001,
      groupNla: 0xefc0_0701,
      budget: new Budget({ rate, repairShare, burstMs: 2 }),
      counters: this.counters,
      acknowledgements: this.#acknowledgements,
      memory: this.#memory,
      allocate: new Slabs().allocate,
      random,
      credentials: options.credentials,
      pack: options.pack ?? true,
      firstSqn: options.firstSqn ?? 0,
    });
    this.session.listen();
    this.#transmit = network.attach((bytes) => this.receive(bytes), intake);
  }

  /** Takes a datagram, of an address if one is given. */
  receive(bytes: Uint8Array, from?: string): void {
    if (!this.#running) return;
    // Sockets use their buffers again: whoever keeps a view of one finds this.
    const buffer = bytes.slice();
    this.session.handleDatagram(buffer, this.#clock.nowMs(), from);
    buffer.fill(0xee);
    this.#serve();
  }

  send(payload: Uint8Array, urgency: Urgency = "usual"): number {
    const ordinal = this.session.send(payload, urgency, this.#clock.nowMs());
    this.#serve();
    return ordinal;
  }

  /** Names the nodes whose acknowledgements hold this one, by their GSIs. */
  tag(gsis: readonly number[]): void {
    this.session.tag(gsis, this.#clock.nowMs());
    this.#serve();
  }

  /** What `gsi` sent before `position` is had; everything from it on is wanted. */
  startAt(gsi: number, position: number): void {
    this.session.startAt(gsi, position, this.#clock.nowMs());
    this.#serve();
  }

  close(): void {
    this.session.close(this.#clock.nowMs());
    this.#serve();
  }

  /** Falls silent and deaf, as by a crash. */
  kill(): void {
    this.#running = false;
    this.#cancel?.();
  }

  /** The payloads of an origin, or of all, in the order they came. */
  received(origin?: string): Uint8Array[] {
    return this.events.flatMap((event) =>
      event.type === "message" && (origin ?? event.origin) === event.origin ? [event.payload] : []
    );
  }

  /** What it holds, and is missing, for the order of streams, in bytes. */
  get bytesHeld(): number {
    return this.#memory.bytes;
  }

  /** How many packets were announced as lost. */
  get lost(): number {
    return this.events.reduce(
      (sum, event) => sum + (event.type === "lost" ? lengthOf(event.range) : 0),
      0,
    );
  }

  #serve(): void {
    const nowMs = this.#clock.nowMs();
    for (;;) {
      const event = this.session.pollEvent();
      if (event === undefined) break;
      if (event.type === "acked") this.#handleAck(event);
      else this.events.push(event);
    }
    this.session.acknowledge(nowMs);
    for (;;) {
      const packet = this.session.pollTransmit(nowMs);
      if (packet === undefined) break;
      this.#transmit(packet);
    }
    this.peakBytesHeld = Math.max(this.peakBytesHeld, this.bytesHeld);
    this.#arm();
  }

  #handleAck({ by, acked, window }: Extract<SessionEvent, { type: "acked" }>): void {
    const had = this.session.handleAck(by, acked, window);
    if (had) this.acknowledged.push({ by, ...had });
  }

  #arm(): void {
    const wakeMs = Math.min(
      this.session.nextTimeoutMs(),
      this.#acknowledgements.nextTimeoutMs(),
    );
    if (wakeMs === this.#wakeMs) return;
    this.#cancel?.();
    this.#wakeMs = wakeMs;
    if (wakeMs === Infinity) return;
    this.#cancel = this.#clock.after(wakeMs - this.#clock.nowMs(), () => {
      this.#wakeMs = Infinity;
      this.session.handleTimeout(this.#clock.nowMs());
      this.#serve();
    });
  }
}
