/**
 * The backbone over real sockets and a real clock: it drives one PGM session per group.
 *
 * @module
 */
import type { Backbone, BackboneCounters, BackboneEvents, Group } from "./backbone.ts";
import type { Clock } from "./clock.ts";
import type { Credentials } from "./pgm/auth_keys.ts";
import { Budget } from "./pgm/budget.ts";
import { type Counters, newCounters } from "./pgm/counters.ts";
import { parseGsi } from "./pgm/gsi.ts";
import { PgmSession } from "./pgm/session.ts";
import { addressText, isMulticast, parseAddress } from "./ipv4.ts";
import { type DatagramSocket, type OpenSocket, openUdp, type Target } from "./udp.ts";

export interface BackboneOptions {
  /** Our name: 8 base64url characters, drawn at each start. PGM receivers ignore a source that restarts under its old one. */
  readonly origin: string;
  /** The address of the interface to use. */
  readonly interface: string;
  /** The control group's address; the pool's follow it. */
  readonly groupBase: string;
  /** How many groups the pool has. */
  readonly groupCount: number;
  /** UDP port, and PGM destination port. */
  readonly groupPort: number;
  /** How far packets go: one more than the routers they may pass. 1, the LAN, if absent. */
  readonly ttl?: number;
  /** Whether payloads may share packets, which only our own receivers take apart; true if absent. */
  readonly pack?: boolean;
  /** Hears and is heard by those alone who have a key of these; if absent, by those without one. */
  readonly credentials?: Credentials | undefined;
  readonly clock: Clock;
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** The system's UDP if absent. */
  readonly openSocket?: OpenSocket;
  /** Told once, if the system's sockets give less than is good: what is wrong, and how to mend it. */
  readonly warn?: (advice: string) => void;
}

/** PGM source ports: one per group, so that a NAK names its stream. */
const FIRST_SOURCE_PORT = 32_768;

/**
 * What all groups of a relay send together: half a gigabit on the wire with full packets, a quarter of it kept for repairs.
 * A burst fits the socket buffer that Linux gives a receiver by default (212,992 bytes).
 */
const RATE = { rate: 100_000_000, repairShare: 0.25, burstMs: 2 };

/**
 * Sends that may be under way at once. While so many are, payloads wait and then share packets; a lone one never waits.
 */
const SENDS_UNDER_WAY = 4;

/** How long a relay that left a group still hears requests for what it sent there. */
const SOURCE_LINGER_MS = 60_000;

/** Time for the last repairs between our goodbye and the closing of the sockets. */
const FAREWELL_MS = 20;

/** Between attempts to hear the requests for what we send, after one failed. */
const REJOIN_MS = 1_000;

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
    own: { port, datagram: (bytes) => endpoint?.receiveOwn(bytes) },
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

/** One group: its session, and whether it is heard. */
interface Channel {
  readonly group: Group;
  readonly target: Target;
  readonly session: PgmSession;
  joined: boolean;
  /** Answers the end of the membership, once it stands. */
  membership: Promise<() => void> | undefined;
  failedMs: number;
  sentMs: number;
}

class Endpoint implements Backbone {
  readonly #options: BackboneOptions;
  readonly #events: BackboneEvents;
  readonly #gsi: number;
  readonly #base: number;
  readonly #socket: DatagramSocket;
  readonly #counters: Counters;
  readonly #budget = new Budget(RATE);
  readonly #channels = new Map<Group, Channel>();
  /** Channels that may have something to transmit; served in turn. */
  readonly #busy = new Set<Channel>();
  #underWay = 0;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
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
    this.#gsi = parseGsi(options.origin);
    this.#base = parseAddress(options.groupBase);
    if (!isMulticast(this.#base) || !isMulticast(this.#base + options.groupCount)) {
      throw new RangeError(`${options.groupBase} and ${options.groupCount} more are no groups`);
    }
  }

