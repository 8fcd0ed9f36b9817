/**
 * The socket by which datagrams leave.
 *
 * @module
 */
import type { Libc } from "./libc.ts";
import { closeQuietly } from "./reader.ts";
import { Segments } from "./segments.ts";
import type { SocketEvents, Target } from "./udp.ts";

/** What a socket has unless it is told otherwise (RFC 1112 §6.1). */
const DEFAULT_TTL = 1;

/** All hosts: joined on every interface in any case, and never announced by IGMP (RFC 2236 §6). */
const ALL_HOSTS = "224.0.0.1";

export interface SenderOptions {
  /** The address of the interface to use. */
  readonly interfaceAddress: string;
  /** How far multicast goes. */
  readonly ttl?: number | undefined;
  readonly error: SocketEvents["error"];
}

export class Sender {
  readonly #socket: Deno.DatagramConn;
  readonly #segments: Segments | undefined;
  readonly #error: SocketEvents["error"];
  #closed = false;

  private constructor(
    socket: Deno.DatagramConn,
    segments: Segments | undefined,
    error: SocketEvents["error"],
  ) {
    this.#socket = socket;
    this.#segments = segments;
    this.#error = error;
  }

  /** @throws {Deno.errors.AddrNotAvailable} if no interface has the address. */
  static async open(
    { interfaceAddress: hostname, ttl = DEFAULT_TTL, error }: SenderOptions,
    libc: Libc | undefined,
  ): Promise<Sender> {
    // Bound to the interface's address: that chooses the interface that multicast leaves by.
    // Loopback on the sender lets relays on one host hear each other.
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0, loopback: true });
    try {
      if (ttl !== DEFAULT_TTL) await setTtl(socket, hostname, ttl);
      // A socket's first send waits for the event loop, all others go at once. So the first goes to nobody but ourselves.
      await socket.send(new Uint8Array(), socket.addr);
    } catch (cause) {
      error("send", cause);
    }
    return new Sender(socket, libc && Segments.of(libc, socket.addr as Deno.NetAddr), error);
  }

  /** Sends a datagram. What cannot be sent is told and lost. */
  async send(bytes: Uint8Array, { address, port }: Target): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#socket.send(bytes, { transport: "udp", hostname: address, port });
    } catch (cause) {
      this.#error("send", cause);
    }
  }

  /** Sends datagrams, the same way and in order. */
  async sendAll(datagrams: readonly Uint8Array[], to: Target): Promise<void> {
    for (let at = 0; at < datagrams.length && !this.#closed;) {
      const sent = this.#segments?.send(datagrams, at, to) ?? 0;
      const [next] = sent > 0 ? [] : datagrams.slice(at, at + 1);
      if (next) await this.send(next, to);
      at += Math.max(sent, 1);
    }
  }

  close(): void {
    this.#closed = true;
    closeQuietly(this.#socket);
  }
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
