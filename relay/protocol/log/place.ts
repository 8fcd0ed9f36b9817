/**
 * Where live readers stand, and the events that they share there.
 *
 * @module
 */
import type { Message, Vector } from "../message.ts";
import type { MessageEvent } from "../upstream.ts";
import { covers, mergeVectors } from "../vector.ts";
import type { Tail } from "./tail.ts";

/** A message as readers at one place see it. The cursor is written when the first of them asks. */
export class MessageAt implements MessageEvent {
  readonly type = "message";
  readonly message: Message;
  readonly #place: { cursor(): string };
  #cursor: string | undefined;

  constructor(message: Message, place: { cursor(): string }) {
    this.message = message;
    this.#place = place;
  }

  get cursor(): string {
    return this.#cursor ??= this.#place.cursor();
  }
}

/** What live readers have in common: they stand at the tail, and some beyond it where their cursor was ahead of the log. */
export class Place {
  readonly #tail: Tail;
  /** What the cursors of its readers cover, beyond the tail until it has passed that. */
  readonly ahead: Vector | undefined;
  #passed: boolean;
  #version = -1;
  #asOfMs = 0;
  #cursor = "";
  #eventVersion = -1;
  #event: MessageEvent | undefined;
  /** What it is listed under. */
  readonly key: string;
  /** Readers that stand here. */
  readers = 0;

  constructor(tail: Tail, key = "", ahead?: Vector) {
    this.#tail = tail;
    this.key = key;
    this.ahead = ahead;
    this.#passed = ahead === undefined;
  }

  /** Whether the tail has passed {@link ahead}: from then on it is like the common place. */
  get isPassed(): boolean {
    return this.#passed;
  }

  /** A view: it moves on with the tail. */
  position(): Vector {
    const { shown } = this.#tail;
    return this.ahead && !this.#passed ? mergeVectors(shown, this.ahead) : shown;
  }

  cursor(): string {
    const { common } = this.#tail;
    if (this.#passed && this !== common) return common.cursor();
    const asOfMs = this.#tail.asOfMs();
    if (this.#version !== this.#tail.version || this.#asOfMs !== asOfMs) {
      this.#version = this.#tail.version;
      this.#asOfMs = asOfMs;
      this.#cursor = this.#tail.encode(this.position(), asOfMs);
    }
    return this.#cursor;
  }

  /** The tail's vector changed other than by a message. */
  invalidate(): void {
    this.#version = -1;
  }

  /** The event for the message just shown; undefined if the cursors covered it. */
  eventFor(message: Message): MessageEvent | undefined {
    if (this.#eventVersion !== this.#tail.version) {
      this.#eventVersion = this.#tail.version;
      this.#event = this.#makeEvent(message);
    }
    return this.#event;
  }

  #makeEvent(message: Message): MessageEvent | undefined {
    const { common, shown } = this.#tail;
    if (this.ahead === undefined) return new MessageAt(message, this);
    if (this.#passed) return common.eventFor(message);
    const covered = (this.ahead.get(message.origin) ?? 0) >= message.seq;
    this.#passed = covers(shown, this.ahead);
    return covered ? undefined : new MessageAt(message, this);
  }
}
