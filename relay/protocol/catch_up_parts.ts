/**
 * A catch-up on the wire. It may be as large as a log, and travels in parts.
 *
 * @module
 */
import { isName, MAX_CHANNEL_BYTES } from "./channel.ts";
import { readMessage, writeMessage } from "./codec.ts";
import type { CatchUpFrame } from "./frames.ts";
import { type AgedMessage, type CatchUp, MAX_BEYOND } from "./log/catch_up.ts";
import type { Message, Origin, Range, Seq, Vector } from "./message.ts";
import { add, append, inParts, type Part, type WriteItem } from "./parts.ts";
import { SLOT_COUNT, slotOf } from "./slot.ts";
import { DecodeError, MAX_UINT32, type WireReader, type WireWriter } from "./wire.ts";

/** Encodes a catch-up for the pull named `id`, part by part as they are asked for. */
export function catchUpParts(
  id: number,
  catchUp: CatchUp,
): Generator<Uint8Array<ArrayBuffer>, void> {
  const begin = (writer: WireWriter) => {
    writer.writeVarintField(1, id);
    writer.writeVarintField(2, catchUp.slot);
  };
  return inParts(begin, 3, items(catchUp));
}

/** The items of all lists, each as what writes it. */
function* items(catchUp: CatchUp): Generator<WriteItem, void> {
  yield (writer) => writer.positions(4, catchUp.start);
  for (const entry of catchUp.messages) yield (writer) => writeEntry(writer, 5, entry);
  for (const entry of catchUp.held) yield (writer) => writeEntry(writer, 6, entry);
  for (const range of catchUp.lost) yield (writer) => writeRange(writer, 7, range);
  for (const [channel, floor] of catchUp.floors) {
    yield (writer) => writeFloor(writer, channel, floor);
  }
  yield (writer) => writer.positions(9, catchUp.end);
  yield (writer) => writer.positions(10, catchUp.idleMs);
  for (const range of catchUp.beyond) yield (writer) => writeRange(writer, 11, range);
}

/** Writes an Entry. */
export function writeEntry(
  writer: WireWriter,
  tag: number,
  { message, ageMs, unmet }: AgedMessage,
): void {
  writer.nested(tag, () => {
    writer.nested(1, () => writeMessage(writer, message));
    writer.writeVarintField(2, Math.round(ageMs));
    if (unmet) writer.writeBooleanField(3, true);
  });
}

/** Writes a Range. */
export function writeRange(writer: WireWriter, tag: number, { origin, from, to }: Range): void {
  writer.nested(tag, () => {
    writer.origin(1, origin);
    writer.writeVarintField(2, from);
    writer.writeVarintField(3, to);
  });
}

function writeFloor(writer: WireWriter, channel: string, floor: Vector): void {
  writer.nested(8, () => {
    writer.text(1, channel);
    writer.positions(2, floor);
  });
}

/** One part, or several that were joined. */
export class CatchUpDraft implements Part<CatchUpFrame> {
  id = 0;
  slot = 0;
  /** Another part follows. */
  more = false;
  readonly #start = new Map<Origin, Seq>();
  readonly #messages: AgedMessage[] = [];
  readonly #held: AgedMessage[] = [];
  readonly #lost: Range[] = [];
  readonly #floors = new Map<string, Vector>();
  readonly #end = new Map<Origin, Seq>();
  readonly #idleMs = new Map<Origin, number>();
  readonly #beyond: Range[] = [];

  /** Reads one part. @throws {DecodeError} */
  static read(reader: WireReader): CatchUpDraft {
    const draft = new CatchUpDraft();
    reader.nested((tag) => draft.#field(tag, reader));
    return draft;
  }

  join(part: CatchUpDraft): void {
    this.more = part.more;
    add(this.#start, part.#start);
    append(this.#messages, part.#messages);
    append(this.#held, part.#held);
    append(this.#lost, part.#lost);
    add(this.#floors, part.#floors);
    add(this.#end, part.#end);
    add(this.#idleMs, part.#idleMs);
    append(this.#beyond, part.#beyond);
  }

  /** @throws {DecodeError} if something in it is of another slot, or it names more than is asked for. */
  finish(): CatchUpFrame {
    checkBeyond(this.#beyond);
    for (const { message } of this.#messages) this.#check(message.slot);
    for (const { message } of this.#held) this.#check(message.slot);
    for (const channel of this.#floors.keys()) {
      if (channel === "") continue;
      if (!isName(channel, MAX_CHANNEL_BYTES)) throw new DecodeError("a channel's name is invalid");
      this.#check(slotOf(channel));
    }
    const catchUp = {
      slot: this.slot,
      start: this.#start,
      beyond: this.#beyond,
      messages: this.#messages,
      held: this.#held,
      lost: this.#lost,
      floors: this.#floors,
      end: this.#end,
      idleMs: this.#idleMs,
    };
    return { type: "catch_up", id: this.id, catchUp };
  }

  #check(slot: number): void {
    if (slot !== this.slot) throw new DecodeError("a catch-up has something of another slot");
  }

  #field(tag: number, reader: WireReader): void {
    switch (tag) {
      case 1:
        this.id = reader.uint(MAX_UINT32);
        break;
      case 2:
        this.slot = reader.uint(SLOT_COUNT - 1);
        break;
      case 3:
        this.more = reader.uint(1) === 1;
        break;
      case 4:
        reader.position(this.#start);
        break;
      case 5:
        this.#messages.push(readEntry(reader));
        break;
      case 6:
        this.#held.push(readEntry(reader));
        break;
      case 7:
        this.#lost.push(readRange(reader));
        break;
      case 8:
        add(this.#floors, readFloor(reader));
        break;
      case 9:
        reader.position(this.#end);
        break;
      case 10:
        reader.position(this.#idleMs);
        break;
      case 11:
        this.#beyond.push(readRange(reader));
        break;
    }
  }
}

/** Reads an Entry. */
export function readEntry(reader: WireReader): AgedMessage {
  let message: Message | undefined;
  let ageMs = 0, unmet = false;
  reader.nested((tag) => {
    if (tag === 1) message = readMessage(reader);
    else if (tag === 2) ageMs = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 3) unmet = reader.uint(1) === 1;
  });
  if (!message) throw new DecodeError("an entry has no message");
  return unmet ? { message, ageMs, unmet } : { message, ageMs };
}

/** Reads a Range. */
export function readRange(reader: WireReader): Range {
  let origin: Origin | undefined;
  let from = 0, to = 0;
  reader.nested((tag) => {
    if (tag === 1) origin = reader.origin();
    else if (tag === 2) from = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 3) to = reader.uint(Number.MAX_SAFE_INTEGER);
  });
  if (origin === undefined) throw new DecodeError("a range names no origin");
  if (from < 1 || from > to) throw new DecodeError("a range is empty");
  return { origin, from, to };
}

/** Each range is looked up in a log. @throws {DecodeError} if they are more than anybody tells. */
export function checkBeyond(beyond: readonly Range[]): void {
  if (beyond.length > MAX_BEYOND) throw new DecodeError("it has too much beyond a vector");
}

function readFloor(reader: WireReader): ReadonlyMap<string, Vector> {
  let channel = "";
  const positions = new Map<Origin, Seq>();
  reader.nested((tag) => {
    if (tag === 1) channel = reader.text(MAX_CHANNEL_BYTES);
    else if (tag === 2) reader.position(positions);
  });
  return new Map([[channel, positions]]);
}
