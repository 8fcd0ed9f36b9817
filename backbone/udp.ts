/**
 * Datagrams to and from multicast groups. Nothing else touches sockets.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { Drain, LARGEST_DATAGRAM } from "./drain.ts";
import { dropEcho, type Word } from "./echo_filter.ts";
import { descriptorOf, type Libc, openLibc } from "./libc.ts";
import { bufferAdvice, bufferBytes, raiseReceiveBuffer } from "./receive_buffer.ts";
import { closeQuietly, Reader } from "./reader.ts";
import { Sender, type SenderOptions } from "./sender.ts";

/** An IPv4 address and a port: a group, or somebody's own. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

/** Takes a datagram. The bytes are used again after the call. Must not throw. */
export type OnDatagram = (bytes: Uint8Array, from: Target) => void;

/** What a socket tells. Callbacks must not throw. */
export interface SocketEvents {
  readonly datagram: OnDatagram;
  /** What our own datagrams to the group have in common; those are told only where the system cannot tell them apart. */
  readonly echo?: readonly Word[];
  /** A failed call; the socket goes on. */
  error(kind: "send" | "receive", cause: unknown): void;
}

/** The sockets of one endpoint: one to send, one per group heard, one for what is sent to us alone. */
export interface DatagramSocket {
  /**
   * Sends a datagram, at once. The bytes must stay as they are until the answer, which never rejects: a datagram that
   * cannot be sent is lost like any other.
   */
  send(bytes: Uint8Array, to: Target): Promise<void>;
  /** Sends datagrams, the same way and in order. The answer comes when it is a good time for more. */
  sendAll(datagrams: readonly Uint8Array[], to: Target): Promise<void>;
  /** Starts to hear a group; resolves when the membership stands. The answer ends it. */
  join(group: Target, events: SocketEvents): Promise<() => void>;
  /** What the smallest of the groups' sockets so far holds, in bytes of packets and what the system adds to each. */
  receiveBuffer(): number;
  /** Ends everything. Idempotent. */
  close(): void;
}

/** How sockets are opened. */
export interface SocketOptions {
  /** The address of the interface to use. */
  readonly interfaceAddress: string;
  /** How far multicast goes, 1 to 255: one more than the routers it may pass. 1, the LAN, if absent. */
  readonly ttl?: number | undefined;
  /**
   * Who hears what is sent to `interfaceAddress` itself. One process of a machine can have the port; the others wait
   * for it.
   */
  readonly own?: { readonly port: number; readonly datagram: OnDatagram };
  readonly error: SocketEvents["error"];
  /** Told once, if the system gives less than is good: what is wrong, and how to mend it. */
  readonly warn?: ((advice: string) => void) | undefined;
}

export type OpenSocket = (options: SocketOptions) => Promise<DatagramSocket>;

/**
 * After so many datagrams sent what waits at the sockets is read: Deno's event loop looks there only every so many turns
 * while there is work, and requests for repairs would wait for ten milliseconds and more.
 */
const SENT_PER_TURN = 64;

/**
 * Fewer datagrams than this at once are no flood: what follows them in the same turn of the event loop waits for its end, and
 * then shares datagrams and calls. A call costs more than all else that is done for a short message.
 */
const FLOOD = 16;

/**
 * UDP sockets of the system.
 *
 * @throws {Deno.errors.AddrNotAvailable} if no interface has the address.
 */
export const openUdp: OpenSocket = async (options) => {
  const libc = openLibc();
  return new UdpSockets(options, libc, await openSender(options, libc));
};

class UdpSockets implements DatagramSocket {
  readonly #options: SocketOptions;
  readonly #libc: Libc | undefined;
  readonly #sender: Sender;
  readonly #readers = new Set<Reader>();
  /** Where those who read what waits put it, in turn. */
  readonly #waiting = new Uint8Array(LARGEST_DATAGRAM);
  #receiveBuffer = Infinity;
  #sentInTurn = 0;
  #turn: Promise<void> | undefined;
  #warned = false;
  #closed = false;

  constructor(options: SocketOptions, libc: Libc | undefined, sender: Sender) {
    this.#options = options;
    this.#libc = libc;
    this.#sender = sender;
    if (options.own) this.#hearOwn(options.own);
  }

