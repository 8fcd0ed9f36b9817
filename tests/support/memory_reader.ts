/**
 * A subscription of a {@link MemoryUpstream}.
 *
 * @module
 */
import { slotOf } from "../../relay/protocol/slot.ts";
import type { GapEvent, Sink, StreamEvent, Subscription } from "../../relay/protocol/upstream.ts";
import type { MemoryUpstream } from "./memory_upstream.ts";

/** What its upstream has for it besides messages. */
type OwnEvent = { type: "stale" | "fresh"; channel: string } | Omit<GapEvent, "cursor">;

export class MemoryReader implements Subscription {
  readonly #upstream: MemoryUpstream;
  readonly #names: ReadonlySet<string>;
  readonly #slots: readonly number[];
  readonly #queued: OwnEvent[] = [];
  #filter: ReadonlyMap<number, number> = new Map();
  #index = 0;
  #resting = true;
  #closed = false;
  #pumping = false;
  recovered = true;

  constructor(upstream: MemoryUpstream, readonly channels: readonly string[], readonly sink: Sink) {
    this.#upstream = upstream;
    this.#names = new Set(channels);
    this.#slots = [...new Set(channels.map(slotOf))];
  }

  place(index: number, filter: ReadonlyMap<number, number>): void {
    this.#index = index;
    this.#filter = filter;
  }

  miss(event: OwnEvent): void {
    this.recovered = false;
    this.#queued.push(event);
  }

  push(event: OwnEvent): void {
    this.#queued.push(event);
    this.pump();
  }

  cursor(): string {
    return this.#upstream.cursorAt(this.#slots, this.#index, this.#filter);
  }

  resume(): void {
    this.#resting = false;
    this.pump();
  }

  close(): void {
    this.#closed = true;
    this.#upstream.leave(this);
  }

  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#resting && !this.#closed) {
      const event = this.#next();
      if (!event) break;
      if (!this.sink.event(event)) this.#resting = true;
    }
    this.#pumping = false;
  }

  #next(): StreamEvent | undefined {
    const own = this.#queued.shift();
    if (own) return own.type === "gap" ? { ...own, cursor: this.cursor() } : own;
    for (;;) {
      const message = this.#upstream.at(this.#index);
      if (!message) return undefined;
      this.#index++;
      if (!this.#names.has(message.channel)) continue;
      if (message.seq <= (this.#filter.get(message.slot) ?? 0)) continue;
      if (this.#upstream.isLost(message)) {
        const { channel, origin, seq } = message, missing = [{ origin, from: seq, to: seq }];
        return { type: "gap", channel, reason: "lost", missing, cursor: this.cursor() };
      }
      if (this.#slots.length === 1) return this.#upstream.sharedEvent(message);
      return { type: "message", message, cursor: this.cursor() };
    }
  }
}
