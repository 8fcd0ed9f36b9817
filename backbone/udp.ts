/**
 * Datagrams to and from multicast groups. Nothing else touches sockets.
 *
 * @module
 */
import { raiseReceiveBuffer } from "./receive_buffer.ts";

/** Where datagrams go: an IPv4 group and a port. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

/** What a socket tells. Callbacks must not throw. */
export interface SocketEvents {
  /** A datagram. The bytes are used again after the call. */
  datagram(bytes: Uint8Array): void;
  /** A failed call; the socket goes on. */
  error(kind: "send" | "receive", cause: unknown): void;
}

/** The sockets of one endpoint: one to send, one per group heard. */
export interface DatagramSocket {
  /**
   * Sends a datagram, at once. The bytes must stay as they are until the answer, which never rejects: a datagram that
   * cannot be sent is lost like any other.
   */
  send(bytes: Uint8Array, to: Target): Promise<void>;
  /** Starts to hear a group; resolves when the membership stands. The answer ends it. */
  join(group: Target, events: SocketEvents): Promise<() => void>;
  /** Ends everything. Idempotent. */
  close(): void;
}

/** How sockets are opened: on the address of an interface. */
export type OpenSocket = (options: {
  readonly interfaceAddress: string;
  readonly error: SocketEvents["error"];
}) => Promise<DatagramSocket>;

/** The largest datagram of IPv4. A smaller buffer would cut off silently. */
const LARGEST_DATAGRAM = 65_507;

/** Asked of the kernel per socket; it grants `net.core.rmem_max` at most. Holds what comes while the process collects garbage. */
const RECEIVE_BUFFER = 4 << 20;

/** Waits between attempts to hear a group again after its socket failed, in milliseconds. */
const REJOIN_MS = { first: 10, most: 5_000 };

/**
 * UDP sockets of the system.
 *
 * @throws {Deno.errors.AddrNotAvailable} if no interface has the address.
 */
export const openUdp: OpenSocket = async ({ interfaceAddress, error }) => {
  // Bound to the interface's address: that chooses the interface that multicast leaves by. TTL is 1 by default.
  // Loopback on the sender lets relays on one host hear each other.
  const sender = Deno.listenDatagram({
    transport: "udp",
    hostname: interfaceAddress,
    port: 0,
    loopback: true,
  });
  // A socket's first send waits for the event loop, all others go at once. So the first goes to nobody but ourselves.
  await sender.send(new Uint8Array(), sender.addr).catch((cause) => error("send", cause));
  const memberships = new Set<() => void>();
  let closed = false;
  return {
    async send(bytes, { address, port }) {
      if (closed) return;
      try {
        await sender.send(bytes, { transport: "udp", hostname: address, port });
      } catch (cause) {
        error("send", cause);
      }
    },
    async join(group, events) {
      const membership = await Membership.open(group, interfaceAddress, events);
      const leave = () => {
        memberships.delete(leave);
        membership.close();
      };
      if (closed) leave();
      else memberships.add(leave);
      return leave;
    },
    close() {
      if (closed) return;
      closed = true;
      sender.close();
      for (const leave of memberships) leave();
    },
  };
};

/** A socket that hears one group, and is opened again when it fails. */
class Membership {
  #socket: Deno.DatagramConn;
  #closed = false;
  #endWait: () => void = () => {};

  private constructor(
    readonly group: Target,
    readonly interfaceAddress: string,
    readonly events: SocketEvents,
    socket: Deno.DatagramConn,
  ) {
    this.#socket = socket;
  }

  static async open(
    group: Target,
    interfaceAddress: string,
    events: SocketEvents,
  ): Promise<Membership> {
    const socket = await openMember(group, interfaceAddress);
    const membership = new Membership(group, interfaceAddress, events, socket);
    membership.#run();
    return membership;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endWait();
    closeQuietly(this.#socket);
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(LARGEST_DATAGRAM);
    let waitMs = REJOIN_MS.first;
    while (!this.#closed) {
      try {
        // One at a time: pending receives complete out of order.
        const [bytes] = await this.#socket.receive(buffer);
        waitMs = REJOIN_MS.first;
        if (!this.#closed) this.events.datagram(bytes);
      } catch (cause) {
        if (this.#closed) return;
        this.events.error("receive", cause);
        await this.#wait(waitMs);
        waitMs = Math.min(2 * waitMs, REJOIN_MS.most);
        await this.#reopen();
      }
    }
  }

  async #reopen(): Promise<void> {
    if (this.#closed) return;
    closeQuietly(this.#socket);
    try {
      this.#socket = await openMember(this.group, this.interfaceAddress);
      if (this.#closed) closeQuietly(this.#socket);
    } catch (cause) {
      this.events.error("receive", cause);
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

async function openMember(
  { address, port }: Target,
  interfaceAddress: string,
): Promise<Deno.DatagramConn> {
  // Bound to the group, a socket hears that group alone; bound to any address, every group that anyone here joined.
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: address,
    port,
    reuseAddress: true,
  });
  raiseReceiveBuffer(socket.addr as Deno.NetAddr, RECEIVE_BUFFER);
  try {
    await socket.joinMulticastV4(address, interfaceAddress);
    return socket;
  } catch (cause) {
    closeQuietly(socket);
    throw cause;
  }
}

function closeQuietly(socket: Deno.DatagramConn): void {
  try {
    socket.close();
  } catch {
    // Already closed by the failure itself.
  }
}
