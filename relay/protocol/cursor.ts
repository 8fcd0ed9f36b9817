/**
 * The cursor: where a reader stands, as text that any relay can resume from (DESIGN "Log, cursor, reader").
 *
 * The text is a version character and then, without separators, numbers as {@link writeVarint} writes them and origins
 * as they are:
 *
 *     version  asOf  origin count  origins  slot*
 *
 * `asOf` is minutes since 2025-01-01 plus one, or 0. A slot is `2 × (slots skipped since the last one) + same`; then,
 * where `same` is 0, the number of its origins and each one's index as what was skipped since the last one; then the
 * seq of each. `same` says that the origins are those of the slot before, for the first slot all of them. So a cursor of
 * one slot and one origin is about 20 characters, and each further slot of the same relays costs 1 to 2 and its seqs.
 *
 * @module
 */
import { ORIGIN_CHARS } from "./base64url.ts";
import { GroundwaveError } from "./errors.ts";
import { type Origin, parseMessageId, type Seq, type Vector } from "./message.ts";
import { SLOT_COUNT } from "./slot.ts";
import { VarintReader, writeVarint } from "./varint.ts";
import { mergeVectors } from "./vector.ts";

/** A place in each of some slots. A slot that is absent is at 0 for every origin. */
export interface Cursor {
  /** By slot, 0 to 16383. */
  readonly slots: ReadonlyMap<number, Vector>;
  /** Wall-clock milliseconds at which the relay that wrote it was in sync; whole minutes in text. */
  readonly asOfMs: number | undefined;
}

/** Characters of a cursor at most. */
export const MAX_CURSOR_CHARS = 6 * 1024;

/** Characters that {@link parseCursor} takes: of a cursor and of the ids that came after it. */
export const MAX_CURSOR_TEXT_CHARS = 8 * 1024;

/** Cursors and ids that {@link parseCursor} takes at once. */
export const MAX_CURSOR_TOKENS = 64;

const VERSION = "1";
const MINUTE_MS = 60_000;
const EPOCH_MINUTE = 28_928_160; // 2025-01-01T00:00Z
const MAX_MINUTE = 2 ** 32;

/**
 * The text of a cursor, at most {@link MAX_CURSOR_CHARS} characters.
 *
 * What does not fit loses the positions of some origins, at the price of a false gap or, where they still had a message to
 * give, of one twice. Those that the slots name first go first: those heard of first, or not heard of for longest when their
 * log was fetched. But the very first is the serving relay's own, by the order in which logs name origins, and goes last.
 * @throws {RangeError} if it names too many slots to fit at all (about 3000).
 */
export function encodeCursor(cursor: Cursor): string {
  const text = write(cursor);
  const excess = text.length - MAX_CURSOR_CHARS;
  return excess <= 0 ? text : writeCut(cursor, excess);
}

function write({ slots, asOfMs }: Cursor): string {
  const head = VERSION + writeVarint(asOfMs === undefined ? 0 : minuteOf(asOfMs) + 1);
  return head + (slots.size === 1 ? writeSlot(slots) : writeSlots(slots));
}

/** Rounded down: a cursor may seem older than it is, never younger. */
function minuteOf(ms: number): number {
  return Math.min(Math.max(Math.floor(ms / MINUTE_MS) - EPOCH_MINUTE, 0), MAX_MINUTE - 1);
}

/** What {@link writeSlots} writes for one slot, without its tables: made for every message that an SSE reader gets. */
function writeSlot(slots: ReadonlyMap<number, Vector>): string {
  let text = "";
  for (const [slot, vector] of slots) {
    let seqs = "";
    text += writeVarint(vector.size);
    for (const [origin, seq] of vector) {
      text += origin;
      seqs += writeVarint(seq);
    }
    text += writeVarint(2 * slot + 1) + seqs;
  }
  return text;
}

function writeSlots(slots: ReadonlyMap<number, Vector>): string {
  const ordered = [...slots].sort(([a], [b]) => a - b);
  const table = new Map<Origin, number>();
  for (const [, vector] of ordered) {
    for (const origin of vector.keys()) if (!table.has(origin)) table.set(origin, table.size);
  }
  let text = writeVarint(table.size);
  for (const origin of table.keys()) text += origin;
  let next = 0;
  let before: readonly Origin[] = [...table.keys()];
  for (const [slot, vector] of ordered) {
    const same = before.length === vector.size && before.every((origin) => vector.has(origin));
    text += writeVarint(2 * (slot - next) + (same ? 1 : 0));
    if (!same) {
      before = [...vector.keys()].sort((a, b) => (table.get(a) ?? 0) - (table.get(b) ?? 0));
      text += writeIndexes(before, table);
    }
    for (const origin of before) text += writeVarint(vector.get(origin) ?? 0);
    next = slot + 1;
  }
  return text;
}

function writeIndexes(origins: readonly Origin[], table: ReadonlyMap<Origin, number>): string {
  let text = writeVarint(origins.length);
  let next = 0;
  for (const origin of origins) {
    const index = table.get(origin) ?? 0;
    text += writeVarint(index - next);
    next = index + 1;
  }
  return text;
}

