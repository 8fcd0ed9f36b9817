/**
 * TCP between simulated machines: ordered bytes that wait while a wire is cut, a bounded buffer in each direction, and
 * resets when a process dies.
 *
 * @module
 */
import {
  type ByteConn,
  ConnectionRefused,
  type PeerListener,
  type PeerTransport,
} from "../../relay/transport.ts";
import type { Wires } from "./cluster_lan.ts";
import type { ProcessClock } from "./cluster_time.ts";

/** Between two attempts to send over a wire that is cut, and how long one who dials has patience, in milliseconds. */
const AGAIN_MS = 200;
const PATIENCE_MS = 20_000;

/** Bytes that one side may be ahead of what the other has read. */
const BUFFER_BYTES = 256 * 1024;

/** A process that talks over TCP. */
export interface Party {
  readonly machine: number;
  readonly clock: ProcessClock;
}

interface Listening {
  readonly party: Party;
  readonly accept: (conn: ByteConn) => void;
}

/** Everybody's TCP. */
export class Tcp {
  readonly wires: Wires;
  readonly #listening = new Map<string, Listening>();
  readonly #ends = new Set<End>();
  /** Machines that are off. */
  readonly #dark = new Set<number>();
  #lastPort = 1024;
  /** Called with who has written so many bytes over TCP: a place to die at. */
  wrote: ((machine: number, bytes: number) => void) | undefined;

  constructor(wires: Wires) {
    this.wires = wires;
  }

  /** The TCP of one process. */
  transport(party: Party): PeerTransport {
    return {
      listen: (host, accept) => this.#listen(party, host, accept),
      dial: (host, port) => this.#dial(party, host, port),
    };
  }

  /** The process is gone; its machine tells whoever is connected to it. */
  died(party: Party): void {
    for (const [address, listening] of this.#listening) {
      if (listening.party === party) this.#listening.delete(address);
    }
    for (const end of [...this.#ends]) if (end.party === party) end.reset();
  }

  /** Its machine is off: whoever is connected to it waits in vain, as whoever dials it does until it is on again. */
  dark(party: Party): void {
    for (const [address, listening] of this.#listening) {
      if (listening.party === party) this.#listening.delete(address);
    }
    this.#dark.add(party.machine);
    for (const end of [...this.#ends]) if (end.party === party) end.vanish();
  }

  drop(end: End): void {
    this.#ends.delete(end);
  }

  #listen(party: Party, host: string, accept: Listening["accept"]): PeerListener {
    this.#dark.delete(party.machine);
    const port = ++this.#lastPort;
    const address = `${host}:${port}`;
    this.#listening.set(address, { party, accept });
    return { host, port, close: () => void this.#listening.delete(address) };
  }

  #dial(party: Party, host: string, port: number): Promise<ByteConn> {
    const { promise, resolve, reject } = Promise.withResolvers<ByteConn>();
    const { wires } = this;
    const to = machineOf(host);
    const untilMs = wires.clock.nowMs() + PATIENCE_MS;
    const attempt = () => {
      const isOpen = wires.isOpen(party.machine, to) && wires.isOpen(to, party.machine);
      if (!isOpen || this.#dark.has(to)) {
        if (wires.clock.nowMs() < untilMs) return void wires.clock.after(AGAIN_MS, attempt);
        return party.clock.run(() => reject(new Error("nobody answers")));
      }
      const listening = this.#listening.get(`${host}:${port}`);
      if (!listening) {
        return party.clock.run(() => reject(new ConnectionRefused("nobody listens there")));
      }
      const near = new End(this, party), far = new End(this, listening.party);
      near.connect(far);
      far.connect(near);
      this.#ends.add(near).add(far);
      listening.party.clock.run(() => listening.accept(far));
      wires.clock.after(wires.delayMs(), () => party.clock.run(() => resolve(near)));
    };
    wires.clock.after(wires.delayMs(), attempt);
    return promise;
  }
}

/** The address of a machine's interface, and back. */
export function hostOf(machine: number): string {
  return `127.0.0.${machine + 1}`;
}

function machineOf(host: string): number {
  return Number(host.split(".").at(-1)) - 1;
}

type Segment = Uint8Array | "fin" | "reset";

/** One end of a connection. */
class End implements ByteConn {
  readonly party: Party;
  readonly #tcp: Tcp;
  #other: End | undefined;
  /** On the way to the other end, in order. */
  readonly #outgoing: Segment[] = [];
  #sending = false;
  /** Arrived and not read. */
  readonly #incoming: Uint8Array[] = [];
  /** Bytes of it. */
  unread = 0;
  #over: "fin" | "reset" | undefined;
  #closed = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  constructor(tcp: Tcp, party: Party) {
    this.#tcp = tcp;
    this.party = party;
  }

  connect(other: End): void {
    this.#other = other;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      this.#check();
      const chunk = this.#incoming.shift();
      if (chunk) {
        const length = Math.min(chunk.length, into.length);
        into.set(chunk.subarray(0, length));
        if (length < chunk.length) this.#incoming.unshift(chunk.subarray(length));
        this.unread -= length;
        this.#other?.taken();
        return length;
      }
      if (this.#over === "fin") return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      this.#check();
      const room = BUFFER_BYTES - this.#flying() - (this.#other?.unread ?? 0);
      if (room > 0) {
        const length = Math.min(room, bytes.length);
        this.#send(bytes.slice(0, length));
        this.#tcp.wrote?.(this.party.machine, length);
        return length;
      }
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#end("fin");
  }

  /** Its process has died. */
  reset(): void {
    if (!this.#closed) this.#end("reset");
  }

  /** The other side has read something: there is room again. */
  taken(): void {
    if (this.#wakeWriter) this.party.clock.run(() => this.#wakeWriter?.());
  }

  /** Its machine has lost power: nothing more comes of it, not even a word that it is gone. */
  vanish(): void {
    this.#closed = true;
    this.#outgoing.length = 0;
    this.#tcp.drop(this);
  }

  #end(how: "fin" | "reset"): void {
    this.#closed = true;
    if (how === "reset") this.#outgoing.length = 0;
    this.#send(how);
    this.#wakeReader?.();
    this.#wakeWriter?.();
    this.#tcp.drop(this);
  }

  #check(): void {
    if (this.#closed) throw new Error("the connection is closed");
    if (this.#over === "reset") throw new Error("connection reset by peer");
  }

  #flying(): number {
    let bytes = 0;
    for (const segment of this.#outgoing) if (typeof segment !== "string") bytes += segment.length;
    return bytes;
  }

  #send(segment: Segment): void {
    this.#outgoing.push(segment);
    if (!this.#sending) this.#sendNext();
  }

  #sendNext(): void {
    const { wires } = this.#tcp;
    const other = this.#other;
    this.#sending = this.#outgoing.length > 0 && other !== undefined;
    if (!other || !this.#sending) return;
    const open = wires.isOpen(this.party.machine, other.party.machine);
    wires.clock.after(open ? wires.delayMs() : AGAIN_MS, () => {
      // What was on its way when the wire was cut, or its process died, is sent again or not at all.
      if (!wires.isOpen(this.party.machine, other.party.machine)) return this.#sendNext();
      const segment = this.#outgoing.shift();
      if (segment !== undefined) other.#arrive(segment);
      this.#sendNext();
    });
  }

  #arrive(segment: Segment): void {
    if (typeof segment === "string") this.#over = segment;
    else {
      this.#incoming.push(segment);
      this.unread += segment.length;
    }
    this.party.clock.run(() => this.#wakeReader?.());
    if (segment === "reset") this.party.clock.run(() => this.#wakeWriter?.());
  }
}
