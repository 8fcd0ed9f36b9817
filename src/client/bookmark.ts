/**
 * Where a client stands on a channel: the cursor to go on from, and what it must not be given again.
 *
 * @module
 */
import { type Cursor, cutIn, encodeCursor, parseCursor } from "../../relay/protocol/cursor.ts";
import { type Origin, parseMessageId, type Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { NOBODY } from "../../relay/protocol/vector.ts";

/** Origins remembered against repetition. A relay draws a new one at each start, so a page sees few in its life. */
const MAX_ORIGINS = 1000;

/**
 * The place of one reader in the slot of its channel.
 *
 * Two things are kept apart. The *cursor* is the relay's word plus the messages since; a gap replaces it, and may take
 * origins out that nobody knows any more. What was *seen* only grows: however a reconnect or another transport rewinds
 * the stream, no message is taken twice. Where the relay had to leave a position out, what was seen tells it.
 */
export class Bookmark {
  readonly slot: number;
  readonly #seen = new Map<Origin, Seq>();
  #vector: Map<Origin, Seq> | undefined;
  #cut = NOBODY;
  #asOfMs: number | undefined;

  constructor(channel: string) {
    this.slot = slotOf(channel);
  }

  /** The cursor, as soon as a relay has named one. */
  get cursor(): Cursor | undefined {
    if (!this.#vector) return undefined;
    return { slots: new Map([[this.slot, this.#vector]]), asOfMs: this.#asOfMs, cut: this.#cut };
  }

  /** The cursor as text, for `after`. */
  get text(): string | undefined {
    const cursor = this.cursor;
    return cursor && encodeCursor(cursor);
  }

  /** Marks what `text` covers as seen: where the caller says it has been before. @throws {GroundwaveError} `cursor_invalid`. */
  skip(text: string): void {
    for (const [origin, seq] of parseCursor(text).slots.get(this.slot) ?? []) {
      this.#see(origin, seq);
    }
  }

  /** Puts the relay's cursor in place of this one. */
  replace(text: string): void {
    const cursor = parseCursor(text), vector = cursor.slots.get(this.slot);
    if (!vector) return;
    const cut = cutIn(cursor, this.slot), origins = [...vector.keys()];
    // In the relay's order: its own, then those who are gone for longest.
    origins.splice(1, 0, ...cut);
    const next = new Map<Origin, Seq>();
    for (const origin of origins) {
      const seq = vector.get(origin) ?? this.#seen.get(origin);
      if (seq !== undefined) next.set(origin, this.#see(origin, seq));
    }
    this.#vector = next;
    this.#cut = new Set([...cut].filter((origin) => !next.has(origin)));
    this.#asOfMs = cursor.asOfMs;
  }

  /** Takes the message of this id. False: it is covered already. */
  take(id: string): boolean {
    const at = parseMessageId(id);
    if (!at || at.slot !== this.slot) return true;
    if ((this.#seen.get(at.origin) ?? 0) >= at.seq) return false;
    this.#vector?.set(at.origin, this.#see(at.origin, at.seq));
    return true;
  }

  /** Raises what was seen of `origin`; answers the highest. */
  #see(origin: Origin, seq: Seq): Seq {
    const highest = Math.max(seq, this.#seen.get(origin) ?? 0);
    this.#seen.delete(origin);
    this.#seen.set(origin, highest);
    if (this.#seen.size > MAX_ORIGINS) {
      for (const oldest of this.#seen.keys()) return this.#seen.delete(oldest), highest;
    }
    return highest;
  }
}

/**
 * The one cursor from which a stream of several places misses nothing: per slot and origin the lowest. What it repeats
 * for the places ahead, {@link Bookmark.take} drops.
 */
export function meet(cursors: readonly Cursor[]): Cursor {
  const slots = new Map<number, Map<Origin, Seq>>(), cut = new Set<Origin>();
  let asOfMs: number | undefined;
  for (const cursor of cursors) {
    for (const [slot, vector] of cursor.slots) {
      const other = slots.get(slot);
      slots.set(slot, other ? lowest(vector, other) : new Map(vector));
    }
    if (cursor.asOfMs !== undefined) asOfMs = Math.min(cursor.asOfMs, asOfMs ?? Infinity);
  }
  for (const cursor of cursors) {
    for (const slot of cursor.slots.keys()) {
      for (const origin of cutIn(cursor, slot)) {
        cut.add(origin);
        slots.get(slot)?.delete(origin);
      }
    }
  }
  return { slots, asOfMs, cut };
}

/** An origin that is absent is at 0, and stays named so: the cursor must not seem to know less than it does. */
function lowest(a: ReadonlyMap<Origin, Seq>, b: ReadonlyMap<Origin, Seq>): Map<Origin, Seq> {
  const low = new Map<Origin, Seq>();
  for (const origin of new Set([...a.keys(), ...b.keys()])) {
    low.set(origin, Math.min(a.get(origin) ?? 0, b.get(origin) ?? 0));
  }
  return low;
}
