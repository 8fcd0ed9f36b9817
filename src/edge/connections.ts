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
/** How long a drain waits, after the last wave, for the streams to be really gone. */
const GOODBYE_MS = 1000;
const BUSY_RETRY_S = 5;

export class Connections {
  readonly counts: Record<Transport, number> = { sse: 0, websocket: 0, poll: 0 };
  readonly #host: Host;
  readonly #limits: Limits;
  readonly #byAddress = new Map<string, number>();
  readonly #taken = new Set<Connection>();
  #total = 0;
  #cancelTick: (() => void) | undefined;
  #onEmpty = () => {};
  #drained: Promise<void> | undefined;

  constructor(host: Host, limits: Limits) {
    this.#host = host;
    this.#limits = limits;
  }

  get draining(): boolean {
    return this.#drained !== undefined;
  }

  /** @throws {GroundwaveError} `draining`. */
  demandOpen(): void {
    if (this.draining) throw draining();
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
        if (!this.#cancelTick) this.#tickSoon();
        // The waves of a drain have passed what was still being prepared.
        if (this.draining) taker.end(draining());
      },
      release: () => {
        if (released) return;
        released = true;
        this.#count(transport, address, -1);
        if (connection) this.#leave(connection);
      },
    };
  }

  /** Admits nothing more, ends what is open, wave by wave, and waits a little until it is gone. Idempotent. */
  drain(): Promise<void> {
    return this.#drained ??= this.#endAll();
  }

  async #endAll(): Promise<void> {
    const leaving = [...this.#taken], wave = Math.ceil(leaving.length / WAVES);
    for (let at = 0; at < leaving.length; at += wave) {
      if (at > 0) await this.#wait(this.#limits.drainMs / WAVES);
      for (const connection of leaving.slice(at, at + wave)) connection.end(draining());
    }
    await this.#empty();
  }

  #empty(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#host.after(GOODBYE_MS, resolve);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
      if (this.#total === 0) this.#onEmpty();
    });
  }

  #count(transport: Transport, address: string, by: 1 | -1): void {
    this.#total += by;
    this.counts[transport] += by;
    const here = (this.#byAddress.get(address) ?? 0) + by;
    if (here > 0) this.#byAddress.set(address, here);
    else this.#byAddress.delete(address);
    if (this.#total === 0) this.#onEmpty();
  }

  /** Ticks until nobody is left to be woken. */
  #tickSoon(): void {
    this.#cancelTick = this.#host.after(TICK_MS, () => {
      this.#tickSoon();
      const nowMs = this.#host.nowMs();
      for (const connection of this.#taken) connection.tick(nowMs);
    });
  }

  #leave(connection: Connection): void {
    this.#taken.delete(connection);
    if (this.#taken.size > 0) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#host.after(ms, resolve));
  }
}

function draining(): GroundwaveError {
  return new GroundwaveError("draining", "this relay is shutting down; connect to another");
}
