/**
 * A server that goes on accepting. Deno's own ends for good when one call fails, for lack of descriptors say, and the
 * process with it, unless somebody listens again; what it had accepted lives on.
 *
 * @module
 */
import { dropStalled } from "./stalled_sockets.ts";

/** After so long without taking anything of what waits for it, a client is cut off. */
const STALLED_MS = 15_000;
/** From a failure to the next attempt. */
const RELISTEN_MS = 1000;

export interface ListenerOptions {
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  /** Told whenever connections could not be accepted; it is tried again a moment later. */
  readonly failed?: ((cause: unknown) => void) | undefined;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #handler: Deno.ServeHandler<Deno.NetAddr>;
  /** The address that is really listened on. */
  readonly address: Deno.NetAddr;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** @throws {Deno.errors.AddrInUse} if the port is taken. */
  constructor(options: ListenerOptions, handler: Deno.ServeHandler<Deno.NetAddr>) {
    this.#options = options;
    this.#handler = handler;
    this.#server = this.#listen(options.port);
    this.address = this.#server.addr;
  }

  /** Accepts no more, and waits until everything under way has been taken: for ever, if it is not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#server.shutdown();
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const { hostname } = this.#options;
    const server = Deno.serve({ hostname, port, onListen() {} }, this.#handler);
    dropStalled(server.addr.port, STALLED_MS);
    server.finished.catch((cause) => this.#listenAgain(cause));
    return server;
  }

  #listenAgain(cause: unknown): void {
    if (this.#stopped) return;
    this.#options.failed?.(cause);
    this.#retry = setTimeout(() => {
      try {
        this.#server = this.#listen(this.address.port);
      } catch (cause) {
        this.#listenAgain(cause);
      }
    }, RELISTEN_MS);
  }
}
