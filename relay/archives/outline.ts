/**
 * From a log to its outline, all of it but the messages, and back: with the messages it is a catch-up from nothing, which a
 * log takes as it takes a peer's.
 *
 * @module
 */
import { concat } from "../protocol/bytes.ts";
import { decodeMessage } from "../protocol/codec.ts";
import { FrameReader } from "../protocol/frame_reader.ts";
import { encodeFrame } from "../protocol/frame_writer.ts";
import type { AgedMessage, CatchUp } from "../protocol/log/catch_up.ts";
import { RangeSets } from "../protocol/log/range_set.ts";
import type { Message, Origin, Range, Seq, Vector } from "../protocol/message.ts";
import { covers, mergeVectors, NOWHERE, raise } from "../protocol/vector.ts";
import { DecodeError } from "../protocol/wire.ts";
import type { KeptSlot } from "./archive_store.ts";

/** An outline as bytes: the frames of a catch-up. */
export function encodeOutline(outline: CatchUp): Uint8Array<ArrayBuffer> {
  return concat([...encodeFrame({ type: "catch_up", id: 0, catchUp: outline })]);
}

/**
 * What a slot's log held when its copy was written last, `awayMs` ago. Ages of messages count by the archive's clock, which
 * shows `keptMs` now, and those of origins by the wall's: what was kept while nobody ran is kept on, and a day is a day.
 * @throws {DecodeError} if the copy is damaged.
 */
export function restore(kept: KeptSlot, keptMs: number, awayMs: number): CatchUp {
  const outline = decodeOutline(kept);
  const messages = kept.messages.map(({ bytes, atMs }): AgedMessage => {
    const message = decodeMessage(bytes);
    if (message.slot !== kept.slot) throw new DecodeError("a message is of another slot");
    return { message, ageMs: Math.max(0, keptMs - atMs) };
  });
  const end = mergeVectors(outline?.end ?? NOWHERE, kept.vector);
  // What the copy has not nobody may have any more.
  const isUnmet = ({ after }: Message) => after !== undefined && !covers(end, after);
  return {
    slot: kept.slot,
    start: NOWHERE,
    beyond: [],
    messages: messages.map((aged) => isUnmet(aged.message) ? { ...aged, unmet: true } : aged),
    held: [],
    lost: outline?.lost ?? [],
    floors: explain(outline, messages, end),
    end,
    idleMs: new Map([...end.keys()].map((origin) => [
      origin,
      (outline?.idleMs.get(origin) ?? 0) + awayMs,
    ])),
  };
}

/** What the copy of a slot lacks as lost. @throws {DecodeError} if it is damaged. */
export function lostOf(kept: Pick<KeptSlot, "slot" | "outline">): readonly Range[] {
  return decodeOutline(kept)?.lost ?? [];
}

/**
 * The floors of the outline, raised over what is missing and above all of them: nobody knows any more whose it was, so
 * everybody is told of a gap. It was never written, or it was dropped by a relay whose outline another's has replaced.
 */
function explain(
  outline: CatchUp | undefined,
  messages: readonly AgedMessage[],
  end: Vector,
): ReadonlyMap<string, Vector> {
  const missing = new Map<Origin, Seq>();
  const present = Map.groupBy(messages, ({ message }) => message.origin);
  const floors = new Map([...outline?.floors ?? []].map(([name, floor]) => [name, new Map(floor)]));
  const dropped = new Map<Origin, Seq>();
  for (const floor of floors.values()) raise(dropped, floor);
  const lost = new RangeSets();
  for (const { origin, from, to } of outline?.lost ?? []) lost.add(origin, from, to);
  for (const [origin, last] of end) {
    const seqs = new Set(present.get(origin)?.map(({ message }) => message.seq));
    const floor = dropped.get(origin) ?? 0;
    let seq = last;
    while (seq > floor && (seqs.has(seq) || lost.of(origin)?.has(seq))) seq--;
    if (seq > floor) missing.set(origin, seq);
  }
  if (missing.size === 0) return floors;
  if (!floors.has("")) floors.set("", new Map());
  for (const floor of floors.values()) raise(floor, missing);
  return floors;
}

function decodeOutline({ slot, outline }: Pick<KeptSlot, "slot" | "outline">): CatchUp | undefined {
  if (!outline) return undefined;
  for (const frame of new FrameReader().push(outline)) {
    if (frame.type === "catch_up" && frame.catchUp.slot === slot) return frame.catchUp;
  }
  throw new DecodeError("an outline is cut off or of another slot");
}
