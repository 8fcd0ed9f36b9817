/**
 * A cluster of whole relays in virtual time: what `startRelay` composes, over simulated wires, with users who
 * publish and subscribe, and a ledger of what became of it.
 *
 * @module
 */
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { messageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { AckLevel, Draft, ReadRequest } from "../../relay/protocol/upstream.ts";
import type { Retention } from "../../relay/options.ts";
import { Archives } from "./cluster_archive.ts";
import { Multicast } from "./cluster_backbone.ts";
import { Wires } from "./cluster_lan.ts";
import { type Fault, type Ledger, newLedger, type Publish } from "./cluster_ledger.ts";
import { Machine } from "./cluster_machine.ts";
import { SimulatedSubscriber, type SubscriberOptions } from "./cluster_subscriber.ts";
import { runUntil } from "./cluster_time.ts";
import { Tables } from "./cluster_tables.ts";
import { Tcp } from "./cluster_transport.ts";
import { seededRandom } from "./random.ts";
import { VirtualClock } from "./virtual_clock.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly machines: number;
  readonly retention?: Retention;
  readonly groupCount?: number;
  /** Whether the relays keep their table of groups in a store; else it is slot modulo pool. */
  readonly stored?: boolean;
  /** Whether the relays have archives: each its own, or all one. */
  readonly archive?: "own" | "shared" | undefined;
}

/** What a publisher asks for beyond a channel. */
export interface PublishOptions {
  /** It answers what this subscriber has seen. */
  readonly after?: SimulatedSubscriber;
  readonly key?: string;
  readonly order?: "total";
  readonly ack?: AckLevel;
  /** What was published under the key before. */
  readonly data?: string;
}

export class ClusterWorld {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly wires: Wires;
  readonly multicast: Multicast;
  readonly tcp: Tcp;
  readonly tables: Tables;
  readonly archives: Archives | undefined;
  readonly machines: readonly Machine[];
  readonly subscribers: SimulatedSubscriber[] = [];
  readonly ledger: Ledger;
  /** What happened, a line each: the same for the same seed. */
  readonly trace: string[] = [];
  /** Called when a publisher has its answer: a place to die at. */
  answered: ((publish: Publish) => void) | undefined;
  #published = 0;

  constructor(options: WorldOptions) {
    const { seed, machines, retention, groupCount = 4, stored = false, archive } = options;
    this.random = seededRandom(seed);
    this.wires = new Wires(this.clock, seededRandom(seed + 1));
    this.multicast = new Multicast(this.wires);
    this.tcp = new Tcp(this.wires);
    this.tables = new Tables(groupCount);
    this.archives = archive &&
      new Archives(archive === "shared", machines, this.clock, seededRandom(seed + 2));
    const kept = retention ?? { maxCount: 1000, maxAgeMs: 300_000 };
    this.ledger = newLedger(kept);
    const machine = (number: number) =>
      new Machine({ world: this, number, retention: kept, groupCount, stored, seed });
    this.machines = Array.from({ length: machines }, (_, number) => machine(number));
  }

  note(line: string): void {
    this.trace.push(`${this.clock.nowMs().toFixed(2).padStart(9)} ${line}`);
  }

  machine(number: number): Machine {
    const machine = this.machines[number];
    if (!machine) throw new RangeError(`there is no machine ${number}`);
    return machine;
  }

  /** Lets time pass. */
  run(ms: number): Promise<void> {
    return runUntil(this.clock, this.clock.nowMs() + ms);
  }

  /** Starts a relay on each machine, and waits until they know each other. */
  async startAll(): Promise<void> {
    for (const machine of this.machines) machine.start();
    await this.run(1000);
  }

  subscribe(
    channels: readonly string[],
    machine: number,
    options: Pick<SubscriberOptions, "keepsIds" | "slow" | "heard" | "cut"> = {},
  ): SimulatedSubscriber {
    const name = `s${this.subscribers.length}`;
    const subscriber = new SimulatedSubscriber({ world: this, name, channels, ...options });
    this.subscribers.push(subscriber);
    this.ledger.subscribers.push(subscriber.record);
    subscriber.connect(machine);
    return subscriber;
  }

