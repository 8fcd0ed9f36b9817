/**
 * An upstream without a relay: one origin, everything in memory, and handles to make happen what a relay seldom does.
 *
 * @module
 */
import { type Cursor, cutIn, encodeCursor } from "../../relay/protocol/cursor.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Message, messageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import {
  type Draft,
  type GapEvent,
  type MessageEvent,
  type Metric,
  type Outcome,
  outcomeOf,
  type Page,
  type Published,
  type Readiness,
  type ReadRequest,
  type Sink,
  type StreamEvent,
  type SubscribeRequest,
  type Subscription,
  type Upstream,
} from "../../relay/protocol/upstream.ts";
import { MemoryReader } from "./memory_reader.ts";

const ORIGIN = "memory00";
const AS_OF_MS = Date.UTC(2026, 0, 1);
const START_MS = 1_700_000_000_000;

export class MemoryUpstream implements Upstream {
  readonly node = { id: "memory", origin: ORIGIN, region: "local" };
  /** What `/readyz` shows. */
  readinessNow: Readiness = { ready: true, reasons: [], notes: [] };
  /** Awaited by each publish before it takes effect, and by each subscribe before it resolves. */
  gate: Promise<void> | undefined;
  /** What every publish fails with. */
  publishError: Error | undefined;
  readonly #log: Message[] = [];
  readonly #readers = new Map<string, Set<MemoryReader>>();
  readonly #seqs = new Map<number, number>();
  readonly #lost = new Set<Message>();
  readonly #shared = new WeakMap<Message, MessageEvent>();
  /** Messages below this place are forgotten; `#floors` are their highest seqs by slot. */
  #base = 0;
  #drained: GroundwaveError | undefined;
  #floors = new Map<number, number>();

