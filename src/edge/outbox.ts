/**
 * What leaves through a WebSocket: lines gathered into frames, as long as the socket takes them.
 *
 * @module
 */
import type { EdgeSocket, Host } from "./host.ts";
import { type Turn, TURN_CHARS } from "./turn.ts";

/** A full socket is asked for room after so long, then after twice as long each time, up to the last. */
const FIRST_LOOK_MS = 10, LAST_LOOK_MS = 320;
/** So many times its bound a socket may hold, for what is not to be held back: answers, and one event per channel. */
const HARD_FACTOR = 16;

/** What an outbox tells its owner. */
export interface OutboxEvents {
  /** There is room again after a refusal. */
  room(): void;
  /** Far more was written than the socket takes. */
  overrun(): void;
}

export class Outbox {
  readonly #socket: EdgeSocket;
  readonly #host: Host;
  readonly #turn: Turn;
  readonly #limitBytes: number;
  readonly #events: OutboxEvents;
  readonly #flush = () => this.#send();
  #frame = "";
  #deferred = false;
  /** Since when the socket is full; undefined while it has room. */
  #fullSinceMs: number | undefined;
  #cancelLook = () => {};

  constructor(
    socket: EdgeSocket,
    host: Host,
    turn: Turn,
    limitBytes: number,
    events: OutboxEvents,
  ) {
    this.#socket = socket;
    this.#host = host;
    this.#turn = turn;
    this.#limitBytes = limitBytes;
    this.#events = events;
  }

  /** Since when, in monotonic milliseconds, the socket takes nothing more; undefined while it does. */
  get fullSinceMs(): number | undefined {
    return this.#fullSinceMs;
  }

  /** Takes a line, at once. False: there is no room for more until {@link OutboxEvents.room}. */
  write(line: string): boolean {
    this.#frame = this.#turn.join(this.#frame, line);
    if (this.#frame.length >= TURN_CHARS) {
      this.#send();
    } else if (!this.#deferred) {
      this.#deferred = true;
      this.#turn.defer(this.#flush);
    }
    return this.#fullSinceMs === undefined;
  }

  /** Sends what is left; nothing is looked after any more. */
  close(): void {
    this.#send();
    this.#cancelLook();
  }

  #send(): void {
    this.#deferred = false;
    if (this.#frame === "") return;
    const frame = this.#frame;
    this.#frame = "";
    this.#socket.send(frame);
    const held = this.#socket.bufferedAmount;
    if (held < this.#limitBytes) return;
    if (this.#fullSinceMs === undefined) {
      this.#fullSinceMs = this.#host.nowMs();
      this.#look(FIRST_LOOK_MS);
    }
    if (held > HARD_FACTOR * this.#limitBytes) this.#events.overrun();
  }

  /** Sockets do not say when they have room: one has to look. */
  #look(ms: number): void {
    this.#cancelLook = this.#host.after(ms, () => {
      if (this.#socket.bufferedAmount >= this.#limitBytes / 2) {
        this.#look(Math.min(2 * ms, LAST_LOOK_MS));
        return;
      }
      this.#fullSinceMs = undefined;
      this.#events.room();
    });
  }
}
