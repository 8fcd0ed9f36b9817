/**
 * A backbone without packets: it keeps the contract of `backbone/backbone.ts` over simulated wires, and breaks what the
 * contract allows to be broken. Repairs come late, or never; acknowledgements are lost; joins take their time.
 *
 * @module
 */
import type { Backbone, BackboneEvents, Group, Urgency } from "../../backbone/backbone.ts";
import { ahead, plus } from "../../backbone/pgm/serial.ts";
import type { Wires } from "./cluster_lan.ts";
import { HeardStream, SourceStream, WINDOW_MS } from "./cluster_streams.ts";
import type { ProcessClock } from "./cluster_time.ts";

/** PGM's times, in milliseconds: see `backbone/pgm/timing.ts`. */
const FIRST_HEARTBEAT_MS = { usual: 3, awaited: 3, repeated: 250 };
const AMBIENT_MS = 4000;
/** Of the first that is tagged, and of the others. */
const ACK_MS = { first: 1, others: 40 };
const REPAIR_MS = { least: 3, spread: 30 };
const EXPIRY_MS = 30_000;

/** So many packets wait at the socket of a process that stands still; further ones are lost. Few, as there is little traffic. */
const SOCKET_PACKETS = 24;

/** The control group is passed on after so long at most. */
const CONTROL_JOIN_MS = 150;

/** What a test may do at the worst moments. */
export interface BackboneHooks {
  /** A payload of this machine is on the wire, and nobody has been told so yet. */
  sent?: (machine: number, group: Group) => void;
  /** This machine has just been told of an acknowledgement. */
  acknowledged?: (machine: number, group: Group) => void;
}

/** The multicast of one LAN. */
export class Multicast {
  readonly wires: Wires;
  hooks: BackboneHooks = {};
  readonly endpoints = new Set<SimulatedBackbone>();

  constructor(wires: Wires) {
    this.wires = wires;
  }

  endpoint(origin: string): SimulatedBackbone | undefined {
    for (const endpoint of this.endpoints) if (endpoint.origin === origin) return endpoint;
    return undefined;
  }
}

/** One relay's place on the simulated LAN. */
export class SimulatedBackbone implements Backbone {
  readonly origin: string;
  readonly machine: number;
  readonly #lan: Multicast;
  readonly #clock: ProcessClock;
  readonly #events: BackboneEvents;
  readonly #joined = new Map<Group, number>();
  readonly #sources = new Map<Group, SourceStream>();
  readonly #heard = new Map<string, HeardStream>();
  /** Packets that wait while its process stands still. */
  #waiting = 0;
  /** Its machine has lost power: what was under way is gone as well. */
  isDark = false;

  constructor(
    lan: Multicast,
    machine: number,
    clock: ProcessClock,
    origin: string,
    events: BackboneEvents,
  ) {
    this.#lan = lan;
    this.#clock = clock;
    this.#events = events;
    this.machine = machine;
    this.origin = origin;
    lan.endpoints.add(this);
  }

  send(group: Group, payload: Uint8Array, urgency: Urgency = "usual"): number {
    const source = this.#source(group), ordinal = source.send(payload, this.#clock.nowMs());
    this.#toAll((other) => other.#receive(group, this, ordinal, payload));
    this.#heartbeat(group, source, FIRST_HEARTBEAT_MS[urgency]);
    this.#lan.hooks.sent?.(this.machine, group);
    return ordinal;
  }

  tag(group: Group, origins: readonly string[]): void {
    this.#source(group).tagged = new Set(origins);
  }

  join(group: Group): Promise<void> {
    const { wires } = this.#lan;
    if (!this.#joined.has(group)) {
      // Who is deaf on the control group for longer takes itself for alone, as behind a cut.
      const mostMs = Math.min(wires.weather.joinMs, group === 0 ? CONTROL_JOIN_MS : Infinity);
      this.#joined.set(group, this.#clock.nowMs() + wires.random() * mostMs);
    }
    return new Promise((resolve) => void this.#clock.after(wires.delayMs(), resolve));
  }

  leave(group: Group): void {
    this.#joined.delete(group);
    for (const key of [...this.#heard.keys()]) {
      if (key.endsWith(`/${group}`)) this.#heard.delete(key);
    }
  }

  hears(group: Group): boolean {
    return this.#joined.has(group);
  }

  /** The number that the next TPDU of ours to a group will have. */
  position(group: Group): number {
    const { first, lead } = this.#source(group);
    return plus(first, lead + 1);
  }

  /** What `origin` sent before `position` is had: see {@link Backbone.startAt}. */
  startAt(group: Group, origin: string, position: number): void {
    const from = this.#lan.endpoint(origin), key = `${origin}/${group}`;
    if (!from || !this.#joined.has(group)) return;
    const { first } = from.#source(group), wanted = ahead(position, first);
    const heard = this.#heard.get(key);
    if (!heard) this.#heard.set(key, new HeardStream(wanted, this.#clock.nowMs()));
    else if (wanted < heard.begun) {
      const range = { from: position, to: plus(first, heard.begun - 1) };
      if (heard.next === heard.begun) heard.next = heard.wholeFrom = wanted;
      else this.#clock.after(0, () => this.#events.lost(group, origin, range));
      heard.begun = wanted;
    }
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  close(): Promise<void> {
    this.#lan.endpoints.delete(this);
    for (const source of this.#sources.values()) source.cancelHeartbeat();
    return Promise.resolve();
  }

  #source(group: Group): SourceStream {
    let source = this.#sources.get(group);
    if (!source) {
      source = new SourceStream(Math.floor(this.#lan.wires.random() * 2 ** 32));
      this.#sources.set(group, source);
    }
    return source;
  }

  /** Does something at every other machine that it gets through to, after the wire's delay. */
  #toAll(fn: (other: SimulatedBackbone) => void): void {
    const { wires, endpoints } = this.#lan;
    for (const other of endpoints) {
      if (other === this || !wires.passes(this.machine, other.machine)) continue;
      wires.clock.after(wires.delayMs(), () => {
        if (!this.isDark) other.#arrive(() => fn(other));
      });
    }
  }

  #arrive(fn: () => void): void {
    if (this.#clock.isStopped && this.#waiting === SOCKET_PACKETS) return;
    this.#waiting += 1;
    this.#clock.run(() => {
      this.#waiting -= 1;
      fn();
    });
  }

  /** Says how far the stream is: soon after data, then ever more rarely. */
  #heartbeat(group: Group, source: SourceStream, inMs: number): void {
    source.cancelHeartbeat();
    source.cancelHeartbeat = this.#clock.after(inMs, () => {
      const { lead } = source;
      this.#toAll((other) => other.#receive(group, this, lead));
      this.#heartbeat(group, source, Math.min(2 * inMs, AMBIENT_MS));
    });
  }

