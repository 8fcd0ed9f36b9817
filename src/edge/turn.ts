/**
 * When what readers get leaves, and how what leaves together is put together once for all of them.
 *
 * @module
 */
import type { Host } from "./host.ts";

/** What has grown to this leaves, though the turn goes on. */
export const TURN_CHARS = 64 * 1024;

/** After such a pause nothing is likely to follow in the same turn, in milliseconds: not even one publisher's next message. */
const PAUSE_MS = 0.1;

/**
 * What comes after a pause leaves at once, so that an idle relay adds nothing; what follows shortly leaves together at the
 * end of its turn of the event loop, since a frame or a chunk costs as much as the messages in it are many. One for
 * all readers that get the same.
 */
export class Turn {
  readonly #host: Host;
  readonly #separator: string;
  #due: (() => void)[] = [];
  #leftMs = -Infinity;
  #joined = { pieces: "", piece: "", text: "" };

  constructor(host: Host, separator: string) {
    this.#host = host;
    this.#separator = separator;
  }

  /** Calls `fn` when it is time to leave. */
  defer(fn: () => void): void {
    if (this.#due.push(fn) > 1) return;
    const pauseMs = this.#host.nowMs() - this.#leftMs;
    if (pauseMs >= PAUSE_MS) queueMicrotask(() => this.#flush());
    else this.#host.soon(() => this.#flush());
  }

  /** `pieces` and one more. Readers that get the same in a turn get the same text, so that it is built once. */
  join(pieces: string, piece: string): string {
    if (pieces === "") return piece;
    if (this.#joined.piece !== piece || this.#joined.pieces !== pieces) {
      this.#joined = { pieces, piece, text: `${pieces}${this.#separator}${piece}` };
    }
    return this.#joined.text;
  }

  #flush(): void {
    const due = this.#due;
    this.#due = [];
    for (const fn of due) fn();
    this.#leftMs = this.#host.nowMs();
  }
}
