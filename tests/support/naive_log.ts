/**
 * The log of a slot as plainly as it can be said: one set member per seq, nothing ever compacted, every question
 * answered by a walk over everything. What it does not say is when readers are told of gaps; tests check that against
 * what was published.
 *
 * @module
 */
import type { CatchUp } from "../../relay/protocol/log/catch_up.ts";
import type { Appended } from "../../relay/protocol/log/log.ts";
import type { Message, Origin, Range, Seq, Vector } from "../../relay/protocol/message.ts";

interface Entry {
  readonly kind: "message" | "lost" | "unmet" | "pass";
  readonly origin: Origin;
  readonly seq: Seq;
  readonly message?: Message;
  readonly atMs: number;
  /** Rank of arrival in the log, for entries of one age. */
  readonly rank: number;
  dropped: boolean;
}

interface Waiting {
  readonly message: Message;
  readonly atMs: number;
  readonly sinceMs: number;
  released: boolean;
}

export interface NaiveOptions {
  readonly self: Origin;
  readonly maxCount: number;
  readonly maxAgeMs: number;
  readonly holdMs: number;
}

type Floors = Map<Origin, Seq>;

export class NaiveLog {
  readonly vector: Map<Origin, Seq>;
  readonly lost = new Set<string>();
  readonly #options: NaiveOptions;
  #entries: Entry[] = [];
  #waiting: Waiting[] = [];
  readonly #expiredAhead = new Set<string>();
  readonly #lostAhead = new Set<string>();
  readonly #unmet = new Set<string>();
  #beside: { message: Message; atMs: number }[] = [];
  readonly #floors = new Map<string, Floors>();
  readonly #slotFloors: Floors = new Map();
  readonly readers = new Set<NaiveReader>();
  #rank = 0;

  constructor(options: NaiveOptions) {
    this.#options = options;
    this.vector = new Map([[options.self, 0]]);
  }

