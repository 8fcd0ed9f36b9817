/**
 * Where the copies in an archive stand, and what they lack of the logs. A copy is brought up to its log as a peer would be: by
 * what lies above the vector it stands at. Nothing is queued for it, so a store that is slow or gone costs no memory; what
 * the log has dropped before it was written is a floor in the copy as it is in the log.
 *
 * @module
 */
import type { KeptMessage, KeptOutline, SlotUpdate } from "./archives/archive_store.ts";
import { encodeOutline } from "./archives/outline.ts";
import type { MessagePlace } from "./archive_waiters.ts";
import type { Logs } from "./logs.ts";
import { encodeMessage } from "./protocol/codec.ts";
import type { SlotLog } from "./protocol/log/log.ts";
import { RangeSets } from "./protocol/log/range_set.ts";
import type { Stored } from "./protocol/log/timeline.ts";
import type { Origin, Range, Seq, Vector } from "./protocol/message.ts";

/** What of a slot is to be written. */
export interface Scope {
  /** The outline too, for nobody else writes this slot as a whole. */
  readonly whole: boolean;
  /** Whose messages. */
  readonly writes: (origin: Origin) => boolean;
  /** Whose messages only as far as they follow each other: what is missing here their origin may still write. */
  readonly follows: (origin: Origin) => boolean;
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

const NOWHERE: Vector = new Map();

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
    time: { readonly nowMs: number; readonly wallMs: number },
  ): { readonly update: SlotUpdate; readonly isAll: boolean } {
    const log = this.#logs.peek(slot);
    const { vector: base = NOWHERE, lost = [] } = this.#copies.get(slot) ?? {};
    if (!log) {
      const forgotten = scope.whole ? [...base.keys()].filter(scope.forgets) : [];
      return { update: { slot, base, messages: [], vector: NOWHERE, forgotten }, isAll: true };
    }
    const vector = new Map(base), offsetMs = time.wallMs - time.nowMs;
    const start = lost.length === 0 ? base : below(base, lost, log.lost());
    const { messages, isAll } = take(log.messagesAbove(start), vector, scope, room, offsetMs);
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

/** `base`, lowered to before what was lost and is not any longer. */
function below(base: Vector, were: readonly Range[], are: readonly Range[]): Vector {
  const come = new RangeSets();
  for (const { origin, from, to } of were) come.add(origin, from, to);
  for (const { origin, from, to } of are) come.delete(origin, from, to);
  const start = new Map(base);
  for (const { origin, from } of come.ranges()) {
    start.set(origin, Math.min(start.get(origin) ?? 0, from - 1));
  }
  return start;
}

/** Takes what is to be written, and moves `vector` over it. */
function take(
  stored: Iterable<Stored>,
  vector: Map<Origin, Seq>,
  { writes, follows }: Scope,
  room: Room,
  offsetMs: number,
): { readonly messages: readonly KeptMessage[]; readonly isAll: boolean } {
  const messages: KeptMessage[] = [];
  for (const { message, atMs } of stored) {
    const { origin, seq, channel } = message, standing = vector.get(origin) ?? 0;
    if (!writes(origin) || (seq > standing + 1 && follows(origin))) continue;
    if (room.messages <= 0 || room.bytes <= 0) return { messages, isAll: false };
    const bytes = encodeMessage(message);
    messages.push({ origin, seq, channel, atMs: atMs + offsetMs, bytes });
    room.messages -= 1;
    room.bytes -= bytes.length;
    if (seq > standing) vector.set(origin, seq);
  }
  return { messages, isAll: true };
}
