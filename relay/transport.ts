/**
 * What peer sessions run over: ordered bytes between two relays. The default is TCP; a simulator has its own.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";

/** One connection. Whoever reads or writes after its end gets an error, or `null` where the other side ended it. */
export interface ByteConn {
  /** Reads what is there, at least one byte; how many, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of it; how many bytes. Resolves only as the other side takes them, but for a bounded buffer between. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Where others can dial. */
export interface PeerListener {
  readonly host: string;
  readonly port: number;
  /** Accepts no more; what was accepted lives on. Idempotent. */
  close(): void;
}

/** The host lives, and nobody listens there. */
export class ConnectionRefused extends Error {
  override readonly name = "ConnectionRefused";
}

/** How relays reach each other. */
export interface PeerTransport {
  /** Accepts at an address of this machine, on a port of its own choice. @throws if that cannot be had. */
  listen(hostname: string, accept: (conn: ByteConn) => void): PeerListener;
  /**
   * Rejects when nobody accepts there, which may take as long as the system has patience.
   * @throws {ConnectionRefused} if the host says so.
   */
  dial(host: string, port: number): Promise<ByteConn>;
}

/** After a failed accept, so that a lack of descriptors does not keep the loop busy. */
const ACCEPT_AGAIN_MS = 100;

/** TCP by the system. */
export function tcpTransport(clock: Clock): PeerTransport {
  return {
    listen: (hostname, accept) => new TcpListener(hostname, accept, clock),
    async dial(hostname, port) {
      try {
        const conn = await Deno.connect({ hostname, port });
        conn.setNoDelay(true);
        return conn;
      } catch (cause) {
        if (!(cause instanceof Deno.errors.ConnectionRefused)) throw cause;
        throw new ConnectionRefused(`nobody listens on ${hostname}:${port}`, { cause });
      }
    },
  };
}

class TcpListener implements PeerListener {
  readonly host: string;
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #clock: Clock;
  #cancelWait = () => {};
  #closed = false;

  constructor(hostname: string, accept: (conn: ByteConn) => void, clock: Clock) {
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.#clock = clock;
    this.host = hostname;
    this.port = this.#listener.addr.port;
    void this.#acceptAll(accept);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWait();
    this.#listener.close();
  }

  async #acceptAll(accept: (conn: ByteConn) => void): Promise<void> {
    while (!this.#closed) {
      try {
        const conn = await this.#listener.accept();
        conn.setNoDelay(true);
        accept(conn);
      } catch {
        if (this.#closed) return;
        // A connection that broke while it was accepted, or a lack of descriptors: neither ends the relay.
        await new Promise<void>((resolve) => {
          this.#cancelWait = this.#clock.after(ACCEPT_AGAIN_MS, resolve);
        });
      }
    }
  }
}
