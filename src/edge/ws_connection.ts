/**
 * One WebSocket's conversation: operations in, answers and events out. It knows no socket but by its interface.
 *
 * Operations are begun in the order they arrive and answered as they are done. A second subscribe to a channel is
 * refused: its cursor could not be told from the first one's.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Draft, Start, StreamEvent } from "../../relay/protocol/upstream.ts";
import type { Connection, Place } from "./connections.ts";
import type { Core } from "./core.ts";
import { demandSubscribe, type Grant } from "./grants.ts";
import type { EdgeSocket, SocketEvents } from "./host.ts";
import { Outbox } from "./outbox.ts";
import { publish } from "./publish.ts";
import { errorJson } from "./render.ts";
import {
  type Operation,
  operation,
  parse,
  parseJson,
  present,
  type Ref,
  refOnly,
} from "./schema.ts";
import type { Turn } from "./turn.ts";
import { SocketReader } from "./ws_reader.ts";

/** What a connection gets besides what all of them share. */
export interface SocketContext {
  readonly grant: Grant;
  readonly turn: Turn;
  readonly place: Place;
}

/** Bytes of one UTF-16 unit in UTF-8 at most. */
const MAX_UNIT_BYTES = 3;
/** Close code where the table has none: the client may come back. */
const CLOSE_ANYHOW = 4000;
/** A handshake that takes longer has failed, whether the runtime says so or not. */
const HANDSHAKE_MS = 10_000;

export class SocketConnection implements Connection, SocketEvents {
  readonly #core: Core;
  readonly #context: SocketContext;
  readonly #readers = new Map<string, SocketReader>();
  readonly #first: (() => void)[] = [];
  #socket: EdgeSocket | undefined;
  #outbox: Outbox | undefined;
  #ended: GroundwaveError | undefined;
  #released = false;
  #publishing = 0;
  /** When the cursors were told last; until the socket is open, since when it is not. */
  #cursorsToldMs: number;

  constructor(core: Core, context: SocketContext) {
    this.#core = core;
    this.#context = context;
    this.#cursorsToldMs = core.host.nowMs();
    context.place.take(this);
  }

  subscribeOnceOpen(channel: string, start: Start): void {
    this.#first.push(() => void this.#subscribe(channel, start, undefined));
  }

  open(socket: EdgeSocket): void {
    this.#socket = socket;
    if (this.#ended) return socket.close(closeCode(this.#ended), this.#ended.code);
    const { host, limits } = this.#core;
    this.#cursorsToldMs = host.nowMs();
    this.#outbox = new Outbox(socket, host, this.#context.turn, limits.socketBytes, {
      room: () => this.#resume(),
      overrun: () => this.end(slowReader()),
    });
    for (const subscribe of this.#first.splice(0)) subscribe();
  }

  frame(text: string | undefined): void {
    if (this.#ended) return;
    try {
      let errors = 0;
      for (const line of this.#lines(text)) {
        if (!this.#operate(parseJson(line)) && ++errors === this.#core.limits.frameErrors) {
          throw new GroundwaveError("bad_request", `${errors} faulty operations in one frame`);
        }
        if (this.#ended) return;
      }
    } catch (thrown) {
      this.end(GroundwaveError.from(thrown));
    }
  }

  /** The place is given back only now: a socket that does not close takes its room still. */
  closed(): void {
    this.#release();
    this.#context.place.release();
  }

  tick(nowMs: number): void {
    if (this.#released) return;
    const { slowReaderMs, cursorMs } = this.#core.limits;
    const fullSinceMs = this.#outbox?.fullSinceMs;
    if (!this.#socket) {
      if (nowMs - this.#cursorsToldMs >= HANDSHAKE_MS) this.#giveUp();
    } else if (fullSinceMs !== undefined) {
      if (nowMs - fullSinceMs >= slowReaderMs) this.end(slowReader());
    } else if (nowMs - this.#cursorsToldMs >= cursorMs) {
      this.#cursorsToldMs = nowMs;
      for (const [channel, { subscription }] of this.#readers) {
        if (subscription) this.#say({ op: "cursor", channel, cursor: subscription.cursor() });
      }
    }
  }

  end(error: GroundwaveError): void {
    if (this.#ended || this.#released) return;
    this.#ended = error;
    this.#refuse(error, undefined);
    this.#close(error);
  }

  /** The handshake takes too long. Should it end after all, the socket is closed at once. */
  #giveUp(): void {
    this.#ended = new GroundwaveError("unavailable", "the handshake took too long");
    this.closed();
  }

  /** The operations of a frame. @throws {GroundwaveError} if it cannot be taken as one. */
  #lines(text: string | undefined): string[] {
    const { frameBytes, frameOperations } = this.#core.limits;
    if (text === undefined) {
      throw new GroundwaveError("bad_request", "binary frames have no meaning");
    }
    if (isOver(text, frameBytes)) {
      throw new GroundwaveError("too_large", `the frame is over ${frameBytes} bytes`);
    }
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length > frameOperations) {
      throw new GroundwaveError("too_large", `a frame has at most ${frameOperations} operations`);
    }
    return lines;
  }

  /** Begins an operation. False: it is faulty, which has been answered. */
  #operate(input: unknown): boolean {
    try {
      this.#begin(parse(operation, input));
      return true;
    } catch (thrown) {
      this.#refuse(thrown, refOf(input));
      return false;
    }
  }

  #begin(asked: Operation): void {
    switch (asked.op) {
      case "subscribe":
        return void this.#subscribe(asked.channel, asked.after ?? "live", asked.ref);
      case "unsubscribe":
        return this.#unsubscribe(asked.channel, asked.ref);
      case "publish":
        return void this.#publish(asked.draft, asked.ref);
      case "ping":
        return this.#say(present({ op: "pong", ref: asked.ref }));
    }
  }