  send(group: Group, payload: Uint8Array): boolean {
    if (this.#closed) return false;
    const channel = this.#channel(group);
    const nowMs = this.#options.clock.nowMs();
    channel.sentMs = nowMs;
    const taken = channel.session.send(payload, nowMs);
    this.#serve(channel, nowMs);
    // Requests for repairs come to the group: its source has to hear it.
    if (!channel.membership && nowMs - channel.failedMs >= REJOIN_MS) {
      this.#becomeMember(channel).catch(() => this.#countError("receive"));
    }
    return taken;
  }

  async join(group: Group): Promise<void> {
    if (this.#closed) return;
    const channel = this.#channel(group);
    channel.joined = true;
    channel.session.listen();
    await (channel.membership ?? this.#becomeMember(channel));
  }

  leave(group: Group): void {
    const channel = this.#channels.get(group);
    if (!channel?.joined) return;
    channel.joined = false;
    channel.session.deafen();
    this.#armFor(channel);
  }

  counters(): BackboneCounters {
    return { ...this.#counters };
  }

  close(): Promise<void> {
    return this.#closed ??= this.#sayGoodbye();
  }

  async #sayGoodbye(): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const channel of this.#channels.values()) {
      channel.session.close(nowMs);
      this.#serve(channel, nowMs);
    }
    if (this.#channels.size > 0) {
      await new Promise<void>((resolve) => clock.after(FAREWELL_MS, resolve));
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#busy.clear();
    this.#socket.close();
    await Promise.allSettled([...this.#channels.values()].map(({ membership }) => membership));
    this.#channels.clear();
  }

  #channel(group: Group): Channel {
    let channel = this.#channels.get(group);
    if (channel === undefined) this.#channels.set(group, channel = this.#newChannel(group));
    return channel;
  }

  #newChannel(group: Group): Channel {
    const { groupCount, groupPort, random } = this.#options;
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
      random,
      pack: this.#options.pack ?? true,
      credentials: this.#options.credentials,
    });
    const target = { address: addressText(groupNla), port: groupPort };
    return {
      group,
      target,
      session,
      joined: false,
      membership: undefined,
      failedMs: -Infinity,
      sentMs: -Infinity,
    };
  }

  async #becomeMember(channel: Channel): Promise<void> {
    channel.membership = this.#socket.join(channel.target, {
      datagram: (bytes) => this.#receive(channel, bytes),
      error: (kind) => this.#countError(kind),
    });
    try {
      await channel.membership;
    } catch (cause) {
      channel.membership = undefined;
      channel.failedMs = this.#options.clock.nowMs();
      throw cause;
    }
  }

  /**
   * Takes what was sent to us alone: receivers may ask a source without asking the group (RFC 3208 §5.2), and those of
   * OpenPGM do. The destination port says which of our streams is meant.
   */
  receiveOwn(bytes: Uint8Array): void {
    const [, , high = 0, low = 0] = bytes;
    const channel = this.#channels.get((high << 8 | low) - FIRST_SOURCE_PORT);
    if (channel) this.#receive(channel, bytes);
    else this.#counters.dropped_foreign++;
  }

  #receive(channel: Channel, bytes: Uint8Array): void {
    const nowMs = this.#options.clock.nowMs();
    channel.session.handleDatagram(bytes, nowMs);
    this.#serve(channel, nowMs);
    this.#deliver(channel);
  }

  #deliver(channel: Channel): void {
    const { session, group } = channel;
    for (let event = session.pollEvent(); event; event = session.pollEvent()) {
      // A callback may have left the group.
      if (!channel.joined) continue;
      if (event.type === "message") this.#events.message(group, event.origin, event.payload);
      else this.#events.lost(group, event.origin, event.count);
    }
  }

  /** Does what a session asks for after a call. */
  #serve(channel: Channel, nowMs: number): void {
    this.#busy.add(channel);
    this.#transmit(nowMs);
    this.#armFor(channel);
  }

  /** Sends what there is, a packet of each group in turn. */
  #transmit(nowMs: number): void {
    for (const channel of this.#busy) {
      if (this.#underWay >= SENDS_UNDER_WAY) return;
      this.#busy.delete(channel);
      const packet = channel.session.pollTransmit(nowMs);
      if (packet === undefined) continue;
      // Its next turn comes after everybody else's.
      this.#busy.add(channel);
      this.#dispatch(channel, packet);
    }
  }

  async #dispatch({ target }: Channel, packet: Uint8Array): Promise<void> {
    this.#underWay++;
    await this.#socket.send(packet, target);
    this.#underWay--;
    if (this.#busy.size > 0) this.#resume();
  }

  /** A send ended while others waited for it. */
  #resume(): void {
    const waited = [...this.#busy];
    this.#transmit(this.#options.clock.nowMs());
    for (const channel of waited) this.#armFor(channel);
  }

  /** Wakes us for a channel's next deadline. What waits for a send to end needs no timer: {@link #resume} comes back to it. */
  #armFor(channel: Channel): void {
    if (this.#busy.has(channel)) return;
    this.#arm(Math.min(channel.session.nextTimeoutMs(), releaseMs(channel)));
  }

  /** Wakes us at `atMs`, or before. Timers are moved forward only: waking for nothing is cheaper than moving them with each packet. */
  #arm(atMs: number): void {
    if (atMs === Infinity || (this.#timer && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const { clock } = this.#options;
    const cancel = clock.after(Math.max(0, atMs - clock.nowMs()), () => this.#wake());
    this.#timer = { atMs, cancel };
  }

  #wake(): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.nowMs();
    for (const channel of this.#channels.values()) {
      channel.session.handleTimeout(nowMs);
      this.#busy.add(channel);
      if (nowMs >= releaseMs(channel)) this.#release(channel);
    }
    this.#transmit(nowMs);
    for (const channel of this.#channels.values()) {
      this.#deliver(channel);
      this.#armFor(channel);
    }
  }

  #release(channel: Channel): void {
    channel.membership?.then((end) => end(), () => {});
    channel.membership = undefined;
  }

  #countError(kind: "send" | "receive"): void {
    if (!this.#closed) this.#counters[`socket_${kind}_errors`]++;
  }
}

/** When a group that the relay does not hear is no longer heard for its requests either. */
function releaseMs({ joined, membership, sentMs }: Channel): number {
  return joined || !membership ? Infinity : sentMs + SOURCE_LINGER_MS;
}
