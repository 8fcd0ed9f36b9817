/**
 * The cursor: where a reader stands, as text that any relay can resume from (DESIGN "Log, cursor, reader").
 *
 * The text is a version character and then, without separators, numbers as {@link writeVarint} writes them and origins
 * as they are:
 *
 *     "1"                          asOf  origin count  origins  slot*
 *     "2"  cut count  cut origins  asOf  origin count  origins  slot*
 *
 * `asOf` is minutes since 2025-01-01 plus one, or 0. A slot is `2 × (slots skipped since the last one) + same`; then,
 * where `same` is 0, the number of its origins and each one's index as what was skipped since the last one; then the
 * seq of each. `same` says that the origins are those of the slot before, for the first slot all of them. So a cursor of
 * one slot and one origin is about 20 characters, and each further slot of the same relays costs 1 to 2 and its seqs.
 *
 * A cursor of many slots and many origins does not fit: positions are left out then, and whose they were is said, by 8
 * characters an origin instead of 1 or 2 for each slot. Who resumes from such a cursor gets nothing of these origins that is
 * there already, where something is a gap first, and what comes from then on: too little and a word, but nothing twice; unless
 * it had elsewhere what no relay in view has, and what comes back with its relay.
 *
 * @module
 */
import { ORIGIN_CHARS } from "./base64url.ts";
import { GroundwaveError } from "./errors.ts";
import { type Origin, parseMessageId, type Seq, type Vector } from "./message.ts";
import { SLOT_COUNT } from "./slot.ts";
import { VarintReader, writeVarint } from "./varint.ts";
import { mergeVectors, NOBODY } from "./vector.ts";

/** A place in each of some slots. A slot that is absent is at 0 for every origin. */
export interface Cursor {
  /** By slot, 0 to 16383. */
  readonly slots: ReadonlyMap<number, Vector>;
  /** Wall-clock milliseconds at which the relay that wrote it was in sync; whole minutes in text. */
  readonly asOfMs: number | undefined;
  /**
   * Whose positions were left out, longest gone first: such an origin is not at 0 but anywhere, in each of `slots` that does
   * not name it. Absent: nobody's.
   */
  readonly cut?: ReadonlySet<Origin> | undefined;
}

/** Characters of a cursor at most. */
export const MAX_CURSOR_CHARS = 6 * 1024;

/** Characters that {@link parseCursor} takes: of a cursor and of the ids that came after it. */
export const MAX_CURSOR_TEXT_CHARS = 8 * 1024;

/** Cursors and ids that {@link parseCursor} takes at once. */
export const MAX_CURSOR_TOKENS = 64;

/** Origins whose positions were left out; of more, the longest gone seem to be at 0: what is retained of them comes again. */
export const MAX_CUT_ORIGINS = 256;

/** What is left of a cursor that was cut may be so much shorter than it could be; nor is that tried more often. */
const SLACK_CHARS = 128, CUT_STEPS = 12;

const WHOLE = "1", CUT = "2";
const MINUTE_MS = 60_000;
const EPOCH_MINUTE = 28_928_160; // 2025-01-01T00:00Z
const MAX_MINUTE = 2 ** 32;

/** The origins that are anywhere in a slot, because their positions were left out. */
export function cutIn({ slots, cut = NOBODY }: Cursor, slot: number): ReadonlySet<Origin> {
  const vector = slots.get(slot);
  if (!vector || cut.size === 0) return NOBODY;
  return new Set([...cut].filter((origin) => !vector.has(origin)));
}

/**
 * The text of a cursor, at most {@link MAX_CURSOR_CHARS} characters.
 *
 * What does not fit loses the positions of some origins, and says so. Those go first that are named first where most are
 * named: heard of first, or not heard of for longest when their log was fetched. But the very first is the serving relay's
 * own, by the order in which logs name origins, and goes last.
 * @throws {RangeError} if it names too many slots to fit at all (about 2000).
 */
export function encodeCursor(cursor: Cursor): string {
  const text = write(cursor);
  return text.length <= MAX_CURSOR_CHARS ? text : writeCut(cursor, text.length);
}

function write({ slots, asOfMs, cut = NOBODY }: Cursor): string {
  const head = cut.size === 0 ? WHOLE : CUT + writeOrigins([...cut].slice(-MAX_CUT_ORIGINS));
  const asOf = writeVarint(asOfMs === undefined ? 0 : minuteOf(asOfMs) + 1);
  return head + asOf + (slots.size === 1 ? writeSlot(slots) : writeSlots(slots));
}

function writeOrigins(origins: readonly Origin[]): string {
  return writeVarint(origins.length) + origins.join("");
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
  const ordered = inOrder(slots), table = originsOf(ordered);
  let text = writeOrigins(table);
  let next = 0;
  let before = table;
  for (const [slot, vector] of ordered) {
    const same = before.length === vector.size && before.every((origin) => vector.has(origin));
    text += writeVarint(2 * (slot - next) + (same ? 1 : 0));
    if (!same) {
      before = table.filter((origin) => vector.has(origin));
      text += writeIndexes(before, table);
    }
    for (const origin of before) text += writeVarint(vector.get(origin) ?? 0);
    next = slot + 1;
  }
  return text;
}