  /** Publishes; nobody waits for the answer. */
  publish(number: number, channel: string, options: PublishOptions = {}): Publish {
    const machine = this.machine(number);
    const { key, order, ack } = options;
    const after = options.after?.cursor ? parseCursor(options.after.cursor) : undefined;
    const positions = after?.slots.get(slotOf(channel));
    const data = options.data ?? `m${++this.#published}`;
    const publish: Publish = {
      ...{ data, channel, node: machine.name, atMs: this.clock.nowMs() },
      ...(key === undefined ? {} : { key }),
      ...(order === undefined ? {} : { order }),
      ...(positions ? { after: positions } : {}),
    };
    this.ledger.publishes.push(publish);
    const draft: Draft = {
      ...{ channel, data },
      ...(key === undefined ? {} : { key }),
      ...(order === undefined ? {} : { order }),
      ...(ack === undefined ? {} : { ack }),
      ...(after ? { after } : {}),
    };
    machine.publish(draft, (answer) => {
      const atMs = this.clock.nowMs();
      publish.answer = answer instanceof GroundwaveError
        ? { atMs, code: answer.code }
        : { atMs, id: answer.id, level: answer.ack };
      const said = answer instanceof GroundwaveError ? answer.code : `${answer.id} ${answer.ack}`;
      this.note(`${machine.name} answers ${data} on ${channel}: ${said}`);
      this.answered?.(publish);
    });
    return publish;
  }

  /** The relay's process dies, and its machine lives on; or that loses power, `dark`. */
  crash(number: number, dark = false): void {
    const machine = this.machine(number);
    if (!machine.isUp) return;
    this.fault("crash", machine.name).toMs = this.clock.nowMs();
    this.note(`${machine.name} ${dark ? "goes dark" : "crashes"}`);
    machine.kill(dark);
    for (const subscriber of this.subscribers) subscriber.lost(machine);
  }

  /** No relay runs: from now on what the archive has is all there is. */
  noteKept(): void {
    if (this.machines.some(({ isUp }) => isUp)) return;
    this.ledger.kept.push({ atMs: this.clock.nowMs(), ids: this.archives?.ids() ?? [] });
  }

  /** The relay says goodbye, and is gone. */
  async leave(number: number): Promise<void> {
    const machine = this.machine(number);
    if (machine.isUp) this.fault("leave", machine.name).toMs = this.clock.nowMs();
    await machine.leave();
    for (const subscriber of this.subscribers) subscriber.lost(machine);
  }

  /** Ends the record: notes what the relays hold, first those that need ask nobody for it, and stops them. */
  async close(): Promise<void> {
    this.ledger.endMs = this.clock.nowMs();
    const channels = [...new Set(this.ledger.publishes.map(({ channel }) => channel))];
    for (const hears of [true, false]) {
      for (const machine of this.machines) {
        const group = (channel: string) => this.tables.groupOf(slotOf(channel));
        const own = channels.filter((channel) => machine.hears(group(channel)) === hears);
        const reads = own.map((channel) => this.#stand(machine, channel, hears));
        await Promise.all([...reads, hears ? undefined : this.run(3000)]);
      }
    }
    for (const machine of this.machines) machine.kill();
  }

  async #stand({ name: node, relay }: Machine, channel: string, hears: boolean): Promise<void> {
    if (!relay) return;
    const ids: string[] = [];
    let cursor = "", isCut = true;
    // A page ends with a gap that is behind messages.
    for (let start: ReadRequest["start"] = "earliest"; isCut; start = parseCursor(cursor)) {
      const page = await relay.upstream.read({ channels: [channel], start, limit: 10_000 });
      for (const event of page.events) {
        if (event.type === "message") ids.push(messageId(event.message));
      }
      isCut = page.events.length > 1 && page.events.at(-1)?.type === "gap";
      cursor = page.cursor;
    }
    const vector = parseCursor(cursor).slots.get(slotOf(channel)) ?? new Map();
    this.ledger.stands.push({ node, channel, hears, ids, vector });
  }

  /** Cuts one way between machines; answers how to mend it. */
  cut(from: number, to: number): () => void {
    this.note(`cut ${from} > ${to}`);
    this.wires.cut(from, to);
    const fault = this.fault("cut", `${from}>${to}`);
    return () => {
      if (fault.toMs !== Infinity) return;
      this.note(`heal ${from} > ${to}`);
      this.wires.heal(from, to);
      fault.toMs = this.clock.nowMs();
    };
  }

  /** Stops a process as by SIGSTOP; answers how to let it go on. */
  pause(number: number, kind: "pause" | "standstill" = "pause"): () => void {
    const machine = this.machine(number);
    this.note(`${machine.name} stops`);
    const { process } = machine;
    if (!process) return () => {};
    process.clock.stop();
    const fault = this.fault(kind, machine.name);
    return () => {
      if (fault.toMs !== Infinity) return;
      this.note(`${machine.name} goes on`);
      process.clock.resume(this.random() < 0.5);
      fault.toMs = this.clock.nowMs();
    };
  }

  fault(kind: Fault["kind"], node: string): Fault {
    const fault: Fault = { kind, node, fromMs: this.clock.nowMs(), toMs: Infinity };
    this.ledger.faults.push(fault);
    return fault;
  }
}
