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
 * What does not fit loses the positions of the origins that rank lowest, at the price of a false gap or of a message
 * twice where they still had one to give. `rank` is typically when an origin was last heard of, with Infinity for the serving
 * relay; without it the origins that a slot's map names first go first, which are those heard of first.
 * @throws {RangeError} if it names too many slots to fit at all (about 3000).
 */
export function encodeCursor(cursor: Cursor, rank?: (origin: Origin) => number): string {
  const text = write(cursor);
  return text.length <= MAX_CURSOR_CHARS ? text : write(cut(cursor, rank));
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
  let text = writeVarint(table.size) + [...table.keys()].join("");
  let next = 0;
  let before: readonly number[] = [...table.values()];
  for (const [slot, vector] of ordered) {
    const positions = [...vector].map(([origin, seq]) => ({ index: table.get(origin) ?? 0, seq }));
    positions.sort((a, b) => a.index - b.index);
    const indexes = positions.map(({ index }) => index);
    const same = equal(indexes, before);
    text += writeVarint(2 * (slot - next) + (same ? 1 : 0));
    if (!same) text += writeIndexes(indexes);
    for (const { seq } of positions) text += writeVarint(seq);
    next = slot + 1;
    before = indexes;
  }
  return text;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

function writeIndexes(indexes: readonly number[]): string {
  let text = writeVarint(indexes.length);
  let next = 0;
  for (const index of indexes) {
    text += writeVarint(index - next);
    next = index + 1;
  }
  return text;
}

/** `cursor` without as many positions, lowest rank first, as makes it fit. */
function cut({ slots, asOfMs }: Cursor, rank?: (origin: Origin) => number): Cursor {
  const seen = new Map<Origin, number>();
  for (const vector of slots.values()) {
    for (const origin of vector.keys()) if (!seen.has(origin)) seen.set(origin, seen.size);
  }
  const rankOf = rank ?? ((origin: Origin) => seen.get(origin) ?? 0);
  const victims = [...slots].flatMap(([slot, vector]) =>
    [...vector.keys()].map((origin) => ({ slot, origin, rank: rankOf(origin) }))
  ).sort((a, b) => a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.slot - b.slot);

  const without = (count: number): Cursor => {
    const rest = new Map([...slots].map(([slot, vector]) => [slot, new Map(vector)]));
    for (const { slot, origin } of victims.slice(0, count)) rest.get(slot)?.delete(origin);
    return { slots: rest, asOfMs };
  };
  let low = 1, high = victims.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (write(without(middle)).length <= MAX_CURSOR_CHARS) high = middle;
    else low = middle + 1;
  }
  const fitting = without(high);
  if (write(fitting).length > MAX_CURSOR_CHARS) {
    throw new RangeError(`a cursor of ${slots.size} slots does not fit`);
  }
  return fitting;
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
