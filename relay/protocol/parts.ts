/**
 * Long lists on the wire: cut into parts, so that no frame is large and others may come in between. The lists of all
 * parts together are the lists of the whole, whichever of them a part brings.
 *
 * @module
 */
import { DecodeError, WireWriter } from "./wire.ts";

/** A part is closed once it has reached this: it takes this and one item at most. */
const PART_BYTES = 256 * 1024;

/** Writes one item of a list. */
export type WriteItem = (writer: WireWriter) => void;

/**
 * Encodes items part by part, as they are asked for.
 * @param begin writes what each part begins with, and `more` where another follows.
 */
export function* inParts(
  begin: (writer: WireWriter) => void,
  moreTag: number,
  items: Iterable<WriteItem>,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const part = () => {
    const writer = new WireWriter();
    begin(writer);
    return writer;
  };
  let writer = part();
  for (const write of items) {
    if (writer.pos >= PART_BYTES) {
      writer.writeBooleanField(moreTag, true);
      yield writer.bytes();
      writer = part();
    }
    write(writer);
  }
  yield writer.bytes();
}

/** What was read of a whole so far: one part, or several that were joined. */
export interface Part<Whole> {
  readonly id: number;
  /** Another part follows. */
  readonly more: boolean;
  /** Adds the part that follows. @throws {DecodeError} if it brings again what may be there once. */
  join(part: this): void;
  /** The whole, checked. @throws {DecodeError} */
  finish(): Whole;
}

/** Adds a part's list. */
export function append<T>(into: T[], from: readonly T[]): void {
  for (const item of from) into.push(item);
}

/** Moves what `from` names into `into`, which must not name it yet. */
export function add<K, V>(into: Map<K, V>, from: ReadonlyMap<K, V>): void {
  for (const [key, value] of from) {
    if (into.has(key)) throw new DecodeError("something is named twice");
    into.set(key, value);
  }
}
