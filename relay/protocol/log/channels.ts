/**
 * The channels of a slot: what each retains, its floors, and who listens (DESIGN "Log, cursor, reader").
 *
 * A channel has state while it retains something or has a reader. Its state starts with the slot's floors and gives its
 * own back to them in the end, so that a busy neighbour causes no false gap.
 *
 * @module
 */
import type { Origin, Seq, Vector } from "../message.ts";
import { NOWHERE, raise } from "../vector.ts";
import { AgeQueue } from "./age_queue.ts";
import type { LogReader } from "./reader.ts";
import type { Entry, Stored } from "./timeline.ts";

const NOBODY: readonly LogReader[] = [];

/** There may be millions that retain one message and have no reader: each part is made when it is needed first. */
export class Channel {
  readonly name: string;
  /** Readers of it, live or not. */
  readers = 0;
  #floors: Map<Origin, Seq> | undefined;
  #count = 0;
  /** One as it is, several by age. */
  #retained: Entry | AgeQueue | undefined;
  /** By idempotency key, the first message retained that carries it. */
  #keyed: Map<string, Entry> | undefined;
  #live: Set<LogReader> | undefined;
  #listed: readonly LogReader[] | undefined = NOBODY;

  constructor(name: string, floors: Vector) {
    this.name = name;
    this.raise(floors);
  }

  /** Highest seq dropped, by origin. */
  get floors(): Vector {
    return this.#floors ?? NOWHERE;
  }

  /** Messages retained. */
  get count(): number {
    return this.#count;
  }

  /** Nobody needs its state: nothing retained, no reader. */
  get isIdle(): boolean {
    return this.#count === 0 && this.readers === 0;
  }

  get oldest(): Entry | undefined {
    return this.#retained instanceof AgeQueue ? this.#retained.peek() : this.#retained;
  }

  retain(entry: Entry): void {
    if (++this.#count === 1) this.#retained = entry;
    else this.#queue().push(entry, this.#count);
    const key = entry.message?.key;
    if (key === undefined) return;
    this.#keyed ??= new Map();
    if (!this.#keyed.has(key)) this.#keyed.set(key, entry);
  }

  #queue(): AgeQueue {
    const retained = this.#retained;
    if (retained instanceof AgeQueue) return retained;
    const queue = this.#retained = new AgeQueue();
    if (retained) queue.push(retained, 1);
    return queue;
  }

  /** The first message retained that carries an idempotency key. */
  keyed(key: string): Stored | undefined {
    const entry = this.#keyed?.get(key);
    return entry?.message && { message: entry.message, atMs: entry.atMs };
  }

  /** One of its messages is dropped. */
  release(entry: Entry): void {
    if (--this.#count === 0) this.#retained = undefined;
    if (this.#keyed) this.#releaseKey(this.#keyed, entry);
    const { origin, seq } = entry;
    if ((this.floors.get(origin) ?? 0) < seq) (this.#floors ??= new Map()).set(origin, seq);
  }

  #releaseKey(keyed: Map<string, Entry>, entry: Entry): void {
    const key = entry.message?.key;
    if (key !== undefined && keyed.get(key) === entry) keyed.delete(key);
  }

  /** Its floors rise to `floors` where these are higher. */
  raise(floors: Vector): void {
    if (floors.size > 0) raise(this.#floors ??= new Map(), floors);
  }

  /** An origin has no floor any more. */
  forget(origin: Origin): void {
    this.#floors?.delete(origin);
  }

  join(reader: LogReader): void {
    (this.#live ??= new Set()).add(reader);
    this.#listed = undefined;
  }

  leave(reader: LogReader): void {
    if (this.#live?.delete(reader)) this.#listed = undefined;
  }

  /** The readers that are live now: a list that later joining and leaving does not touch. */
  live(): readonly LogReader[] {
    return this.#listed ??= [...this.#live ?? NOBODY];
  }
}

export class Channels {
  readonly #channels = new Map<string, Channel>();
  /** The floors of every channel without state. */
  readonly #floors = new Map<Origin, Seq>();

  get(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  /** Highest seq dropped of a channel, by origin. */
  floorsOf(name: string): Vector {
    return this.#channels.get(name)?.floors ?? this.#floors;
  }

  /** The channel's state, made if need be. */
  of(name: string): Channel {
    let channel = this.#channels.get(name);
    if (!channel) this.#channels.set(name, channel = new Channel(name, this.#floors));
    return channel;
  }

  /** A message of a channel is dropped: the channel's floor rises. */
  release(channel: Channel, entry: Entry): void {
    channel.release(entry);
    this.settle(channel);
  }

  /** To be called when a channel may have become idle: its floors become the slot's. */
  settle(channel: Channel): void {
    if (!channel.isIdle || this.#channels.get(channel.name) !== channel) return;
    raise(this.#floors, channel.floors);
    this.#channels.delete(channel.name);
  }

  /** A place whose channel nobody knows is gone: every channel's floor rises. */
  raiseAll(origin: Origin, seq: Seq): void {
    const gone = new Map([[origin, seq]]);
    raise(this.#floors, gone);
    for (const channel of this.#channels.values()) channel.raise(gone);
  }

  /** The floors above `start` by channel, as a catch-up answer states them; the empty channel is the slot's own. */
  floorsAbove(start: Vector): Map<string, Vector> {
    const above = new Map<string, Vector>();
    const own = pick(this.#floors, start);
    if (own.size > 0) above.set("", own);
    for (const { name, floors } of this.#channels.values()) {
      const picked = pick(floors, start);
      // One without any is listed too where the slot's would otherwise be taken for it.
      if (picked.size > 0 || own.size > 0) above.set(name, picked);
    }
    return above;
  }

  /** Takes a peer's floors where they are above `vector`, and answers whether there were any. */
  take(theirs: ReadonlyMap<string, Vector>, vector: Vector): boolean {
    const slot = pick(theirs.get("") ?? new Map(), vector);
    let any = slot.size > 0;
    if (any) {
      for (const channel of this.#channels.values()) {
        if (!theirs.has(channel.name)) channel.raise(slot);
      }
    }
    for (const [name, floors] of theirs) {
      if (name === "") continue;
      const picked = pick(floors, vector);
      // A listed channel is not in what the peer's slot has dropped: its state must not start from that.
      if (picked.size > 0 || slot.size > 0) this.of(name).raise(picked);
      any ||= picked.size > 0;
    }
    raise(this.#floors, slot);
    return any;
  }

  forget(origin: Origin): void {
    this.#floors.delete(origin);
    for (const channel of this.#channels.values()) channel.forget(origin);
  }

  /** Gives up the state of every idle channel. */
  settleAll(): void {
    for (const channel of [...this.#channels.values()]) this.settle(channel);
  }
}

/** The positions that are above `than`. */
function pick(positions: Vector, than: Vector): Map<Origin, Seq> {
  const picked = new Map<Origin, Seq>();
  for (const [origin, seq] of positions) {
    if (seq > (than.get(origin) ?? 0)) picked.set(origin, seq);
  }
  return picked;
}
