/**
 * A subscriber of a simulated cluster: it goes on at another relay with its cursor, whatever becomes of the first.
 *
 * @module
 */
import {
  type Cursor,
  encodeCursor,
  mergeCursors,
  parseCursor,
} from "../../relay/protocol/cursor.ts";
import { messageId } from "../../relay/protocol/message.ts";
import type { Sink, StreamEvent, Subscription } from "../../relay/protocol/upstream.ts";
import type { Subscriber } from "./cluster_ledger.ts";
import type { Machine } from "./cluster_machine.ts";
import type { ClusterWorld } from "./cluster_world.ts";

/** How long one waits to be connected, in milliseconds. */
const PATIENCE_MS = 5000;
/** Between two attempts. */
const AGAIN_MS = { least: 50, spread: 1500 };
/** Between two keep-alives, each with a cursor. */
const KEEP_ALIVE_MS = 5000;
/** A slow one takes nothing for up to so long. */
const SLOW_MS = 700;

export interface SubscriberOptions {
  readonly world: ClusterWorld;
  readonly name: string;
  readonly channels: readonly string[];
  /** It adds the ids of messages to its cursor, as the WebSocket client does; else it takes each event's cursor. */
  readonly keepsIds?: boolean;
  /** What becomes of its cursor before it comes back with it. */
  readonly cut?: (cursor: Cursor) => Cursor;
  /** How likely it takes nothing for a while after a message. */
  readonly slow?: number;
  /** Called after each message that it got. */
  readonly heard?: (subscriber: SimulatedSubscriber, channel: string) => void;
}

export class SimulatedSubscriber {
  readonly record: Subscriber;
  readonly #options: SubscriberOptions;
  #cursor = "";
  /** Of messages that came after the cursor. */
  readonly #ids: string[] = [];
  #attempt = 0;
  #machine: Machine | undefined;
  #subscription: Subscription | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    const { name, channels, slow = 0 } = options;
    this.record = { name, channels, slow: slow > 0, seen: [] };
  }

  /** Where it stands; empty before it first connected. */
  get cursor(): string {
    if (this.#ids.length > 0) {
      const cursors = [this.#cursor, ...this.#ids].map(parseCursor);
      this.#moveTo(encodeCursor(cursors.reduce(mergeCursors)));
    }
    return this.#cursor;
  }

  get isConnected(): boolean {
    return this.#subscription !== undefined;
  }

  /** Connects to a machine, or to any other if it cannot. */
  connect(number: number): void {
    const { world, channels, cut = (cursor) => cursor } = this.#options;
    const machine = world.machine(number);
    const attempt = ++this.#attempt;
    const { process, relay } = machine;
    if (!process || !relay) return this.#again(attempt);
    this.#machine = machine;
    const start = this.cursor === "" ? "live" : cut(parseCursor(this.cursor));
    const sink: Sink = {
      event: (event) => this.#isCurrent(attempt) && this.#take(event),
      closed: () => this.#isCurrent(attempt) && this.disconnect(0),
    };
    process.clock.run(() => {
      relay.upstream.subscribe({ channels, start }, sink).then(
        (subscription) => {
          if (this.#isCurrent(attempt)) this.#opened(subscription, machine, start === "live");
          else subscription.close();
        },
        () => this.#again(attempt),
      );
    });
    world.clock.after(PATIENCE_MS, () => {
      if (!this.isConnected) this.#again(attempt);
    });
  }

  /** Breaks off, and comes back after `awayMs`, to `number` or anywhere. */
  disconnect(awayMs: number, number?: number): void {
    const { world } = this.#options;
    this.#close();
    const attempt = this.#attempt;
    world.clock.after(awayMs, () => {
      if (this.#isCurrent(attempt)) this.connect(number ?? this.#anyMachine());
    });
  }

  /** The relay on `machine` is no more. */
  lost(machine: Machine): void {
    if (this.#machine === machine) this.disconnect(this.#pauseMs());
  }

  #close(): void {
    const { world } = this.#options;
    this.#attempt++;
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription) {
      this.record.seen.push({ type: "closed", atMs: world.clock.nowMs() });
      world.note(`${this.record.name} breaks off`);
      this.#machine?.process?.clock.run(() => subscription.close());
    }
    this.#machine = undefined;
  }

  #opened(subscription: Subscription, { name, process }: Machine, fresh: boolean): void {
    const { world } = this.#options;
    this.#subscription = subscription;
    this.record.seen.push({ type: "opened", atMs: world.clock.nowMs(), node: name, fresh });
    world.note(`${this.record.name} opens at ${name} ${this.cursor || "live"}`);
    this.#moveTo(subscription.cursor());
    subscription.resume();
    const keepAlive = () => {
      if (this.#subscription !== subscription) return;
      if (!this.#options.keepsIds) this.#moveTo(subscription.cursor());
      process?.clock.after(KEEP_ALIVE_MS, keepAlive);
    };
    keepAlive();
  }

  #take(event: StreamEvent): boolean {
    const { world, keepsIds = false, slow = 0 } = this.#options;
    const { name, seen } = this.record;
    const atMs = world.clock.nowMs();
    if (event.type === "message") {
      const { message: { channel, data }, message } = event;
      const id = messageId(message), cursorChars = keepsIds ? 0 : event.cursor.length;
      seen.push({ type: "message", atMs, id, channel, data: String(data), cursorChars });
      if (keepsIds) this.#ids.push(id);
      else this.#moveTo(event.cursor);
      world.note(`${name} gets ${id} ${data}`);
      this.#options.heard?.(this, channel);
    } else if (event.type === "gap") {
      const { type, channel, reason, missing, cursor } = event;
      seen.push({ type, atMs, channel, reason, missing });
      this.#moveTo(cursor);
      const what = missing.map(({ origin, from, to }) => `${origin}.${from}-${to}`).join(" ");
      world.note(`${name} misses ${channel} ${reason} ${what}`);
    } else {
      seen.push({ type: event.type, atMs, channel: event.channel });
      world.note(`${name} is ${event.type} on ${event.channel}`);
    }
    if (slow === 0 || world.random() >= slow) return true;
    const subscription = this.#subscription;
    world.clock.after(world.random() * SLOW_MS, () => {
      if (this.#subscription === subscription) {
        this.#machine?.process?.clock.run(() => subscription?.resume());
      }
    });
    return false;
  }

  #moveTo(cursor: string): void {
    this.#cursor = cursor;
    this.#ids.length = 0;
  }

  #isCurrent(attempt: number): boolean {
    return attempt === this.#attempt;
  }

  #again(attempt: number): void {
    if (this.#isCurrent(attempt)) this.disconnect(this.#pauseMs());
  }

  #pauseMs(): number {
    return AGAIN_MS.least + this.#options.world.random() * AGAIN_MS.spread;
  }

  #anyMachine(): number {
    const { machines, random } = this.#options.world;
    return Math.floor(random() * machines.length);
  }
}