  /** How many subscriptions are open. */
  get subscriptions(): number {
    return new Set([...this.#readers.values()].flatMap((readers) => [...readers])).size;
  }

  async publish(draft: Draft): Promise<Published> {
    if (this.#drained) throw this.#drained;
    if (this.publishError) throw this.publishError;
    if (draft.ack === "replicated") {
      throw new GroundwaveError("not_replicated", "there is no other relay");
    }
    if (draft.ack === "archived") throw new GroundwaveError("not_archived", "there is no archive");
    const message = this.#keyed(draft) ?? this.#append(draft);
    if (this.gate) await this.gate;
    return { id: messageId(message), channel: draft.channel, ack: "accepted" };
  }

  publishAll(drafts: readonly Draft[]): Promise<Outcome[]> {
    return Promise.all(drafts.map((draft) => outcomeOf(this.publish(draft))));
  }

  async subscribe({ channels, start }: SubscribeRequest, sink: Sink): Promise<Subscription> {
    if (this.gate) await this.gate;
    if (this.#drained) throw this.#drained;
    const reader = new MemoryReader(this, channels, sink);
    this.#place(reader, start);
    for (const channel of channels) {
      const readers = this.#readers.get(channel) ?? new Set();
      this.#readers.set(channel, readers.add(reader));
    }
    return reader;
  }

  async read({ limit, ...request }: ReadRequest): Promise<Page> {
    const events: StreamEvent[] = [];
    let messages = 0;
    const subscription = await this.subscribe(request, {
      event(event) {
        events.push(event);
        if (event.type === "message") messages++;
        return messages < limit;
      },
      closed() {},
    });
    subscription.resume();
    const cursor = subscription.cursor();
    subscription.close();
    return { events, cursor };
  }

  readiness(): Readiness {
    return this.readinessNow;
  }

  metrics(): readonly Metric[] {
    return [{
      name: "groundwave_memory_messages",
      help: "Messages held.",
      type: "gauge",
      value: this.#log.length - this.#base,
      labels: { quoted: 'a"b\\c' },
    }];
  }

  /** Gives the readers of its channel an event of the relay's own. */
  emit(event: { type: "stale" | "fresh"; channel: string } | Omit<GapEvent, "cursor">): void {
    for (const reader of this.#readers.get(event.channel) ?? []) reader.push(event);
  }

  /** Makes a message already published a hole that everybody has, announced as lost to whoever comes past it. */
  lose(id: string): void {
    const index = this.#log.findIndex((message) => messageId(message) === id);
    const message = this.#log[index];
    if (message) this.#lost.add(message);
  }

  isLost(message: Message): boolean {
    return this.#lost.has(message);
  }

  /** Ends every subscription from the relay's side. */
  closeAll(error: GroundwaveError): void {
    for (const readers of [...this.#readers.values()]) {
      for (const reader of [...readers]) {
        reader.close();
        reader.sink.closed(error);
      }
    }
  }

  /** Ends every subscription, and refuses whatever comes. */
  drain(error: GroundwaveError): void {
    this.#drained = error;
    this.readinessNow = { ready: false, reasons: ["draining"], notes: [] };
    this.closeAll(error);
  }

  /** Forgets all messages held, as if they had expired. */
  forget(): void {
    this.#base = this.#log.length;
    this.#floors = new Map(this.#seqs);
  }

  leave(reader: MemoryReader): void {
    for (const channel of reader.channels) {
      const readers = this.#readers.get(channel);
      readers?.delete(reader);
      if (readers?.size === 0) this.#readers.delete(channel);
    }
  }

  at(index: number): Message | undefined {
    return this.#log[index];
  }

  /** The cursor of a reader of these slots that stands before `index`, or where it was before. */
  cursorAt(slots: readonly number[], index: number, before: ReadonlyMap<number, number>): string {
    const vectors = slots.map((slot) => {
      const seq = Math.max(this.#seqAt(slot, index), before.get(slot) ?? 0);
      return [slot, new Map([[ORIGIN, seq]])] as const;
    });
    return encodeCursor({ slots: new Map(vectors), asOfMs: AS_OF_MS });
  }

  /** One object for all readers of one slot, since with one origin they all stand at the same place. */
  sharedEvent(message: Message): MessageEvent {
    let event = this.#shared.get(message);
    if (!event) {
      const slots = new Map([[message.slot, new Map([[ORIGIN, message.seq]])]]);
      event = { type: "message", message, cursor: encodeCursor({ slots, asOfMs: AS_OF_MS }) };
      this.#shared.set(message, event);
    }
    return event;
  }

  #keyed({ channel, data, event, key }: Draft): Message | undefined {
    if (key === undefined) return undefined;
    const first = this.#log.find((message) => message.channel === channel && message.key === key);
    if (!first || (first.event === event && String(first.data) === String(data))) return first;
    throw new GroundwaveError("key_conflict", "the key was used with other data");
  }

  #append({ channel, data, event, key }: Draft): Message {
    const slot = slotOf(channel), seq = (this.#seqs.get(slot) ?? 0) + 1;
    this.#seqs.set(slot, seq);
    const message: Message = {
      slot,
      origin: ORIGIN,
      seq,
      channel,
      data,
      ...event !== undefined && { event },
      ...key !== undefined && { key },
      timeMs: START_MS + this.#log.length,
      region: "local",
    };
    this.#log.push(message);
    for (const reader of this.#readers.get(channel) ?? []) reader.pump();
    return message;
  }

  #seqAt(slot: number, index: number): number {
    if (index >= this.#log.length) return this.#seqs.get(slot) ?? 0;
    for (let at = index - 1; at >= this.#base; at--) {
      const message = this.#log[at];
      if (message?.slot === slot) return message.seq;
    }
    return this.#floors.get(slot) ?? 0;
  }

  #place(reader: MemoryReader, start: SubscribeRequest["start"]): void {
    if (start === "live") return reader.place(this.#log.length, new Map());
    reader.place(this.#base, start === "earliest" ? new Map() : this.#seqsOf(start));
    if (start === "earliest") return;
    for (const channel of reader.channels) this.#announce(reader, channel, start);
  }

  #announce(reader: MemoryReader, channel: string, start: Cursor): void {
    const slot = slotOf(channel), vector = start.slots.get(slot);
    const seq = vector?.get(ORIGIN) ?? 0, floor = this.#floors.get(slot) ?? 0;
    const there = cutIn(start, slot).has(ORIGIN) ? this.#seqs.get(slot) ?? 0 : 0;
    const foreign = [...vector?.keys() ?? []].some((origin) => origin !== ORIGIN);
    if (there > 0) {
      const missing = [{ origin: ORIGIN, from: 1, to: there }];
      reader.miss({ type: "gap", channel, reason: "unknown", missing });
    } else if (seq < floor) {
      const missing = [{ origin: ORIGIN, from: seq + 1, to: floor }];
      reader.miss({ type: "gap", channel, reason: "expired", missing });
    } else if (foreign) {
      reader.miss({ type: "gap", channel, reason: "unknown", missing: [] });
    }
  }

  /** What is there already of slots in which the cursor was cut is passed over. */
  #seqsOf(cursor: Cursor): Map<number, number> {
    return new Map([...cursor.slots].map(([slot, vector]) => {
      const there = cutIn(cursor, slot).has(ORIGIN) ? this.#seqs.get(slot) : undefined;
      return [slot, vector.get(ORIGIN) ?? there ?? 0];
    }));
  }
}
