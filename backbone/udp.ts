/**
 * Datagrams to and from multicast groups. Nothing else touches sockets.
 *
 * @module
 */
import { Drain } from "./drain.ts";
import { dropEcho, type Word } from "./echo_filter.ts";
import { descriptorOf, openLibc } from "./libc.ts";
import { bufferAdvice, bufferBytes, raiseReceiveBuffer } from "./receive_buffer.ts";
import { Segments } from "./segments.ts";

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
  /** Sends datagrams, the same way and in order. */
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

/** The largest datagram of IPv4. A smaller buffer would cut off silently. */
const LARGEST_DATAGRAM = 65_507;

/** Waits between attempts to open a socket again, in milliseconds. */
const REOPEN_MS = { first: 10, most: 5_000 };

/** What a socket has unless it is told otherwise (RFC 1112 §6.1). */
const DEFAULT_TTL = 1;

/** All hosts: joined on every interface in any case, and never announced by IGMP (RFC 2236 §6). */
const ALL_HOSTS = "224.0.0.1";

/**
 * UDP sockets of the system.
 *
 * @throws {Deno.errors.AddrNotAvailable} if no interface has the address.
 */
export const openUdp: OpenSocket = async (
  { interfaceAddress, ttl = DEFAULT_TTL, own, error, warn },
) => {
  const sender = await openSender(interfaceAddress, ttl, error);
  const libc = openLibc();
  const segments = libc && Segments.of(libc, addressOf(sender));
  const drainOf = (socket: Deno.DatagramConn) => libc && Drain.of(libc, addressOf(socket));
  let closed = false, warned = false, receiveBuffer = Infinity;
  const readers = new Set<Reader>();
  const read = (open: () => Promise<Deno.DatagramConn>, events: SocketEvents) => {
    const reader = new Reader(open, drainOf, events);
    if (closed) reader.close();
    else readers.add(reader);
    return reader;
  };
  const muteEcho = (socket: Deno.DatagramConn, { echo }: SocketEvents) => {
    if (!libc || !echo) return;
    const fd = descriptorOf(libc, addressOf(socket));
    if (fd !== undefined) dropEcho(libc, fd, echo);
  };
  const raiseBuffer = (socket: Deno.DatagramConn) => {
    const granted = raiseReceiveBuffer(addressOf(socket));
    receiveBuffer = Math.min(receiveBuffer, bufferBytes(granted));
    const advice = bufferAdvice(granted);
    if (advice === undefined || warned) return;
    warned = true;
    warn?.(`receive buffer ${advice.says}; mend it with: ${advice.mend}`);
  };
  if (own) {
    const events = { ...own, error: unlessTaken(error) };
    // deno-lint-ignore require-await -- opened like a membership, which takes time
    void read(async () => bind(interfaceAddress, own.port), events).run();
  }
  const send = async (bytes: Uint8Array, { address, port }: Target) => {
    if (closed) return;
    try {
      await sender.send(bytes, { transport: "udp", hostname: address, port });
    } catch (cause) {
      error("send", cause);
    }
  };
  return {
    send,
    receiveBuffer: () => receiveBuffer,
    async sendAll(datagrams, to) {
      for (let at = 0; at < datagrams.length && !closed;) {
        const sent = segments?.send(datagrams, at, to) ?? 0;
        const [next] = sent > 0 ? [] : datagrams.slice(at, at + 1);
        if (next) await send(next, to);
        at += Math.max(sent, 1);
      }
    },
    async join(group, events) {
      const prepare = (socket: Deno.DatagramConn) => {
        raiseBuffer(socket);
        muteEcho(socket, events);
      };
      const reader = read(() => openMember(group, interfaceAddress, prepare), events);
      const leave = () => {
        readers.delete(reader);
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
    },
    close() {
      if (closed) return;
      closed = true;
      closeQuietly(sender);
      for (const reader of readers) reader.close();
      libc?.close();
    },
  };
};

/** A socket that is read until it is closed, and opened again when it fails. */
class Reader {
  #socket: Deno.DatagramConn | undefined;
  #drain: Drain | undefined;
  #closed = false;
  #endWait: () => void = () => {};

  constructor(
    readonly reopen: () => Promise<Deno.DatagramConn>,
    readonly drainOf: (socket: Deno.DatagramConn) => Drain | undefined,
    readonly events: SocketEvents,
  ) {}

  /** Opens the socket, where the caller wants to know whether that succeeds. */
  async open(): Promise<void> {
    if (this.#closed) return;
    this.#socket = await this.reopen();
    if (this.#closed) closeQuietly(this.#socket);
    else this.#drain = this.drainOf(this.#socket);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endWait();
    closeQuietly(this.#socket);
  }

  async run(): Promise<void> {
    const buffer = new Uint8Array(LARGEST_DATAGRAM);
    let waitMs = REOPEN_MS.first;
    while (!this.#closed) {
      try {
        if (this.#socket === undefined) await this.open();
        await this.#read(buffer, () => waitMs = REOPEN_MS.first);
      } catch (cause) {
        if (this.#closed) return;
        closeQuietly(this.#socket);
        this.#socket = undefined;
        this.events.error("receive", cause);
        await this.#wait(waitMs);
        waitMs = Math.min(2 * waitMs, REOPEN_MS.most);
      }
    }
  }

  /** Reads until it fails. */
  async #read(buffer: Uint8Array<ArrayBuffer>, worked: () => void): Promise<void> {
    const isOpen = () => !this.#closed;
    while (isOpen() && this.#socket) {
      // One at a time: pending receives complete out of order.
      const [bytes, from] = await this.#socket.receive(buffer);
      worked();
      if (isOpen()) this.events.datagram(bytes, targetOf(from));
      this.#drain?.read(buffer, this.events.datagram, isOpen);
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
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

async function openSender(
  interfaceAddress: string,
  ttl: number,
  error: SocketEvents["error"],
): Promise<Deno.DatagramConn> {
  // Bound to the interface's address: that chooses the interface that multicast leaves by.
  // Loopback on the sender lets relays on one host hear each other.
  const sender = bind(interfaceAddress, 0, { loopback: true });
  try {
    if (ttl !== DEFAULT_TTL) await setTtl(sender, interfaceAddress, ttl);
    // A socket's first send waits for the event loop, all others go at once. So the first goes to nobody but ourselves.
    await sender.send(new Uint8Array(), sender.addr);
  } catch (cause) {
    error("send", cause);
  }
  return sender;
}

/** Deno sets it on memberships alone, though it is the whole socket's. */
async function setTtl(
  socket: Deno.DatagramConn,
  interfaceAddress: string,
  ttl: number,
): Promise<void> {
  const membership = await socket.joinMulticastV4(ALL_HOSTS, interfaceAddress);
  await membership.setTTL(ttl);
  await membership.leave();
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

function targetOf(address: Deno.Addr): Target {
  const { hostname, port } = address as Deno.NetAddr;
  return { address: hostname, port };
}

function closeQuietly(socket: Deno.DatagramConn | undefined): void {
  try {
    socket?.close();
  } catch {
    // Already closed by the failure itself.
  }
}
