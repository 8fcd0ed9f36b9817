/**
 * The entries of a slot in delivery order. Entries have absolute numbers, so that what is dropped at the front moves
 * nobody; the vector at the front is kept, so that the vector at any entry can be told.
 *
 * @module
 */
import type { Message, Origin, Range, Seq, Vector } from "../message.ts";

/**
 * One place in the log. `message`: delivered here. `lost`: a mark, nothing came from `from` to `seq`. `unmet`: the next
 * message of `channel` came without what it had to follow. `skip`: nothing (any more), it only moves the vector.
 */
export interface Entry {
  kind: "message" | "lost" | "unmet" | "skip";
  readonly origin: Origin;
  /** Where the vector of `origin` stands after it; 0 for `unmet`, which moves none. */
  seq: Seq;
  /** When it arrived in the LAN, in monotonic milliseconds: whole ones, which take no memory of their own. */
  readonly atMs: number;
  /** What it counts against the bound of the process. It stands here because what is dropped has long left the caches. */
  readonly bytes: number;
  /** Only of a message. */
  message: Message | undefined;
  /** Only of `lost` and `unmet`. */
  readonly gap: Gap | undefined;
}

/** What an entry that is no message is about. */
export interface Gap {
  /** The first: of a mark its first, of `unmet` the message that follows. */
  readonly from: Seq;
  /** Only of `unmet`: in whose stream, and what is missing. */
  readonly channel?: string;
  readonly missing?: readonly Range[];
}

/** A message and when it arrived in the LAN, in monotonic milliseconds. */
export interface Stored {
  readonly message: Message;
  readonly atMs: number;
}

/** What an entry, its message and its places in tables take beside the data, roughly. */
const ENTRY_BYTES = 300;

/** What a message counts against the bound of the process. */
export function bytesOf({ channel, data }: Message): number {
  return ENTRY_BYTES + channel.length + data.length;
}

export function messageEntry(message: Message, atMs: number): Entry {
  const { origin, seq } = message;
  return entry("message", origin, seq, atMs, message);
}

export function lostEntry({ origin, from, to }: Range, atMs: number): Entry {
  return entry("lost", origin, to, atMs, undefined, { from });
}

/** What stands where a mark stood when one of its messages has come after all. */
export function filledMark(mark: Entry, late: Entry): Entry[] {
  const { origin, seq } = late, { atMs } = mark;
  const before = lostEntry({ origin, from: firstOf(mark), to: seq - 1 }, atMs);
  const behind = lostEntry({ origin, from: seq + 1, to: mark.seq }, atMs);
  return [before, late, behind].filter((entry) => firstOf(entry) <= entry.seq);
}

export function unmetEntry(message: Message, missing: readonly Range[], atMs: number): Entry {
  const { origin, seq, channel } = message;
  return entry("unmet", origin, 0, atMs, undefined, { from: seq, channel, missing });
}

export function skipEntry(origin: Origin, seq: Seq): Entry {
  return entry("skip", origin, seq, 0);
}

/** All entries have one shape: the walk over them is the inner loop of every resume. */
function entry(
  kind: Entry["kind"],
  origin: Origin,
  seq: Seq,
  atMs: number,
  message?: Message,
  gap?: Gap,
): Entry {
  const bytes = message ? bytesOf(message) : ENTRY_BYTES;
  return { kind, origin, seq, atMs: Math.floor(atMs), bytes, message, gap };
}

/** The first seq that an entry is about. */
export function firstOf({ seq, gap }: Entry): Seq {
  return gap?.from ?? seq;
}

/** Moves `vector` over an entry. */
export function pass(vector: Map<Origin, Seq>, { origin, seq }: Entry): void {
  if ((vector.get(origin) ?? 0) < seq) vector.set(origin, seq);
}

/** Says where an entry's number went. */
export type Renumber = (index: number) => number;

/** Dropped entries that may stay in the middle beyond one for each other entry. */
const SLACK = 64;

export class Timeline {
  #entries: Entry[] = [];
  /** Number of `#entries[0]`. */
  #shift = 0;
  /** Entries that are skips. */
  #skips = 0;
  #start = 0;
  readonly #base: Map<Origin, Seq>;

  constructor(base: Vector) {
    this.#base = new Map(base);
  }

  /** Number of the first entry there is. */
  get start(): number {
    return this.#start;
  }

