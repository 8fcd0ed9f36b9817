/**
 * The backbone over real sockets and a real clock: it drives one PGM session per group.
 *
 * @module
 */
import type { Backbone, BackboneCounters, BackboneEvents, Group, Urgency } from "./backbone.ts";
import { Channel } from "./channel.ts";
import { sayGoodbye } from "./goodbye.ts";
import { Acknowledgements } from "./pgm/acknowledgements.ts";
import { Budget } from "./pgm/budget.ts";
import { type Counters, newCounters } from "./pgm/counters.ts";
import { gsiText, parseGsi } from "./pgm/gsi.ts";
import { marksOf } from "./pgm/packet.ts";
import { ReceiveMemory } from "./pgm/receive_memory.ts";
import { LIMITS, PgmSession, type SessionEvent } from "./pgm/session.ts";
import { Slabs } from "./pgm/slab.ts";
import { addressText, isMulticast, parseAddress } from "./ipv4.ts";
import type { BackboneOptions } from "./options.ts";
import { Transmitter } from "./transmitter.ts";
import { type DatagramSocket, openUdp, type SocketEvents, type Target } from "./udp.ts";

/** PGM source ports: one per group, so that a NAK names its stream. */
const FIRST_SOURCE_PORT = 32_768;

const CONTROL: Group = 0;

type AckedEvent = Extract<SessionEvent, { type: "acked" }>;

/**
 * What all groups of a relay send together, counted as socket buffers count (1,024 bytes more for each packet): 100,000 full
 * packets a second, a quarter of it kept for repairs. More than two cores send and receive, so that who sends is held by
 * the receivers' acknowledgements, or by what they ask for again, before it is held by this.
 */
const RATE = { rate: 250_000_000, repairShare: 0.25, burstMs: 2 };

/**
 * Opens the backbone. Groups are heard once joined; the control group is no exception.
 *
 * @throws {RangeError} if an option is out of range.
 * @throws {Deno.errors.AddrNotAvailable} if no interface has the address.
 */
export async function openBackbone(
  options: BackboneOptions,
  events: BackboneEvents,
): Promise<Backbone> {
  const counters = newCounters();
  const { interface: interfaceAddress, groupPort: port, ttl, warn, openSocket = openUdp } = options;
  let endpoint: Endpoint | undefined;
  const socket = await openSocket({
    interfaceAddress,
    ttl,
    own: { port, datagram: (bytes, from) => endpoint?.receiveOwn(bytes, from) },
    error: (kind) => counters[`socket_${kind}_errors`]++,
    warn,
  });
  try {
    return endpoint = new Endpoint(options, events, socket, counters);
  } catch (cause) {
    socket.close();
    throw cause;
  }
}

class Endpoint implements Backbone {
  readonly #options: BackboneOptions;
  readonly #events: BackboneEvents;
  readonly #gsi: number;
  readonly #base: number;
  readonly #socket: DatagramSocket;
  readonly #counters: Counters;
  readonly #budget = new Budget(RATE);
  readonly #acknowledgements: Acknowledgements;
  readonly #memory: ReceiveMemory;
  readonly #slabs = new Slabs();
  readonly #channels = new Map<Group, Channel>();
  readonly #transmitter: Transmitter;
  #closed: Promise<void> | undefined;

