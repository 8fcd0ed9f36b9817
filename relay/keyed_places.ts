/**
 * Gives drafts with an idempotency key their place: each key once, and not when another relay may have acted by then.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import type { Logs } from "./logs.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { Stored } from "./protocol/log/timeline.ts";
import { slotOf } from "./protocol/slot.ts";
import type { AckLevel, Draft } from "./protocol/upstream.ts";
import type { Publisher } from "./publisher.ts";
import type { Held } from "./replication.ts";

export interface KeyedPlacesOptions {
  readonly clock: Clock;
  readonly logs: Pick<Logs, "peek">;
  readonly publisher: Pick<Publisher, "place">;
  /** This relay stood still until a moment ago; never for long, and never if it is alone. */
  readonly stoodStill: () => boolean;
  /** Brings a slot up to what the relays in view hold. */
  readonly pull: (slot: number) => Promise<unknown>;
}

/** A draft that has its level and a key. */
export type KeyedDraft = Draft & { readonly key: string; readonly ack: AckLevel };

/** A key on its way into the log. */
interface Placing {
  readonly stored: Promise<Stored>;
  /** The soonest of those who wait for it. */
  readonly limit: { untilMs: number };
}

/** Whoever wants to know what became of a message asks for it; a publisher that has gone does not. */
const NOBODY: Held = { resolve: () => {}, reject: () => {} };

export class KeyedPlaces {
  readonly #options: KeyedPlacesOptions;
  /** By channel and key. */
  readonly #placing = new Map<string, Placing>();

  constructor(options: KeyedPlacesOptions) {
    this.#options = options;
  }

  /**
   * The message of a key: the one that is there or on its way, else this draft's, which gets its place before `untilMs` or
   * not at all.
   * @param looks whether another relay may have placed it: then it is looked for before.
   * @throws {GroundwaveError} `unavailable`: it got no place; `window_full`
   */
  async once(draft: KeyedDraft, untilMs: number, looks: boolean): Promise<Stored> {
    // No channel has a control character: names cannot run into one another.
    const name = `${draft.channel}\0${draft.key}`, placing = this.#placing.get(name);
    if (placing) {
      placing.limit.untilMs = Math.min(placing.limit.untilMs, untilMs);
      return placing.stored;
    }
    const known = this.#known(draft);
    if (known) return known;
    const limit = { untilMs }, stored = this.#place(draft, limit, looks);
    this.#placing.set(name, { limit, stored });
    try {
      return await stored;
    } finally {
      this.#placing.delete(name);
    }
  }

  /** The message may have to wait for what it answers: another relay may have acted by then. */
  async #place(draft: KeyedDraft, limit: Placing["limit"], looks: boolean): Promise<Stored> {
    const { publisher, clock, stoodStill, pull } = this.#options;
    if (looks) await pull(slotOf(draft.channel));
    let known: Stored | undefined;
    const check = () => {
      known = this.#known(draft);
      if (known || clock.nowMs() > limit.untilMs || stoodStill()) throw unavailable();
    };
    try {
      const message = await publisher.place(draft, draft.ack, NOBODY, check);
      return { message, atMs: clock.nowMs() };
    } catch (error) {
      if (known) return known;
      throw error;
    }
  }

  #known({ channel, key }: KeyedDraft): Stored | undefined {
    return this.#options.logs.peek(slotOf(channel))?.keyed(channel, key);
  }
}

/** Nobody can give a place for now. */
export function unavailable(): GroundwaveError {
  return new GroundwaveError("unavailable", "no custodian is ready; nothing was published", {
    retryAfterS: 1,
  });
}
