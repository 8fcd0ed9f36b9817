/**
 * A client of slot logs, who moves between them and judges what it gets by what was published.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cutIn, parseCursor } from "../../relay/protocol/cursor.ts";
import type { Reader } from "../../relay/protocol/log/reader.ts";
import type { Message, Origin, Range, Seq, Vector } from "../../relay/protocol/message.ts";
import type { GapEvent, StreamEvent } from "../../relay/protocol/upstream.ts";
import type { Twin } from "./log_world.ts";
import { at, key, type NaiveReader, positions } from "./naive_log.ts";
import { SLOT } from "./slot_log.ts";

/** One who follows channels over changing readers. */
export class Client {
  readonly channels: readonly string[];
  readonly got = new Set<string>();
  readonly gaps: GapEvent[] = [];
  cursor = "";
  /** What was there before it came is not its concern. */
  since: Vector = new Map();
  twin: Twin | undefined;
  /** Retained when it came from the start. */
  readonly #concerns = new Set<string>();
  /** How many there were when it opened its reader. */
  #gapsBefore = 0;
  #reader: Reader | undefined;
  #naive: NaiveReader | undefined;
  #got: string[] = [];
  #room = 0;
  #failure: unknown;
  readonly #published: ReadonlyMap<string, Message>;
  readonly #excused: ReadonlySet<string>;
  readonly #lastOf = new Map<Origin, Seq>();

  constructor(
    channels: readonly string[],
    published: ReadonlyMap<string, Message>,
    excused: ReadonlySet<string>,
  ) {
    this.channels = channels;
    this.#published = published;
    this.#excused = excused;
  }

  /** @param isCut whether its cursor has lost an origin. */
  open(
    twin: Twin,
    start: "live" | "earliest" | "cursor",
    nowMs: number,
    isCut = (_: Origin) => false,
  ): void {
    const cursor = start === "cursor" ? parseCursor(this.cursor) : undefined;
    const place = [...cursor?.slots.get(SLOT) ?? []];
    const lost = place.flatMap(([origin]) => isCut(origin) ? [origin] : []);
    const cut = new Set([...cursor ? cutIn(cursor, SLOT) : [], ...lost]);
    const from = start === "cursor" ? new Map(place.filter(([origin]) => !cut.has(origin))) : start;
    twin.naive.tick(nowMs);
    twin.log.tick(nowMs);
    this.twin = twin;
    this.#got = [];
    this.#room = 0;
    this.#gapsBefore = this.gaps.length;
    this.#naive = twin.naive.open(this.channels, from, cut);
    const sink = (event: StreamEvent) => this.#judged(event);
    const options = { sink, asOfMs: cursor?.asOfMs, cut };
    this.#reader = twin.log.open(this.channels, from, nowMs, options);
    if (start === "live") this.since = new Map(this.#reader.position());
    if (start === "earliest") {
      // What is retained is its concern, what was dropped or never came is not.
      for (const id of twin.naive.retained(new Map())) this.#concerns.add(id);
      this.since = new Map(twin.log.vector);
    }
    if (start !== "cursor") assert.equal(this.#reader.recovered, true);
    this.cursor = this.#reader.cursor();
  }

  resume(room: number): void {
    if (!this.#reader || !this.#naive) return;
    this.#room = this.#naive.room = room;
    this.#reader.resume();
    if (!this.#reader.recovered) {
      assert.ok(this.gaps.length > this.#gapsBefore, "a gap was promised");
    }
    this.#naive.read();
  }

  pause(): void {
    if (!this.#reader || !this.#naive) return;
    this.#reader.pause();
    this.#room = this.#naive.room = 0;
  }

  close(): void {
    if (!this.#reader || !this.#naive) return;
    this.cursor = this.#reader.cursor();
    this.#reader.close();
    this.twin?.naive.close(this.#naive);
    this.twin = this.#reader = this.#naive = undefined;
  }

  /** What it got of this reader is what the naive one got. */
  compare(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#naive) assert.deepEqual(this.#got, this.#naive.got, "stream");
  }

  /** Everything of its concern came or was announced as missing. */
  judge(): void {
    for (const [id, message] of this.#published) {
      if (!this.#wants(message) || this.got.has(id) || this.#isExcused(message)) continue;
      // What no log has ever heard of is nobody's to give.
      if (message.seq > (this.twin?.naive.seqOf(message.origin) ?? 0)) continue;
      assert.fail(`${id} in ${message.channel} neither came nor was announced`);
    }
  }

  /** A log closes the reader of a sink that throws: what is found here is thrown by {@link compare}. */
  #judged(event: StreamEvent): boolean {
    try {
      return this.#take(event);
    } catch (cause) {
      this.#failure ??= cause;
      return true;
    }
  }

  #take(event: StreamEvent): boolean {
    assert.ok(event.type === "message" || event.type === "gap");
    this.cursor = event.cursor;
    assert.deepEqual(
      sorted(parseCursor(event.cursor).slots.get(SLOT) ?? new Map()),
      sorted(this.#reader?.position() ?? new Map()),
      "cursor and position",
    );
    if (event.type === "gap") {
      assert.ok(this.channels.includes(event.channel));
      this.gaps.push(event);
      if (event.reason === "expired" || event.reason === "lagged") this.#checkDropped(event);
      return true;
    }
    const { message } = event;
    const id = key(message);
    assert.ok(this.#room > 0, `${id} came to a paused reader`);
    assert.ok(this.channels.includes(message.channel), `${id} of ${message.channel}`);
    assert.ok(!this.got.has(id), `${id} came twice`);
    assert.ok(message.seq > (this.#lastOf.get(message.origin) ?? 0), `${id} out of order`);
    this.#checkAfter(message);
    this.#lastOf.set(message.origin, message.seq);
    this.got.add(id);
    this.#got.push(id);
    return --this.#room > 0;
  }

  /** A gap over dropped messages names one that it wants and that is not here. */
  #checkDropped({ channel, missing, reason }: GapEvent): void {
    const retained = new Set(this.twin?.naive.retained(new Map()));
    for (const range of missing) {
      const isReal = positions([range]).some((id) => {
        if (this.#excused.has(id)) return true;
        return this.#published.get(id)?.channel === channel && !this.got.has(id) &&
          !retained.has(id);
      });
      assert.ok(isReal, `false gap ${reason} in ${channel}: ${JSON.stringify(range)}`);
    }
  }

  #checkAfter(message: Message): void {
    for (const [origin, upTo] of message.after ?? []) {
      for (let seq = 1; seq <= upTo; seq++) {
        const before = this.#published.get(at(origin, seq));
        if (!before || !this.#wants(before) || this.got.has(key(before))) continue;
        assert.ok(this.#isExcused(before), `${key(message)} came without ${key(before)}`);
      }
    }
  }

  #wants(message: Message): boolean {
    if (!this.channels.includes(message.channel)) return false;
    return message.seq > (this.since.get(message.origin) ?? 0) || this.#concerns.has(key(message));
  }

  #isExcused({ channel, origin, seq }: Message): boolean {
    return this.gaps.some((gap) =>
      gap.channel === channel && gap.missing.some((r) => isIn(r, origin, seq))
    );
  }
}

function isIn(range: Range, origin: Origin, seq: Seq): boolean {
  return range.origin === origin && range.from <= seq && seq <= range.to;
}

/** A vector without its zeros, in one order. */
export function sorted(vector: Vector): [Origin, Seq][] {
  return [...vector].filter(([, seq]) => seq > 0).sort(([a], [b]) => a < b ? -1 : 1);
}
