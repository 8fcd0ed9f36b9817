/**
 * A subscriber that notes what it is told.
 *
 * @module
 */
import type { GroundwaveError } from "../../relay/protocol/errors.ts";
import { messageId } from "../../relay/protocol/message.ts";
import type { Sink, StreamEvent } from "../../relay/protocol/upstream.ts";

/** A sink that records, and can refuse and be awaited. */
export class RecordingSink implements Sink {
  readonly events: StreamEvent[] = [];
  readonly cursors: string[] = [];
  error: GroundwaveError | undefined;
  /** How many more events are taken with true. */
  room = Infinity;
  #waiting: { count: number; resolve: () => void } | undefined;

  event(event: StreamEvent): boolean {
    this.events.push(event);
    this.cursors.push("cursor" in event ? event.cursor : "");
    this.room -= 1;
    if (this.#waiting && this.events.length >= this.#waiting.count) this.#waiting.resolve();
    return this.room > 0;
  }

  closed(error: GroundwaveError): void {
    this.error = error;
  }

  /** Resolves when so many events have come in all. */
  until(count: number): Promise<void> {
    if (this.events.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting = { count, resolve });
  }

  get texts(): unknown[] {
    return this.events.map((event) => event.type === "message" ? event.message.data : event.type);
  }

  get ids(): string[] {
    return this.events.flatMap((event) =>
      event.type === "message" ? [messageId(event.message)] : []
    );
  }
}
