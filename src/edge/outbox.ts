/**
 * What leaves through a WebSocket: lines gathered into frames, as long as the socket takes them.
 *
 * @module
 */
import type { EdgeSocket, Host } from "./host.ts";

/**
 * When frames leave: the first of a turn of the event loop at once, so that an idle relay adds nothing; what follows in
 * the same turn together at its end, since a frame costs as much as the messages in it are many. One for all sockets.
 */
export class Turn {
  readonly #host: Host;
  #due: (() => void)[] = [];
  #running = false;
  #joined = { frame: "", line: "", text: "" };

  constructor(host: Host) {
    this.#host = host;
  }

  defer(fn: () => void): void {
    if (this.#due.push(fn) > 1 || this.#running) return;
    queueMicrotask(() => this.#flush());
  }

  /** `frame` and one line more. Sockets that carry the same in a turn get the same text, so that it is built once. */
  join(frame: string, line: string): string {
    if (frame === "") return line;
    if (this.#joined.line !== line || this.#joined.frame !== frame) {
      this.#joined = { frame, line, text: `${frame}\n${line}` };
    }
    return this.#joined.text;
  }

  #flush(): void {
    const due = this.#due;
    this.#running = due.length > 0;
    if (!this.#running) return;
    this.#due = [];
    for (const fn of due) fn();
    this.#host.soon(() => this.#flush());
  }
}

/** A frame is sent when it has grown to this, though the turn goes on. */
const FRAME_CHARS = 64 * 1024;
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
    if (this.#frame.length >= FRAME_CHARS) {
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