  /** Number of the next entry to come. */
  get end(): number {
    return this.#shift + this.#entries.length;
  }

  /** The vector before the first entry. */
  get base(): Vector {
    return this.#base;
  }

  push(entry: Entry): void {
    if (entry.kind === "skip") this.#skips++;
    this.#entries.push(entry);
  }

  /** The entry of a number; undefined below `start` and from `end` on. */
  at(index: number): Entry | undefined {
    return index < this.#start ? undefined : this.#entries[index - this.#shift];
  }

  /** What is left, in order, above a vector; `unmet`: it came without what it had to follow. */
  *messagesAbove(start: Vector): Generator<Stored & { readonly unmet: boolean }> {
    let before: Entry | undefined;
    for (let index = this.#start; index < this.end; index++) {
      const entry = this.at(index), { message, atMs = 0 } = entry ?? {};
      if (message && message.seq > (start.get(message.origin) ?? 0)) {
        const { origin, seq } = message;
        const unmet = before?.kind === "unmet" && before.origin === origin &&
          firstOf(before) === seq;
        yield { message, atMs, unmet };
      }
      before = entry;
    }
  }

  /** The vector before the entry of a number. */
  vectorAt(index: number): Map<Origin, Seq> {
    const vector = new Map(this.#base);
    for (let at = this.#start; at < index; at++) {
      const entry = this.at(at);
      if (entry) pass(vector, entry);
    }
    return vector;
  }

  /** The mark that covers a seq, by number. */
  findMark(origin: Origin, seq: Seq): number | undefined {
    for (let index = this.end - 1; index >= this.#start; index--) {
      const entry = this.at(index);
      if (entry?.kind !== "lost" || entry.origin !== origin) continue;
      if (firstOf(entry) <= seq && seq <= entry.seq) return index;
    }
    return undefined;
  }

  /** Puts `entries` in the place of one. What followed it moves back by `entries.length - 1`. */
  replace(index: number, entries: readonly Entry[]): Renumber {
    this.#entries.splice(index - this.#shift, 1, ...entries);
    return (other) => other > index ? other + entries.length - 1 : other;
  }

  /** Takes the content of an entry that is in the timeline: from now on it only moves the vector. */
  drop(entry: Entry): void {
    entry.kind = "skip";
    entry.message = undefined;
    this.#skips++;
  }

  /** Forgets an origin whose entries are all gone. */
  forget(origin: Origin): void {
    this.#base.delete(origin);
  }

  /** Gives up the skips at the front. */
  trim(): void {
    for (let entry = this.at(this.#start); entry?.kind === "skip"; entry = this.at(this.#start)) {
      pass(this.#base, entry);
      this.#start++;
      this.#skips--;
    }
    const gone = this.#start - this.#shift;
    if (gone < SLACK || gone < this.#entries.length / 2) return;
    this.#entries = this.#entries.slice(gone);
    this.#shift = this.#start;
  }

  /**
   * Joins the skips of each run into one for each origin, once they are more than the rest: an old entry in front
   * would otherwise keep the places of all that came and went behind it. Undefined: it was not worth while.
   */
  compact(): Renumber | undefined {
    const size = this.end - this.#start;
    if (this.#skips <= size - this.#skips + SLACK) return undefined;
    const moved: number[] = [];
    const kept: Entry[] = [];
    let run = new Map<Origin, Entry>();
    for (let index = this.#start; index < this.end; index++) {
      const entry = this.at(index);
      if (entry === undefined) continue;
      if (entry.kind !== "skip") run = new Map();
      // A reader within a run goes back to its start, where it only passes what it has passed.
      moved.push(this.#start + kept.length - run.size);
      const joined = run.get(entry.origin);
      if (joined) {
        joined.seq = Math.max(joined.seq, entry.seq);
        continue;
      }
      if (entry.kind === "skip") run.set(entry.origin, entry);
      kept.push(entry);
    }
    const { start: oldStart } = this, oldEnd = this.end;
    this.#entries = kept;
    this.#shift = this.#start;
    this.#skips = kept.reduce((skips, { kind }) => skips + (kind === "skip" ? 1 : 0), 0);
    return (index) => {
      if (index < oldStart) return index;
      return index >= oldEnd ? this.end : moved[index - oldStart] ?? index;
    };
  }
}