  async #subscribe(channel: string, start: Start, ref: Ref | undefined): Promise<void> {
    const reader = new SocketReader(this, ref);
    try {
      demandSubscribe(this.#context.grant, [channel]);
      this.#keep(channel, reader);
      const subscription = await this.#core.upstream.subscribe(
        { channels: [channel], start },
        reader,
      );
      // Gone meanwhile, by `unsubscribe` or with the connection.
      if (this.#readers.get(channel) !== reader) return subscription.close();
      reader.subscription = subscription;
      const cursor = subscription.cursor(), recovered = subscription.recovered;
      this.#say(present({ op: "subscribed", channel, cursor, recovered, ref }));
      subscription.resume();
    } catch (thrown) {
      if (reader.dropped) return; // and answered
      if (this.#readers.get(channel) === reader) this.#readers.delete(channel);
      this.#refuse(thrown, ref);
    }
  }

  #keep(channel: string, reader: SocketReader): void {
    if (this.#readers.has(channel)) {
      throw new GroundwaveError("bad_request", `already subscribed to ${channel}`);
    }
    if (this.#readers.size >= this.#core.limits.channels) {
      throw new GroundwaveError("bad_request", `at most ${this.#core.limits.channels} channels`);
    }
    this.#readers.set(channel, reader);
  }

  #unsubscribe(channel: string, ref: Ref | undefined): void {
    const reader = this.#readers.get(channel);
    if (!reader) throw new GroundwaveError("bad_request", `not subscribed to ${channel}`);
    this.#readers.delete(channel);
    reader.dropped = true;
    if (reader.subscription) reader.subscription.close();
    else if (reader.ref !== undefined) this.#say({ op: "unsubscribed", channel, ref: reader.ref });
    this.#say(present({ op: "unsubscribed", channel, ref }));
  }

  async #publish(draft: Draft, ref: Ref | undefined): Promise<void> {
    if (this.#publishing >= this.#core.limits.publishesInFlight) {
      return this.#refuse(
        new GroundwaveError("rate_limited", "too many publishes unanswered"),
        ref,
      );
    }
    this.#publishing++;
    try {
      this.#core.connections.demandOpen();
      const { id, ack } = await publish(this.#core, this.#context.grant, draft);
      this.#say(present({ op: "published", ref, id, ack }));
    } catch (thrown) {
      this.#refuse(thrown, ref);
    } finally {
      this.#publishing--;
    }
  }

  /** Gives a reader's event to the socket. False: no more for now. */
  deliver(event: StreamEvent): boolean {
    if (this.#released || !this.#outbox) return false;
    if (event.type === "message") this.#core.counters.deliveries.websocket++;
    return this.#outbox.write(this.#core.json(event));
  }

  #resume(): void {
    for (const { subscription } of this.#readers.values()) subscription?.resume();
  }

  #say(answer: Record<string, unknown>): void {
    if (!this.#released) this.#outbox?.write(JSON.stringify(answer));
  }

  #refuse(thrown: unknown, ref: Ref | undefined): void {
    const error = GroundwaveError.from(thrown);
    if (error.code === "internal") {
      this.#core.log("error", "an operation failed", { cause: String(error.cause) });
    }
    this.#core.counters.errors.add(error.code);
    if (!this.#released) this.#outbox?.write(errorJson(error, present({ ref })));
  }

  #close(error: GroundwaveError): void {
    this.#outbox?.close();
    this.#socket?.close(closeCode(error), error.code);
    this.#release();
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#outbox?.close();
    for (const { subscription } of this.#readers.values()) subscription?.close();
    this.#readers.clear();
  }
}

function closeCode(error: GroundwaveError): number {
  return error.class.close ?? CLOSE_ANYHOW;
}

function refOf(input: unknown): Ref | undefined {
  return refOnly.safeParse(input).data?.ref;
}

function isOver(text: string, bytes: number): boolean {
  if (text.length * MAX_UNIT_BYTES <= bytes) return false;
  return text.length > bytes || new TextEncoder().encode(text).length > bytes;
}

function slowReader(): GroundwaveError {
  return new GroundwaveError("slow_reader", "the connection takes too little");
}