/** The text of `cursor` without some positions, about as few as make it fit; `excess` is by how much it does not. */
function writeCut({ slots, asOfMs }: Cursor, excess: number): string {
  const rest = new Map([...slots].map(([slot, vector]) => [slot, new Map(vector)]));
  const victims = victimsOf(slots);
  for (let at = 0; at < victims.length;) {
    for (let victim; excess > 0 && (victim = victims[at]); at++) {
      const { slot, origin, seq } = victim;
      rest.get(slot)?.delete(origin);
      excess -= writeVarint(seq).length;
      if (victims[at + 1]?.origin !== origin) excess -= ORIGIN_CHARS;
    }
    const text = write({ slots: rest, asOfMs });
    excess = text.length - MAX_CURSOR_CHARS;
    if (excess <= 0) return text;
  }
  throw new RangeError(`a cursor of ${slots.size} slots does not fit`);
}

/** All positions, by origin, in the order in which they may go. */
function victimsOf(slots: Cursor["slots"]) {
  const ranks = new Map<Origin, number>();
  for (const vector of slots.values()) {
    for (const origin of vector.keys()) {
      if (!ranks.has(origin)) ranks.set(origin, ranks.size || Infinity);
    }
  }
  return [...slots].flatMap(([slot, vector]) =>
    [...vector].map(([origin, seq]) => ({ slot, origin, seq, rank: ranks.get(origin) ?? 0 }))
  ).sort((a, b) => a.rank === b.rank ? a.slot - b.slot : a.rank - b.rank);
}

/**
 * Reads a cursor, a message id, or several of either separated by commas or spaces, merged by maximum. An id names its
 * origin's place alone. `asOfMs` is that of the oldest cursor, undefined if there are only ids.
 * @throws {GroundwaveError} `cursor_invalid`.
 */
export function parseCursor(text: string): Cursor {
  if (text.length > MAX_CURSOR_TEXT_CHARS) throw invalid("it is too long");
  const tokens = text.split(/[, ]+/).filter((token) => token !== "");
  if (tokens.length === 0) throw invalid("it is empty");
  if (tokens.length > MAX_CURSOR_TOKENS) throw invalid("it has too many parts");
  return tokens.map(parseToken).reduce(mergeCursors);
}

function parseToken(token: string): Cursor {
  if (token.includes(".")) return parseId(token);
  if (token.length > MAX_CURSOR_CHARS) throw invalid("it is too long");
  if (!token.startsWith(VERSION)) throw invalid("its version is unknown");
  try {
    return read(new VarintReader(token, VERSION.length));
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "it is garbled", cause);
  }
}

function invalid(why: string, cause?: unknown): GroundwaveError {
  return new GroundwaveError("cursor_invalid", `not a cursor or message id: ${why}`, { cause });
}

function read(reader: VarintReader): Cursor {
  const asOf = reader.varint(MAX_MINUTE);
  const origins: Origin[] = [];
  for (let left = reader.varint(MAX_CURSOR_CHARS); left > 0; left--) {
    origins.push(reader.digits(ORIGIN_CHARS));
  }
  if (new Set(origins).size < origins.length) throw new RangeError("it names an origin twice");
  const slots = new Map<number, Vector>();
  let before: readonly Origin[] = origins;
  for (let next = 0; !reader.done;) {
    const head = reader.varint(2 * SLOT_COUNT - 1);
    const slot = next + (head >> 1);
    if (slot >= SLOT_COUNT) throw new RangeError("it names a slot that does not exist");
    if (head % 2 === 0) before = readOrigins(reader, origins);
    const vector = new Map<Origin, Seq>();
    for (const origin of before) vector.set(origin, reader.varint(Number.MAX_SAFE_INTEGER));
    slots.set(slot, vector);
    next = slot + 1;
  }
  return { slots, asOfMs: asOf === 0 ? undefined : (EPOCH_MINUTE + asOf - 1) * MINUTE_MS };
}

function readOrigins(reader: VarintReader, table: readonly Origin[]): Origin[] {
  const origins: Origin[] = [];
  let next = 0;
  for (let left = reader.varint(table.length); left > 0; left--) {
    const index = next + reader.varint(table.length);
    const origin = table[index];
    if (origin === undefined) throw new RangeError("it names an origin outside its table");
    origins.push(origin);
    next = index + 1;
  }
  return origins;
}

function parseId(id: string): Cursor {
  const place = parseMessageId(id);
  if (!place) throw invalid("an id is garbled");
  const { slot, origin, seq } = place;
  return { slots: new Map([[slot, new Map([[origin, seq]])]]), asOfMs: undefined };
}

/** The smallest cursor that covers both; as old as the older one. */
export function mergeCursors(a: Cursor, b: Cursor): Cursor {
  const slots = new Map(a.slots);
  for (const [slot, vector] of b.slots) {
    const own = slots.get(slot);
    slots.set(slot, own ? mergeVectors(own, vector) : vector);
  }
  const asOfMs = a.asOfMs === undefined || b.asOfMs === undefined
    ? a.asOfMs ?? b.asOfMs
    : Math.min(a.asOfMs, b.asOfMs);
  return { slots, asOfMs };
}
