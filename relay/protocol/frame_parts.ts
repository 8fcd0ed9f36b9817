/**
 * The bodies of frames that may come in parts, but for catch-ups.
 *
 * @module
 */
import { checkBeyond, readEntry, readRange } from "./catch_up_parts.ts";
import { readId } from "./frame_bodies.ts";
import type { DigestEntry, DigestFrame, Pull, Push } from "./frames.ts";
import type { AgedMessage, Standing } from "./log/catch_up.ts";
import type { Origin, Range, Seq } from "./message.ts";
import { add, append, type Part } from "./parts.ts";
import { SLOT_COUNT } from "./slot.ts";
import { DecodeError, MAX_GROUP, type WireReader } from "./wire.ts";

/** A Pull, or parts of one. */
export class PullDraft implements Part<Pull> {
  id = 0;
  more = false;
  readonly #groups: number[] = [];
  readonly #slots = new Map<number, Standing>();

  /** Reads one part. @throws {DecodeError} */
  static read(reader: WireReader): PullDraft {
    const draft = new PullDraft();
    draft.id = readId(reader, (tag) => {
      if (tag === 2) draft.#place(reader);
      else if (tag === 3) reader.uints(MAX_GROUP, draft.#groups);
      else if (tag === 4) draft.more = reader.uint(1) === 1;
    });
    return draft;
  }

  join(part: PullDraft): void {
    this.more = part.more;
    append(this.#groups, part.#groups);
    add(this.#slots, part.#slots);
  }

  finish(): Pull {
    return { type: "pull", id: this.id, groups: this.#groups, slots: this.#slots };
  }

  #place(reader: WireReader): void {
    const { slot, vector, ranges } = readPlace(reader);
    checkBeyond(ranges);
    add(this.#slots, new Map([[slot, { vector, beyond: ranges }]]));
  }
}

/** A Digest, or parts of one. */
export class DigestDraft implements Part<DigestFrame> {
  id = 0;
  more = false;
  readonly #groups: number[] = [];
  readonly #entries: DigestEntry[] = [];
  readonly #equal: number[] = [];

  /** Reads one part. @throws {DecodeError} */
  static read(reader: WireReader): DigestDraft {
    const draft = new DigestDraft();
    draft.id = readId(reader, (tag) => {
      if (tag === 2) draft.more = reader.uint(1) === 1;
      else if (tag === 3) draft.#entries.push(readDigestEntry(reader));
      else if (tag === 4) reader.uints(MAX_GROUP, draft.#groups);
      else if (tag === 5) reader.uints(SLOT_COUNT - 1, draft.#equal);
    });
    return draft;
  }

  join(part: DigestDraft): void {
    this.more = part.more;
    append(this.#groups, part.#groups);
    append(this.#entries, part.#entries);
    append(this.#equal, part.#equal);
  }

  finish(): DigestFrame {
    const groups = this.#groups, entries = this.#entries, equal = this.#equal;
    if (new Set(entries.map(({ slot }) => slot)).size < entries.length) {
      throw new DecodeError("a slot is named twice");
    }
    return { type: "digest", id: this.id, digest: { groups, entries, equal } };
  }
}

function readDigestEntry(reader: WireReader): DigestEntry {
  const { slot, vector, ranges } = readPlace(reader);
  return { slot, vector, lost: ranges };
}

/** Reads a Place or a DigestEntry. */
function readPlace(reader: WireReader) {
  let slot = 0;
  const vector = new Map<Origin, Seq>(), ranges: Range[] = [];
  reader.nested((tag) => {
    if (tag === 1) slot = reader.uint(SLOT_COUNT - 1);
    else if (tag === 2) reader.position(vector);
    else if (tag === 3) ranges.push(readRange(reader));
  });
  return { slot, vector, ranges };
}

/** A Push, or parts of one. */
export class PushDraft implements Part<Push> {
  id = 0;
  more = false;
  readonly #messages: AgedMessage[] = [];

  /** Reads one part. @throws {DecodeError} */
  static read(reader: WireReader): PushDraft {
    const draft = new PushDraft();
    draft.id = readId(reader, (tag) => {
      if (tag === 2) draft.more = reader.uint(1) === 1;
      else if (tag === 3) draft.#messages.push(readEntry(reader));
    });
    return draft;
  }

  join(part: PushDraft): void {
    this.more = part.more;
    append(this.#messages, part.#messages);
  }

  finish(): Push {
    return { type: "push", id: this.id, messages: this.#messages };
  }
}