  append(message: Message, nowMs: number, ageMs = 0, unmet = false): Appended {
    const { origin, seq } = message;
    const atMs = nowMs - ageMs;
    if (seq <= this.seqOf(origin)) {
      return this.lost.has(at(origin, seq)) ? this.#late(message, atMs) : "duplicate";
    }
    const waiting = this.#waiting.find(({ message: { origin: of, seq: at } }) =>
      of === origin && at === seq
    );
    if (waiting) {
      waiting.released ||= unmet;
      if (unmet) this.#settle(nowMs);
      return "duplicate";
    }
    this.#waiting.push({ message, atMs, sinceMs: nowMs, released: unmet });
    this.#settleOrigin(origin, nowMs, 1);
    this.#settle(nowMs);
    return this.#isWaiting(origin, seq) ? "held" : "delivered";
  }

  tick(nowMs: number): void {
    for (;;) {
      const [oldest] = this.#waiting;
      if (!oldest || oldest.sinceMs + this.#options.holdMs > nowMs) break;
      const { origin, seq } = oldest.message;
      for (let s = this.seqOf(origin) + 1; s < seq; s++) this.#lostAhead.add(at(origin, s));
      for (const other of this.#waiting) {
        if (other.message.origin === origin && other.message.seq <= seq) other.released = true;
      }
      this.#settle(nowMs);
    }
    const ms = nowMs - this.#options.maxAgeMs;
    const old = this.#entries.filter((entry) => isHeld(entry) && entry.atMs <= ms);
    for (const entry of old.sort(byAge)) this.#drop(entry);
    while (this.#beside[0] && this.#beside[0].atMs <= ms) this.#beside.shift();
  }

  dropOldest(): void {
    const [oldest] = this.#entries.filter(isHeld).sort(byAge);
    if (oldest) this.#drop(oldest);
    else this.#beside.shift();
  }

  missing(): Set<string> {
    const missing = new Set<string>();
    const add = (origin: Origin, upTo: Seq) => {
      for (let s = this.seqOf(origin) + 1; s <= upTo; s++) {
        const key = at(origin, s);
        const known = this.#expiredAhead.has(key) || this.#lostAhead.has(key) ||
          this.#unmet.has(key);
        if (!known && !this.#isWaiting(origin, s)) missing.add(key);
      }
    };
    for (const { message, released } of this.#waiting) {
      add(message.origin, message.seq - 1);
      for (const [origin, seq] of released ? [] : message.after ?? []) {
        if (origin !== message.origin) add(origin, seq);
      }
    }
    return missing;
  }

  lacked(ranges: readonly Range[], nowMs: number): void {
    for (const { origin, from, to } of ranges) {
      const above = this.#waiting.filter(({ message }) => message.origin === origin);
      const last = Math.max(0, ...above.map(({ message }) => message.seq));
      for (let s = from; s <= to; s++) {
        if (s <= this.seqOf(origin) || this.#isWaiting(origin, s)) continue;
        (s < last ? this.#lostAhead : this.#unmet).add(at(origin, s));
      }
    }
    this.#settle(nowMs);
  }

  merge(answer: CatchUp, nowMs: number): boolean {
    for (const [origin, seq] of answer.start) if (seq > this.seqOf(origin)) return false;
    const beyond = new Set(positions(answer.beyond));
    const waiting = new Set(this.#waiting.map(({ message }) => key(message)));
    for (const { origin, from, to } of answer.beyond) {
      for (let s = from; s <= to; s++) {
        if (s > this.seqOf(origin) ? !waiting.has(at(origin, s)) : this.lost.has(at(origin, s))) {
          return false;
        }
      }
    }
    this.#takeFloors(answer.floors);
    const sent = [...answer.messages, ...answer.held].map(({ message }) => key(message));
    const there = new Set([...sent, ...beyond]);
    const lost = new Set(positions(answer.lost));
    for (const [origin, end] of answer.end) {
      for (let s = this.seqOf(origin) + 1; s <= end; s++) {
        if (!there.has(at(origin, s)) && !lost.has(at(origin, s))) {
          this.#expiredAhead.add(at(origin, s));
        }
      }
    }
    for (const { origin, from, to } of answer.lost) {
      for (let s = Math.max(from, this.seqOf(origin) + 1); s <= to; s++) {
        this.#lostAhead.add(at(origin, s));
      }
    }
    this.#skipExpired(nowMs);
    this.#settle(nowMs);
    for (const { message, ageMs, unmet } of [...answer.messages, ...answer.held]) {
      this.append(message, nowMs, ageMs, unmet);
    }
    for (const channel of [...this.#floors.keys()]) this.#fold(channel);
    return true;
  }

  /** Ids of what is retained above a vector, in log order. */
  retained(start: Vector): string[] {
    const messages = this.#entries.filter(isHeld).flatMap(({ message }) => message ?? []);
    return messages.filter(({ origin, seq }) => seq > (start.get(origin) ?? 0)).map(key);
  }

  /** Ids of what is held or kept beside. */
  held(): string[] {
    return [...this.#waiting, ...this.#beside].map(({ message }) => key(message)).sort();
  }

  floorsOf(channel: string): Floors {
    return this.#floors.get(channel) ?? this.#slotFloors;
  }

  seqOf(origin: Origin): Seq {
    return this.vector.get(origin) ?? 0;
  }

  /** Everything that is there of an origin, delivered or held, is no concern of a reader whose cursor has lost it. */
  open(
    channels: readonly string[],
    start: "live" | "earliest" | Vector,
    cut: ReadonlySet<Origin> = new Set(),
  ): NaiveReader {
    for (const channel of channels) this.#stateOf(channel);
    const passed = [...cut].map((origin) => [origin, this.#highest(origin)] as const);
    const from = typeof start === "string" ? start : new Map([...start, ...passed]);
    const reader = new NaiveReader(this, channels, from);
    this.readers.add(reader);
    return reader;
  }

  close(reader: NaiveReader): void {
    this.readers.delete(reader);
    for (const channel of reader.channels) this.#fold(channel);
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  #highest(origin: Origin): Seq {
    const waiting = this.#waiting.filter(({ message }) => message.origin === origin);
    return Math.max(this.seqOf(origin), ...waiting.map(({ message }) => message.seq));
  }

  #isWaiting(origin: Origin, seq: Seq): boolean {
    return this.#waiting.some(({ message }) => message.origin === origin && message.seq === seq);
  }

  #settle(nowMs: number): void {
    for (let moved = true; moved;) {
      moved = false;
      const ahead = [...this.#lostAhead, ...this.#expiredAhead].map((key) => key.slice(0, 8));
      const origins = new Set([...ahead, ...this.#waiting.map(({ message }) => message.origin)]);
      for (const origin of [...origins].sort()) {
        if (this.#settleOrigin(origin, nowMs, Infinity)) moved = true;
      }
    }
  }

  #skipExpired(nowMs: number): void {
    for (const origin of new Set([...this.#expiredAhead].map((key) => key.slice(0, 8)))) {
      for (let seq; this.#expiredAhead.has(at(origin, seq = this.seqOf(origin) + 1));) {
        if (this.#isWaiting(origin, seq)) break;
        this.#push("pass", origin, seq, nowMs);
      }
    }
  }

  #settleOrigin(origin: Origin, nowMs: number, limit: number): boolean {
    let moved = 0;
    while (moved < limit && this.#settleNext(origin, nowMs)) moved++;
    return moved > 0;
  }

  #settleNext(origin: Origin, nowMs: number): boolean {
    const seq = this.seqOf(origin) + 1;
    const next = this.#waiting.find(({ message }) =>
      message.origin === origin && message.seq === seq
    );
    if (next) {
      if (!next.released && !this.#isMet(next.message)) return false;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#deliver(next.message, next.atMs);
      return true;
    }
    if (this.#expiredAhead.has(at(origin, seq))) this.#push("pass", origin, seq, nowMs);
    else if (this.#lostAhead.has(at(origin, seq))) {
      this.lost.add(at(origin, seq));
      this.#push("lost", origin, seq, nowMs);
    } else return false;
    return true;
  }

  #isMet({ origin, after }: Message): boolean {
    for (const [other, seq] of after ?? []) {
      if (other === origin) continue;
      for (let s = this.seqOf(other) + 1; s <= seq; s++) {
        if (!this.#unmet.has(at(other, s))) return false;
      }
    }
    return true;
  }

  #deliver(message: Message, atMs: number): void {
    const isUnmet = [...message.after ?? []].some(([origin, seq]) =>
      origin !== message.origin && seq > this.seqOf(origin)
    );
    if (isUnmet) this.#push("unmet", message.origin, 0, atMs);
    this.#stateOf(message.channel);
    this.#push("message", message.origin, message.seq, atMs, message);
    this.#limit(message.channel);
  }

  #push(kind: Entry["kind"], origin: Origin, seq: Seq, atMs: number, message?: Message): void {
    this.#entries.push(this.#entry(kind, origin, seq, atMs, message));
    this.vector.set(origin, Math.max(this.seqOf(origin), seq));
    for (const reader of this.readers) reader.read();
  }

  #entry(kind: Entry["kind"], origin: Origin, seq: Seq, atMs: number, message?: Message): Entry {
    const rank = this.#rank++;
    return { kind, origin, seq, atMs, rank, dropped: false, ...(message ? { message } : {}) };
  }

  #limit(channel: string): void {
    const held = this.#entries.filter((entry) =>
      isHeld(entry) && entry.message?.channel === channel
    );
    const [oldest] = held.sort(byAge);
    if (held.length > this.#options.maxCount && oldest) this.#drop(oldest);
  }

  #late(message: Message, atMs: number): Appended {
    const { origin, seq } = message;
    this.lost.delete(at(origin, seq));
    const index = this.#entries.findIndex((entry) =>
      entry.kind === "lost" && entry.origin === origin && entry.seq === seq
    );
    const before = new Map<Origin, Seq>();
    for (const entry of this.#entries.slice(0, index)) raise(before, entry.origin, entry.seq);
    const fits = [...message.after ?? []].every(([other, upTo]) =>
      other === origin || (before.get(other) ?? 0) >= upTo
    );
    if (fits) {
      this.#entries[index] = this.#entry("message", origin, seq, atMs, message);
      this.#stateOf(message.channel);
      this.#limit(message.channel);
    } else {
      this.#beside.push({ message, atMs });
    }
    return "delivered";
  }

  #drop(entry: Entry): void {
    entry.dropped = true;
    const { kind, origin, seq, message } = entry;
    if (kind === "lost") {
      this.lost.delete(at(origin, seq));
      for (const floors of [this.#slotFloors, ...this.#floors.values()]) raise(floors, origin, seq);
    }
    if (!message) return;
    raise(this.#stateOf(message.channel), origin, seq);
    this.#fold(message.channel);
  }

  #takeFloors(theirs: ReadonlyMap<string, Vector>): void {
    const slot = new Map(
      [...theirs.get("") ?? []].filter(([origin, seq]) => seq > this.seqOf(origin)),
    );
    for (const [channel, floors] of theirs) {
      if (channel === "") continue;
      const above = [...floors].filter(([origin, seq]) => seq > this.seqOf(origin));
      if (above.length === 0 && slot.size === 0) continue;
      for (const [origin, seq] of above) raise(this.#stateOf(channel), origin, seq);
      this.#stateOf(channel);
    }
    for (const [origin, seq] of slot) {
      raise(this.#slotFloors, origin, seq);
      for (const [channel, floors] of this.#floors) {
        if (!theirs.has(channel)) raise(floors, origin, seq);
      }
    }
  }

  #stateOf(channel: string): Floors {
    let floors = this.#floors.get(channel);
    if (!floors) this.#floors.set(channel, floors = new Map(this.#slotFloors));
    return floors;
  }

  #fold(channel: string): void {
    const floors = this.#floors.get(channel);
    const isUsed =
      this.#entries.some((entry) => isHeld(entry) && entry.message?.channel === channel) ||
      [...this.readers].some(({ channels }) => channels.includes(channel));
    if (!floors || isUsed) return;
    for (const [origin, seq] of floors) raise(this.#slotFloors, origin, seq);
    this.#floors.delete(channel);
  }
}

/** Reads what it may, as soon as it may. */
export class NaiveReader {
  readonly channels: readonly string[];
  /** Ids in order. */
  readonly got: string[] = [];
  readonly #log: NaiveLog;
  readonly #filter: Vector;
  #index: number;
  /** How many more messages its sink takes. */
  room = 0;

  constructor(log: NaiveLog, channels: readonly string[], start: "live" | "earliest" | Vector) {
    this.#log = log;
    this.channels = channels;
    this.#filter = typeof start === "string" ? new Map() : start;
    const first = log.entries.findIndex((entry) => this.#wants(entry));
    const earliest = first < 0 ? log.entries.length : first;
    this.#index = start === "live" ? log.entries.length : start === "earliest" ? earliest : 0;
  }

  #wants({ dropped, message }: Entry): boolean {
    return !dropped && message !== undefined && this.channels.includes(message.channel);
  }

  read(): void {
    for (; this.room > 0 && this.#index < this.#log.entries.length; this.#index++) {
      const entry = this.#log.entries[this.#index];
      if (!entry?.message || !this.#wants(entry)) continue;
      if (entry.seq <= (this.#filter.get(entry.origin) ?? 0)) continue;
      this.got.push(key(entry.message));
      this.room--;
    }
  }
}

/** The id of a position within its slot. */
export function at(origin: Origin, seq: Seq): string {
  return `${origin}.${seq}`;
}

export function key({ origin, seq }: Message): string {
  return at(origin, seq);
}

/** Every position of some ranges. */
export function positions(ranges: Iterable<Range>): string[] {
  const all: string[] = [];
  for (const { origin, from, to } of ranges) {
    for (let seq = from; seq <= to; seq++) all.push(at(origin, seq));
  }
  return all;
}

function isHeld({ kind, dropped }: Entry): boolean {
  return !dropped && kind !== "pass";
}

function byAge(a: Entry, b: Entry): number {
  return a.atMs - b.atMs || a.rank - b.rank;
}

function raise(floors: Floors, origin: Origin, seq: Seq): void {
  if ((floors.get(origin) ?? 0) < seq) floors.set(origin, seq);
}