  /** Data, or without a payload a heartbeat. */
  #receive(group: Group, from: SimulatedBackbone, ordinal: number, payload?: Uint8Array): void {
    const nowMs = this.#clock.nowMs();
    if ((this.#joined.get(group) ?? Infinity) > nowMs) return;
    const key = `${from.origin}/${group}`;
    let heard = this.#heard.get(key);
    if (!heard || heard.heardMs < nowMs - EXPIRY_MS) {
      const next = payload ? ordinal : ordinal + 1;
      heard = new HeardStream(next, nowMs);
      this.#heard.set(key, heard);
    }
    heard.heardMs = nowMs;
    heard.lead = Math.max(heard.lead, ordinal);
    if (payload && ordinal >= heard.next) heard.arrived.set(ordinal, payload);
    this.#hand(group, from, heard);
    for (let missing = heard.next; missing <= heard.lead; missing++) {
      this.#ask(group, from, heard, missing);
    }
    if (!payload) this.#acknowledgeSoon(group, from, heard);
  }

  /** Asks for a repair, until it comes, or the source says that it is over, or nobody answers for too long. */
  #ask(group: Group, from: SimulatedBackbone, heard: HeardStream, ordinal: number): void {
    if (heard.arrived.has(ordinal) || heard.lost.has(ordinal) || heard.asking.has(ordinal)) return;
    heard.asking.add(ordinal);
    const sinceMs = this.#clock.nowMs();
    const { wires } = this.#lan;
    const attempt = () => {
      const slowMs = wires.random() < wires.weather.slow ? wires.weather.slowMs : 0;
      this.#clock.after(REPAIR_MS.least + wires.random() * (REPAIR_MS.spread + slowMs), () => {
        if (this.#heard.get(`${from.origin}/${group}`) !== heard) return;
        const answer = ordinal < heard.next ? "late" : this.#repair(group, from, ordinal, sinceMs);
        if (answer === "again") return attempt();
        heard.asking.delete(ordinal);
        if (answer === "lost") heard.lost.add(ordinal);
        else if (answer !== "late") heard.arrived.set(ordinal, answer);
        this.#hand(group, from, heard);
      });
    };
    attempt();
  }

  #repair(
    group: Group,
    from: SimulatedBackbone,
    ordinal: number,
    sinceMs: number,
  ): Uint8Array | "lost" | "again" {
    const { wires, endpoints } = this.#lan;
    const nowMs = this.#clock.nowMs();
    const answers = endpoints.has(from) && !from.#clock.isDead && !from.#clock.isStopped &&
      wires.passes(this.machine, from.machine) && wires.passes(from.machine, this.machine);
    const sent = from.#source(group).sent(ordinal);
    if (answers && sent && sent.atMs > nowMs - WINDOW_MS) return sent.payload;
    return nowMs - sinceMs > WINDOW_MS || (answers && !sent) ? "lost" : "again";
  }

  /** Hands on what is next, and tells of what will not come. */
  #hand(group: Group, from: SimulatedBackbone, heard: HeardStream): void {
    for (;;) {
      const payload = heard.arrived.get(heard.next);
      if (payload) {
        heard.arrived.delete(heard.next++);
        this.#events.message(group, from.origin, payload, this.#clock.nowMs());
        this.#acknowledgeSoon(group, from, heard);
      } else if (heard.lost.has(heard.next)) {
        const { first } = from.#source(group);
        const start = heard.next;
        while (heard.lost.delete(heard.next)) heard.next++;
        heard.wholeFrom = heard.next;
        const range = { from: plus(first, start), to: plus(first, heard.next - 1) };
        this.#events.lost(group, from.origin, range);
      } else return;
    }
  }

  #acknowledgeSoon(group: Group, from: SimulatedBackbone, heard: HeardStream): void {
    const { tagged } = from.#source(group), [first] = tagged;
    if (heard.ackDue || !tagged.has(this.origin)) return;
    heard.ackDue = true;
    this.#clock.after(first === this.origin ? ACK_MS.first : ACK_MS.others, () => {
      heard.ackDue = false;
      const { wires, hooks } = this.#lan;
      const { wholeFrom, next } = heard;
      if (next <= wholeFrom || !wires.passes(this.machine, from.machine)) return;
      wires.clock.after(wires.delayMs(), () =>
        from.#clock.run(() => {
          if (!from.#source(group).tagged.has(this.origin)) return;
          from.#events.acknowledged?.(group, this.origin, wholeFrom, next - 1);
          hooks.acknowledged?.(from.machine, group);
        }));
    });
  }
}