  constructor(
    options: BackboneOptions,
    events: BackboneEvents,
    socket: DatagramSocket,
    counters: Counters,
  ) {
    this.#options = options;
    this.#events = events;
    this.#socket = socket;
    this.#counters = counters;
    this.#acknowledgements = new Acknowledgements(() => socket.receiveBuffer());
    this.#transmitter = new Transmitter(socket, options.clock, (nowMs) => this.#wake(nowMs));
    // What another group had to give up is told in a turn of its own.
    const relieved = () => this.#transmitter.arm(options.clock.nowMs());
    this.#memory = new ReceiveMemory(LIMITS.receiveBytes, relieved);
    this.#gsi = parseGsi(options.origin);
    this.#base = parseAddress(options.groupBase);
    if (!isMulticast(this.#base) || !isMulticast(this.#base + options.groupCount)) {
      throw new RangeError(`${options.groupBase} and ${options.groupCount} more are no groups`);
    }
  }

  send(
    group: Group,
    payload: Uint8Array,
    urgency: Urgency = "usual",
    nowMs = this.#options.clock.nowMs(),
  ): number {
    if (this.#closed) return 0;
    const channel = this.#channel(group);
    const ordinal = channel.session.send(payload, urgency, nowMs);
    this.#transmitter.serve(channel, nowMs);
    // Requests for repairs come to the group: its source has to hear it.
    if (channel.noteSend(nowMs)) this.#hearQuietly(channel);
    return ordinal;
  }

  tag(group: Group, origins: readonly string[]): void {
    if (this.#closed) return;
    const channel = this.#channel(group);
    const nowMs = this.#options.clock.nowMs();
    channel.session.tag(origins.map(parseGsi), nowMs);
    this.#transmitter.serve(channel, nowMs);
    // Acknowledgements come to the control group.
    const control = this.#channel(CONTROL);
    if (origins.length === 0 || control.kept) return;
    control.kept = true;
    this.#hearQuietly(control);
  }

  async join(group: Group): Promise<void> {
    if (this.#closed) return;
    const channel = this.#channel(group);
    channel.joined = true;
    channel.session.listen();
    await this.#hear(channel);
  }

  position(group: Group): number {
    return this.#channel(group).session.position;
  }

  startAt(group: Group, origin: string, position: number): void {
    const channel = this.#channels.get(group);
    const gsi = parseGsi(origin);
    if (position !== position >>> 0) throw new RangeError(`${position} is no sequence number`);
    if (this.#closed || !channel?.joined) return;
    const nowMs = this.#options.clock.nowMs();
    channel.session.startAt(gsi, position, nowMs);
    // Callbacks come from the event loop alone.
    this.#transmitter.arm(nowMs);
  }

  leave(group: Group): void {
    const channel = this.#channels.get(group);
    if (!channel?.joined) return;
    channel.joined = false;
    channel.session.deafen();
    this.#transmitter.arm(channel.nextTimeoutMs());
  }

  counters(): BackboneCounters {
    return { ...this.#counters };
  }

  close(): Promise<void> {
    return this.#closed ??= this.#end();
  }

  async #end(): Promise<void> {
    const { clock } = this.#options, channels = [...this.#channels.values()];
    const transmitter = this.#transmitter, naksReceived = () => this.#counters.naks_received;
    await sayGoodbye({ channels, transmitter, clock, naksReceived });
    transmitter.stop();
    this.#socket.close();
    await Promise.allSettled(channels.map(({ membership }) => membership));
    this.#channels.clear();
  }

  #channel(group: Group): Channel {
    let channel = this.#channels.get(group);
    if (channel === undefined) this.#channels.set(group, channel = this.#newChannel(group));
    return channel;
  }

  #newChannel(group: Group): Channel {
    const { groupCount, groupPort, random, pack = true, credentials } = this.#options;
    if (!Number.isInteger(group) || group < 0 || group > groupCount) {
      throw new RangeError(`there is no group ${group}`);
    }
    const groupNla = this.#base + group;
    const session = new PgmSession({
      stream: {
        gsi: this.#gsi,
        sourcePort: FIRST_SOURCE_PORT + group,
        destinationPort: groupPort,
      },
      sourceNla: parseAddress(this.#options.interface),
      groupNla,
      budget: this.#budget,
      counters: this.#counters,
      acknowledgements: this.#acknowledgements,
      memory: this.#memory,
      allocate: this.#slabs.allocate,
      random,
      pack,
      credentials,
    });
    return new Channel(group, { address: addressText(groupNla), port: groupPort }, session);
  }

  #hear(channel: Channel): Promise<void> {
    const { clock } = this.#options;
    const events: SocketEvents = {
      datagram: (bytes, from) => this.#receive(channel, bytes, from),
      echo: marksOf(channel.session.stream),
      error: (kind) => this.#countError(kind),
    };
    return channel.enter(this.#socket, events, () => clock.nowMs());
  }

  #hearQuietly(channel: Channel): void {
    this.#hear(channel).catch(() => this.#countError("receive"));
  }

  /**
   * Takes what was sent to us alone: receivers may ask a source without asking the group (RFC 3208 §6.3), and those of
   * OpenPGM do. The destination port says which of our streams is meant.
   */
  receiveOwn(bytes: Uint8Array, from: Target): void {
    const [, , high = 0, low = 0] = bytes;
    const channel = this.#channelAt(high << 8 | low);
    if (channel) this.#receive(channel, bytes, from);
    else this.#counters.dropped_foreign++;
  }

  #channelAt(sourcePort: number): Channel | undefined {
    return this.#channels.get(sourcePort - FIRST_SOURCE_PORT);
  }

  #receive(channel: Channel, bytes: Uint8Array, { address }: Target): void {
    const nowMs = this.#options.clock.nowMs();
    channel.session.handleDatagram(bytes, nowMs, address);
    this.#transmitter.serve(channel, nowMs);
    this.#deliver(channel, nowMs);
    this.#acknowledge(nowMs);
  }

  #deliver(channel: Channel, nowMs: number): void {
    const { session, group } = channel;
    for (let event = session.pollEvent(); event; event = session.pollEvent()) {
      if (event.type === "acked") {
        this.#handleAck(event, nowMs);
        // Otherwise: a callback may have left the group.
      } else if (channel.joined) {
        const { origin } = event;
        if (event.type === "message") this.#events.message(group, origin, event.payload, nowMs);
        else this.#events.lost(group, origin, event.range);
      }
    }
  }

  #handleAck({ by, acked, window }: AckedEvent, nowMs: number): void {
    const channel = this.#channelAt(acked.sourcePort);
    if (channel === undefined) return;
    const had = channel.session.handleAck(by, acked, window);
    this.#transmitter.serve(channel, nowMs);
    if (had) this.#events.acknowledged?.(channel.group, gsiText(by), had.from, had.through);
  }

  /** Acknowledges by the control group what the sessions of all groups have noted, when it is time. */
  #acknowledge(nowMs: number): void {
    const atMs = this.#acknowledgements.nextTimeoutMs();
    if (nowMs < atMs) return this.#transmitter.arm(atMs);
    const control = this.#channel(CONTROL);
    control.session.acknowledge(nowMs);
    this.#transmitter.serve(control, nowMs);
  }

  #wake(nowMs: number): void {
    for (const channel of this.#channels.values()) channel.handleTimeout(nowMs);
    for (const channel of this.#channels.values()) this.#deliver(channel, nowMs);
    this.#acknowledge(nowMs);
    this.#transmitter.serveAll(nowMs);
  }

  #countError(kind: "send" | "receive"): void {
    if (!this.#closed) this.#counters[`socket_${kind}_errors`]++;
  }
}
