/**
 * One subscription in this process: a reader in each slot that its channels fall into, and one cursor over all of them.
 *
 * @module
 */
import { encodeCursor } from "./protocol/cursor.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { Reader } from "./protocol/log/reader.ts";
import type { Origin, Vector } from "./protocol/message.ts";
import type {
  GapEvent,
  MessageEvent,
  Sink,
  StreamEvent,
  Subscription,
} from "./protocol/upstream.ts";

/** What a subscription tells the upstream that made it. */
export interface SubscriptionHooks {
  /** It stopped taking events (`true`), or takes them again. */
  stalled(subscription: RelaySubscription, stalled: boolean): void;
  /** It is over, whoever ended it. Called once. */
  over(subscription: RelaySubscription): void;
}

/** The in-process {@link Subscription}. Make it, then {@link open} a reader per slot into it. */
export class RelaySubscription implements Subscription {
  readonly #sink: Sink;
  readonly #hooks: SubscriptionHooks;
  readonly #asOfMs: () => number;
  readonly #readers = new Map<number, Reader>();
  /** Channels that are stale now, and those of which the sink was told so. */
  readonly #stale = new Set<string>();
  readonly #toldStale = new Set<string>();
  #accepting = false;
  #over = false;

  constructor(sink: Sink, hooks: SubscriptionHooks, asOfMs: () => number) {
    this.#sink = sink;
    this.#hooks = hooks;
    this.#asOfMs = asOfMs;
  }

  /**
   * Adds the reader of one slot; `open` gets the sink to open it with. Before the first {@link resume} only.
   * @param isOnly whether it stays the only one.
   */
  open(
    slot: number,
    isOnly: boolean,
    open: (sink: (event: StreamEvent) => boolean) => Reader,
  ): void {
    this.#readers.set(slot, open(isOnly ? this.#take : this.#takeOfMany));
  }

  get recovered(): boolean {
    for (const reader of this.#readers.values()) if (!reader.recovered) return false;
    return true;
  }

  cursor(): string {
    if (this.#readers.size === 1) {
      for (const reader of this.#readers.values()) return reader.cursor();
    }
    const slots = new Map<number, Vector>(), cut = new Set<Origin>();
    for (const [slot, reader] of this.#readers) {
      slots.set(slot, reader.position());
      for (const origin of reader.cut) cut.add(origin);
    }
    return encodeCursor({ slots, asOfMs: this.#asOfMs(), cut });
  }

  resume(): void {
    if (this.#over || this.#accepting) return;
    this.#accepting = true;
    this.#hooks.stalled(this, false);
    this.#tell(this.#stale, this.#toldStale, "stale");
    for (const [slot, reader] of [...this.#readers]) {
      if (!this.#accepting || this.#over) return;
      // The slot served now comes last the next time, so that a busy one cannot starve the others.
      this.#readers.delete(slot);
      this.#readers.set(slot, reader);
      reader.resume();
    }
    this.#tell(this.#toldStale, this.#stale, "fresh");
  }

  /** The relay cannot tell for now, or can again, whether the readers of some slots have everything. */
  setStale(isMeant: (slot: number) => boolean, stale: boolean): void {
    for (const [slot, reader] of this.#readers) {
      if (!isMeant(slot)) continue;
      for (const channel of reader.channels) {
        if (stale) this.#stale.add(channel);
        else this.#stale.delete(channel);
      }
    }
    if (stale) this.#tell(this.#stale, this.#toldStale, "stale");
    else this.#tell(this.#toldStale, this.#stale, "fresh");
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#accepting = false;
    for (const reader of this.#readers.values()) reader.close();
    this.#hooks.over(this);
  }

  /** Ends it from the relay's side. */
  end(error: GroundwaveError): void {
    if (this.#over) return;
    this.close();
    this.#sink.closed(error);
  }

  /** Tells the sink of the channels that are in one set and not in the other, while it takes anything. */
  #tell(these: ReadonlySet<string>, others: ReadonlySet<string>, type: "stale" | "fresh"): void {
    for (const channel of [...these]) {
      if (!this.#accepting || this.#over) return;
      if (others.has(channel)) continue;
      if (type === "stale") this.#toldStale.add(channel);
      else this.#toldStale.delete(channel);
      this.#take({ type, channel });
    }
  }

  /** The sink of an only reader: its cursor is the subscription's, and its events are shared with other readers. */
  readonly #take = (event: StreamEvent): boolean => {
    if (this.#over) return false;
    if (this.#offer(event)) return true;
    this.#stall();
    return false;
  };

  /** A sink that fails would be behind in silence: its subscription ends instead. */
  #offer(event: StreamEvent): boolean {
    try {
      return this.#sink.event(event);
    } catch (thrown) {
      this.end(GroundwaveError.from(thrown));
      return false;
    }
  }

  /** The sink of one reader of several: the event gets the cursor over all of them. */
  readonly #takeOfMany = (event: StreamEvent): boolean =>
    this.#take(event.type === "message" || event.type === "gap" ? this.#whole(event) : event);

  /** The event with the cursor over all readers, written only if somebody reads it. */
  #whole(event: MessageEvent | GapEvent): StreamEvent {
    const cursor = () => this.cursor();
    let text: string | undefined;
    const whole = {
      get cursor(): string {
        return text ??= cursor();
      },
    };
    if (event.type === "message") {
      return Object.assign(whole, { type: event.type, message: event.message });
    }
    const { type, channel, reason, missing } = event;
    return Object.assign(whole, { type, channel, reason, missing });
  }

  #stall(): void {
    if (this.#over || !this.#accepting) return;
    this.#accepting = false;
    for (const reader of this.#readers.values()) reader.pause();
    this.#hooks.stalled(this, true);
  }
}
