/**
 * The streams that are open: how many there may be, the second hand that wakes them, and their end in waves.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Host } from "./host.ts";
import type { Limits } from "./limits.ts";

export const TRANSPORTS = ["sse", "websocket", "poll"] as const;
export type Transport = typeof TRANSPORTS[number];

/** An open stream, as its keeper sees it. */
export interface Connection {
  /** Called about once a second, so that no stream needs a timer of its own. */
  tick(nowMs: number): void;
  /** Ends the stream, telling its reader why. Idempotent. */
  end(error: GroundwaveError): void;
}

/** An admitted stream's place among all. */
export interface Place {
  /** From now on `connection` is woken, and ended by a drain. */
  take(connection: Connection): void;
  /** Gives the place back. Idempotent. */
  release(): void;
}

const TICK_MS = 1000;
/** Into so many waves a drain divides its streams, so that their readers do not all come back at once. */
const WAVES = 10;
const BUSY_RETRY_S = 5;

export class Connections {
  readonly counts: Record<Transport, number> = { sse: 0, websocket: 0, poll: 0 };
  readonly #host: Host;
  readonly #limits: Limits;
  readonly #byAddress = new Map<string, number>();
  readonly #taken = new Set<Connection>();
  #total = 0;
  #ticking = false;
  #draining = false;

  constructor(host: Host, limits: Limits) {
    this.#host = host;
    this.#limits = limits;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** @throws {GroundwaveError} `draining`. */
  demandOpen(): void {
    if (this.#draining) throw draining();
  }

  /** @throws {GroundwaveError} `draining`, `rate_limited`. */
  admit(transport: Transport, address: string): Place {
    this.demandOpen();
    const here = this.#byAddress.get(address) ?? 0;
    if (this.#total >= this.#limits.connections || here >= this.#limits.connectionsPerAddress) {
      throw new GroundwaveError("rate_limited", "too many connections", {
        retryAfterS: BUSY_RETRY_S,
      });
    }
    this.#count(transport, address, 1);
    let connection: Connection | undefined, released = false;
    return {
      take: (taker) => {
        if (released) return;
        connection = taker;
        this.#taken.add(taker);
        this.#tickSoon();
      },
      release: () => {
        if (released) return;
        released = true;
        this.#count(transport, address, -1);
        if (connection) this.#taken.delete(connection);
      },
    };
  }

  /** Admits nothing more and ends what is open, wave by wave. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const leaving = [...this.#taken], wave = Math.ceil(leaving.length / WAVES);
    for (let at = 0; at < leaving.length; at += wave) {
      if (at > 0) await this.#wait(this.#limits.drainMs / WAVES);
      for (const connection of leaving.slice(at, at + wave)) connection.end(draining());
    }
  }

  #count(transport: Transport, address: string, by: 1 | -1): void {
    this.#total += by;
    this.counts[transport] += by;
    const here = (this.#byAddress.get(address) ?? 0) + by;
    if (here > 0) this.#byAddress.set(address, here);
    else this.#byAddress.delete(address);
  }

  /** Ticks while there is somebody to wake, and only then. */
  #tickSoon(): void {
    if (this.#ticking || this.#taken.size === 0) return;
    this.#ticking = true;
    this.#host.after(TICK_MS, () => {
      this.#ticking = false;
      const nowMs = this.#host.nowMs();
      for (const connection of this.#taken) connection.tick(nowMs);
      this.#tickSoon();
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#host.after(ms, resolve));
  }
}

function draining(): GroundwaveError {
  return new GroundwaveError("draining", "this relay is shutting down; connect to another");
}
