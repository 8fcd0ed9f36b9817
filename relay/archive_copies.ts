/**
 * Where the copies in an archive stand, and what they lack of the logs. A copy is brought up to its log as a peer would be: by
 * what lies above the vector it stands at. Nothing is queued for it, so a store that is slow or gone costs no memory; what
 * the log has dropped before it was written is a floor in the copy as it is in the log.
 *
 * @module
 */
import type { KeptMessage, KeptOutline, SlotUpdate } from "./archives/archive_store.ts";
import { encodeOutline } from "./archives/outline.ts";
import type { Logs } from "./logs.ts";
import { encodeMessage } from "./protocol/codec.ts";
import type { SlotLog } from "./protocol/log/log.ts";
import { RangeSets } from "./protocol/log/range_set.ts";
import type { Stored } from "./protocol/log/timeline.ts";
import type { MessagePlace, Origin, Range, Seq, Vector } from "./protocol/message.ts";
import { NOWHERE } from "./protocol/vector.ts";

/** What of a slot is to be written. */
export interface Scope {
  /** The outline too, for nobody else writes this slot as a whole. */
  readonly whole: boolean;
  /** Whose messages. */
  readonly writes: (origin: Origin) => boolean;
  /** Whose messages go only as far as there is no hole, outline or not: what is missing here their origin may still write. */
  readonly follows: (origin: Origin) => boolean;
  /** Whose messages go over holes without an outline: what their origin has not got any more nobody waits for. */
  readonly owns: (origin: Origin) => boolean;
  /** Whether an origin that the log does not know (any more) is to be forgotten. */
  readonly forgets: (origin: Origin) => boolean;
}

/** How much may still be written at once. */
export interface Room {
  messages: number;
  bytes: number;
}

interface Copy {
  vector: Vector;
  /** What the log had marked as lost when the copy was written: it may still come. */
  lost: readonly Range[];
}

export class ArchiveCopies {
  readonly #copies = new Map<number, Copy>();
  readonly #logs: Logs;

  constructor(logs: Logs) {
    this.#logs = logs;
  }

  /** A copy stands there, the store says. `lost`: what it lacks below; absent: as before. */
  stands(slot: number, vector: Vector, lost = this.#copies.get(slot)?.lost ?? []): void {
    if (vector.size === 0) this.#copies.delete(slot);
    else this.#copies.set(slot, { vector, lost });
  }

  /** Nobody knows any more what the store has. */
  clear(): void {
    this.#copies.clear();
  }

  /** Whether it is known where a copy stands. */
  knows(slot: number): boolean {
    return this.#copies.has(slot);
  }