function inOrder(slots: ReadonlyMap<number, Vector>): [number, Vector][] {
  return [...slots].sort(([a], [b]) => a - b);
}

/** As the slots name them first. */
function originsOf(slots: Iterable<readonly [number, Vector]>): readonly Origin[] {
  const origins = new Set<Origin>();
  for (const [, vector] of slots) for (const origin of vector.keys()) origins.add(origin);
  return [...origins];
}

/** Where in `table` these are, which are some of it and in its order. */
function writeIndexes(origins: readonly Origin[], table: readonly Origin[]): string {
  let text = writeVarint(origins.length);
  let next = 0;
  for (const origin of origins) {
    const index = table.indexOf(origin, next);
    text += writeVarint(index - next);
    next = index + 1;
  }
  return text;
}

/** The text of `cursor` without about the fewest positions that make it fit; `length` is what it takes with all. */
function writeCut(cursor: Cursor, length: number): string {
  const { positions, without } = cuttable(cursor);
  let few = 0, tooLong = length, enough = positions, text = without(enough);
  if (text.length > MAX_CURSOR_CHARS) {
    throw new RangeError(`a cursor of ${cursor.slots.size} slots does not fit`);
  }
  for (let step = 0; step < CUT_STEPS && text.length < MAX_CURSOR_CHARS - SLACK_CHARS; step++) {
    // Each position takes about as much as another.
    const share = (tooLong - MAX_CURSOR_CHARS + SLACK_CHARS / 2) / (tooLong - text.length);
    const count = few + Math.ceil(share * (enough - few));
    if (count >= enough) break;
    const other = without(count);
    if (other.length > MAX_CURSOR_CHARS) [few, tooLong] = [count, other.length];
    else [enough, text] = [count, other];
  }
  return text;
}

/** How many positions a cursor may have, and its text without so many of them, in the order in which they may go. */
function cuttable({ slots, asOfMs, cut = NOBODY }: Cursor) {
  const ordered = inOrder(slots);
  const [own, ...others] = originsOf(ordered.toSorted(([, a], [, b]) => b.size - a.size));
  const victims = own === undefined ? others : [...others, own];
  const ranks = new Map(victims.map((origin, rank) => [origin, rank * ordered.length]));
  const without = (count: number) => {
    const rest = ordered.map(([slot, vector], at) => {
      const kept = new Map<Origin, Seq>();
      for (const [origin, seq] of vector) {
        if ((ranks.get(origin) ?? 0) + at >= count) kept.set(origin, seq);
      }
      return [slot, kept] as const;
    });
    const gone = victims.slice(0, Math.ceil(count / ordered.length));
    return write({ slots: new Map(rest), asOfMs, cut: new Set([...cut, ...gone]) });
  };
  return { positions: victims.length * ordered.length, without };
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
  const [version] = token;
  if (version !== WHOLE && version !== CUT) throw invalid("its version is unknown");
  try {
    return read(new VarintReader(token, version.length), version);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "it is garbled", cause);
  }
}

function invalid(why: string, cause?: unknown): GroundwaveError {
  return new GroundwaveError("cursor_invalid", `not a cursor or message id: ${why}`, { cause });
}

function read(reader: VarintReader, version: string): Cursor {
  const cut = version === CUT ? readTable(reader, MAX_CUT_ORIGINS) : [];
  const asOf = reader.varint(MAX_MINUTE);
  const origins = readTable(reader, MAX_CURSOR_CHARS);
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
  const asOfMs = asOf === 0 ? undefined : (EPOCH_MINUTE + asOf - 1) * MINUTE_MS;
  return cursorOf(slots, asOfMs, cut);
}

function cursorOf(
  slots: Cursor["slots"],
  asOfMs: Cursor["asOfMs"],
  cut: readonly Origin[],
): Cursor {
  return cut.length > 0 ? { slots, asOfMs, cut: new Set(cut) } : { slots, asOfMs };
}

function readTable(reader: VarintReader, most: number): readonly Origin[] {
  const origins: Origin[] = [];
  for (let left = reader.varint(most); left > 0; left--) origins.push(reader.digits(ORIGIN_CHARS));
  if (new Set(origins).size < origins.length) throw new RangeError("it names an origin twice");
  return origins;
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

/** The smallest cursor that covers both, as old as the older one. What one names counts, though the other had to leave it out. */
export function mergeCursors(a: Cursor, b: Cursor): Cursor {
  const slots = new Map(a.slots);
  for (const [slot, vector] of b.slots) {
    const own = slots.get(slot);
    slots.set(slot, own ? mergeVectors(own, vector) : vector);
  }
  const asOfMs = a.asOfMs === undefined || b.asOfMs === undefined
    ? a.asOfMs ?? b.asOfMs
    : Math.min(a.asOfMs, b.asOfMs);
  return cursorOf(slots, asOfMs, [...a.cut ?? NOBODY, ...b.cut ?? NOBODY]);
}