  send(bytes: Uint8Array, to: Target): Promise<void> {
    return this.#sender.send(bytes, to);
  }

  async sendAll(datagrams: readonly Uint8Array[], to: Target): Promise<void> {
    await this.#sender.sendAll(datagrams, to);
    if ((this.#sentInTurn += datagrams.length) >= SENT_PER_TURN) await this.#readBetween();
    else if (datagrams.length < FLOOD) await this.#nextTurn();
  }

  receiveBuffer(): number {
    return this.#receiveBuffer;
  }

  async join(group: Target, events: SocketEvents): Promise<() => void> {
    const prepare = (socket: Deno.DatagramConn) => {
      this.#raiseBuffer(socket);
      this.#muteEcho(socket, events);
    };
    const { interfaceAddress } = this.#options;
    const reader = this.#read(() => openMember(group, interfaceAddress, prepare), events);
    const leave = () => {
      this.#readers.delete(reader);
      reader.close();
    };
    try {
      await reader.open();
    } catch (cause) {
      leave();
      throw cause;
    }
    void reader.run();
    return leave;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sender.close();
    for (const reader of this.#readers) reader.close();
    this.#libc?.close();
  }

  #hearOwn({ port, datagram }: NonNullable<SocketOptions["own"]>): void {
    const { interfaceAddress, error } = this.#options;
    // deno-lint-ignore require-await -- opened like a membership, which takes time
    const open = async () => bind(interfaceAddress, port);
    void this.#read(open, { datagram, error: unlessTaken(error) }).run();
  }

  #read(open: () => Promise<Deno.DatagramConn>, events: SocketEvents): Reader {
    const libc = this.#libc;
    const drainOf = (socket: Deno.DatagramConn) =>
      libc && Drain.of(libc, addressOf(socket), this.#waiting);
    const reader = new Reader(open, drainOf, events);
    if (this.#closed) reader.close();
    else this.#readers.add(reader);
    return reader;
  }

  #raiseBuffer(socket: Deno.DatagramConn): void {
    const granted = raiseReceiveBuffer(addressOf(socket));
    this.#receiveBuffer = Math.min(this.#receiveBuffer, bufferBytes(granted));
    const advice = bufferAdvice(granted);
    if (advice === undefined || this.#warned) return;
    this.#warned = true;
    this.#options.warn?.(`receive buffer ${advice.says}; mend it with: ${advice.mend}`);
  }

  #muteEcho(socket: Deno.DatagramConn, { echo }: SocketEvents): void {
    if (!this.#libc || !echo) return;
    const fd = descriptorOf(this.#libc, addressOf(socket));
    if (fd !== undefined) dropEcho(this.#libc, fd, echo);
  }

  async #readBetween(): Promise<void> {
    this.#sentInTurn = 0;
    await this.#nextTurn();
    for (const reader of this.#readers) reader.readWaiting();
  }

  #nextTurn(): Promise<void> {
    return this.#turn ??= setImmediate().then(() => {
      this.#turn = undefined;
    });
  }
}

function bind(
  hostname: string,
  port: number,
  options: { loopback?: boolean; reuseAddress?: boolean } = {},
): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port, ...options });
}

async function openMember(
  { address, port }: Target,
  interfaceAddress: string,
  prepare: (socket: Deno.DatagramConn) => void,
): Promise<Deno.DatagramConn> {
  // Bound to the group, a socket hears that group alone; bound to any address, every group that anyone here joined.
  const socket = bind(address, port, { reuseAddress: true });
  prepare(socket);
  try {
    await socket.joinMulticastV4(address, interfaceAddress);
    return socket;
  } catch (cause) {
    closeQuietly(socket);
    throw cause;
  }
}

/** Without a socket, libc is not needed either. */
async function openSender(options: SenderOptions, libc: Libc | undefined): Promise<Sender> {
  try {
    return await Sender.open(options, libc);
  } catch (cause) {
    libc?.close();
    throw cause;
  }
}

/** That another process has our own port is no failure. */
function unlessTaken(error: SocketEvents["error"]): SocketEvents["error"] {
  return (kind, cause) => {
    if (!(cause instanceof Deno.errors.AddrInUse)) error(kind, cause);
  };
}

function addressOf(socket: Deno.DatagramConn): Deno.NetAddr {
  return socket.addr as Deno.NetAddr;
}
