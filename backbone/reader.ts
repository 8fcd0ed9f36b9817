/**
 * A socket that is read until it is closed, and opened again when it fails.
 *
 * @module
 */
import { type Drain, LARGEST_DATAGRAM } from "./drain.ts";
import type { SocketEvents, Target } from "./udp.ts";

/** Waits between attempts to open a socket again, in milliseconds. */
const REOPEN_MS = { first: 10, most: 5_000 };

/**
 * Where one datagram came alone, so will so many more, it is taken: to look for others holds up what it has caused, and
 * costs what taking one does.
 */
const LONE = 8;

export class Reader {
  #socket: Deno.DatagramConn | undefined;
  #drain: Pick<Drain, "read"> | undefined;
  #closed = false;
  /** So many more are taken to come alone. */
  #lone = 0;
  #endWait: () => void = () => {};

  constructor(
    readonly reopen: () => Promise<Deno.DatagramConn>,
    readonly drainOf: (socket: Deno.DatagramConn) => Pick<Drain, "read"> | undefined,
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
        this.#socket = this.#drain = undefined;
        this.events.error("receive", cause);
        await this.#wait(waitMs);
        waitMs = Math.min(2 * waitMs, REOPEN_MS.most);
      }
    }
  }

  /**
   * Reads what waits, without waiting for more. To be called where all that Deno has received before was handed on: at the
   * beginning of a turn of the event loop, or what came before comes after. Answers how many datagrams that were.
   */
  readWaiting(): number {
    return this.#drain?.read(this.events.datagram, () => !this.#closed) ?? 0;
  }

  /** Reads until it fails. */
  async #read(buffer: Uint8Array<ArrayBuffer>, worked: () => void): Promise<void> {
    while (!this.#closed && this.#socket) {
      // One at a time: pending receives complete out of order.
      const [bytes, from] = await this.#socket.receive(buffer);
      worked();
      if (!this.#closed) this.events.datagram(bytes, targetOf(from));
      if (this.#lone > 0) this.#lone--;
      else if (this.readWaiting() === 0) this.#lone = LONE;
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

/** Closes a socket that may have closed itself. */
export function closeQuietly(socket: Deno.DatagramConn | undefined): void {
  try {
    socket?.close();
  } catch {
    // Already closed by the failure itself.
  }
}

function targetOf(address: Deno.Addr): Target {
  const { hostname, port } = address as Deno.NetAddr;
  return { address: hostname, port };
}