  /** Whether a copy is not known to have all that an origin published in the slot. */
  lacks(slot: number, origin: Origin): boolean {
    const { vector } = this.#logs.peek(slot) ?? {};
    return (vector?.get(origin) ?? 0) > (this.#copies.get(slot)?.vector.get(origin) ?? 0);
  }

  /** Whether a message is in its copy, or was and has been dropped since. */
  has({ slot, origin, seq }: MessagePlace): boolean {
    const { vector = NOWHERE, lost = [] } = this.#copies.get(slot) ?? {};
    return seq <= (vector.get(origin) ?? 0) &&
      !lost.some((range) => range.origin === origin && range.from <= seq && seq <= range.to);
  }

  /** What a copy lacks of its log, as far as there is room: then it lacks more. */
  update(
    slot: number,
    scope: Scope,
    room: Room,
    time: { readonly nowMs: number; readonly keptMs: number },
  ): { readonly update: SlotUpdate; readonly isAll: boolean } {
    const log = this.#logs.peek(slot);
    const { vector: base = NOWHERE, lost = [] } = this.#copies.get(slot) ?? {};
    if (!log) {
      const forgotten = scope.whole ? [...base.keys()].filter(scope.forgets) : [];
      return { update: { slot, base, messages: [], vector: NOWHERE, forgotten }, isAll: true };
    }
    const come = arrived(lost, log.lost()), offsetMs = time.keptMs - time.nowMs;
    const stored = log.messagesAbove(below(base, come));
    const { messages, vector, isAll } = take(stored, { base, come, scope, room, offsetMs });
    if (!isAll || !scope.whole) {
      return { update: { slot, base, messages, vector, forgotten: [] }, isAll };
    }
    for (const [origin, seq] of log.vector) {
      if (!scope.follows(origin) && seq > 0) vector.set(origin, seq);
    }
    const outline = outlineOf(log, vector, time.nowMs);
    const forgotten = [...base.keys()].filter((origin) =>
      !log.vector.has(origin) && scope.forgets(origin)
    );
    return { update: { slot, base, messages, vector, outline, forgotten }, isAll };
  }
}

/** A log's outline, for a copy that stands at `vector`: beyond, it explains nothing. */
function outlineOf(log: SlotLog, vector: Vector, nowMs: number): KeptOutline {
  const outline = log.outline(nowMs), end = new Map<Origin, Seq>();
  for (const [origin, seq] of outline.end) {
    end.set(origin, Math.min(seq, vector.get(origin) ?? 0));
  }
  return { bytes: encodeOutline({ ...outline, end }), floors: outline.floors };
}

/** What a copy lacks as lost, and the log does not any longer. */
function arrived(were: readonly Range[], are: readonly Range[]): RangeSets {
  const come = new RangeSets();
  for (const { origin, from, to } of were) come.add(origin, from, to);
  for (const { origin, from, to } of are) come.delete(origin, from, to);
  return come;
}

/** `base`, lowered to before what has come. */
function below(base: Vector, come: RangeSets): Vector {
  if (come.isEmpty) return base;
  const start = new Map(base);
  for (const { origin, from } of come.ranges()) {
    start.set(origin, Math.min(start.get(origin) ?? 0, from - 1));
  }
  return start;
}

/** What to take from where, and how much. */
interface Order {
  readonly base: Vector;
  readonly come: RangeSets;
  readonly scope: Scope;
  readonly room: Room;
  readonly offsetMs: number;
}

interface Taken {
  readonly messages: KeptMessage[];
  /** Where the copy stands with them. */
  readonly vector: Map<Origin, Seq>;
}

/**
 * Takes what is to be written. Only what comes with an outline may leave something out, since that says what: whatever is
 * not the whole goes on without holes. If there is nothing such, all is taken, whatever the room.
 */
function take(
  stored: Iterable<Stored>,
  { base, come, scope, room, offsetMs }: Order,
): Taken & { readonly isAll: boolean } {
  const all: Taken = { messages: [], vector: new Map(base) };
  const steady: Taken = { messages: [], vector: new Map(base) };
  for (const { message, atMs } of stored) {
    const { origin, seq, channel } = message, isLate = seq <= (base.get(origin) ?? 0);
    if (!scope.writes(origin) || (isLate && !come.of(origin)?.has(seq))) continue;
    if (scope.follows(origin) && seq > (all.vector.get(origin) ?? 0) + 1) continue;
    const isFull = room.messages <= 0 || room.bytes <= 0;
    if (isFull && steady.messages.length > 0) return { ...steady, isAll: false };
    const bytes = encodeMessage(message);
    const kept = { origin, seq, channel, atMs: atMs + offsetMs, bytes };
    room.messages -= 1;
    room.bytes -= bytes.length;
    put(all, kept);
    const isNext = seq === (steady.vector.get(origin) ?? 0) + 1;
    if (!isLate && (isNext || scope.owns(origin))) put(steady, kept);
  }
  return { ...(scope.whole ? all : steady), isAll: true };
}

function put({ messages, vector }: Taken, message: KeptMessage): void {
  const { origin, seq } = message;
  messages.push(message);
  vector.set(origin, Math.max(seq, vector.get(origin) ?? 0));
}
