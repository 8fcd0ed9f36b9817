/**
 * Gives a draft its identity and puts it on the wire and into the log, in that order and in one turn of the loop; then
 * waits for the level that was asked for.
 *
 * @module
 */
import type { Backbone } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { Followed, type FollowedOptions } from "./followed.ts";
import type { Logs } from "./logs.ts";
import { answerTo, Outcomes } from "./outcomes.ts";
import { MessageEncoder } from "./protocol/codec.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { Message, Vector } from "./protocol/message.ts";
import { slotOf } from "./protocol/slot.ts";
import type { AckLevel, Draft, Outcome, Published } from "./protocol/upstream.ts";
import { mergeVectors, NOWHERE } from "./protocol/vector.ts";
import type { Held, Replication } from "./replication.ts";
import { TotalOrder } from "./total_order.ts";

export interface PublisherOptions extends FollowedOptions {
  readonly clock: Pick<Clock, "nowMs">;
  readonly region: string;
  readonly backbone: Pick<Backbone, "send">;
  readonly table: GroupTable;
  readonly logs: Pick<Logs, "vectorOf" | "peek" | "append">;
  readonly replication: Pick<Replication, "hasRoom" | "sent">;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  /** No other relay has been in view since the start, or for a while. */
  readonly isAlone: () => boolean;
}

/** When messages get their place. Those that get it in one turn share it: clocks for each are felt. */
interface Moment {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
}

/** The publishing side of one relay. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #encoder = new MessageEncoder();
  readonly #seqs = new Map<number, number>();
  readonly #followed: Followed;
  readonly #total: TotalOrder;
  /** By slot, the last publish that waits. */
  readonly #waiting = new Map<number, Promise<unknown>>();
  #published = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#followed = new Followed(options);
    this.#total = new TotalOrder(options.origin);
  }

  /** Messages published since the start. */
  get published(): number {
    return this.#published;
  }

  /** By slot, the seq given last. */
  get positions(): ReadonlyMap<number, number> {
    return this.#seqs;
  }

  /** Somebody came into view, or left it. */
  viewChanged(): void {
    this.#followed.viewChanged();
  }

  /** Publishes under this relay's origin; see `Upstream.publish`. */
  async publish(draft: Draft): Promise<Published> {
    const ack = this.levelOf(draft.ack), held = Promise.withResolvers<Message>();
    const placing = this.place(draft, ack, held);
    // Most have their place at once: no turn of promises for them.
    if (placing instanceof Promise) await placing;
    return answerTo(await held.promise, ack);
  }

  /** Publishes several; see `Upstream.publishAll`. */
  publishAll(drafts: readonly Draft[]): Promise<readonly Outcome[]> {
    const outcomes = new Outcomes(drafts.length), isAlone = this.#options.isAlone();
    const moment = this.#moment();
    for (const [i, draft] of drafts.entries()) {
      try {
        const ack = this.levelOf(draft.ack, isAlone);
        const placing = this.place(draft, ack, outcomes.held(i, ack), undefined, moment);
        if (placing instanceof Promise) placing.catch((thrown) => outcomes.fail(i, thrown));
      } catch (thrown) {
        outcomes.fail(i, thrown);
      }
    }
    return outcomes.all;
  }

  /**
   * The level that a publish is to reach: what was asked for, or what this relay can promise now.
   * @throws {GroundwaveError} `not_replicated`, `not_archived` for what cannot be reached; nothing is published then.
   */
  levelOf(ack: AckLevel | undefined, isAlone = this.#options.isAlone()): AckLevel {
    if (ack === "archived") throw unreachable(ack, "no archive is configured");
    if (ack === "replicated" && isAlone) throw unreachable(ack, "no other relay is in view");
    return ack ?? (isAlone ? "accepted" : "replicated");
  }

  /**
   * Puts a message on the wire and into the log: at once, unless it answers what has yet to come. Those of one slot keep
   * the order of the calls. `held` is told when it is held as `level` wants it.
   * @param check is called just before, perhaps much later; what it throws is thrown, and nothing was published.
   * @throws {GroundwaveError} `window_full`
   */
  place(
    draft: Draft,
    level: AckLevel,
    held: Held,
    check?: () => void,
    moment?: Moment,
  ): Message | Promise<Message> {
    const slot = slotOf(draft.channel);
    const stated = draft.after?.slots.get(slot);
    const earlier = this.#waiting.get(slot);
    if (!earlier && !(stated && this.#followed.isAhead(slot, stated))) {
      check?.();
      const existing = stated && this.#followed.existing(slot, stated, true);
      return this.#send(slot, draft, existing, level, held, moment);
    }
    // Whoever published first comes first, also where it had to wait for what it answers.
    const turn = this.#await(slot, stated, earlier);
    return this.#inTurn(slot, turn, (isComplete) => {
      check?.();
      const existing = stated && this.#followed.existing(slot, stated, isComplete);
      return this.#send(slot, draft, existing, level, held);
    });
  }

  async #inTurn<T>(
    slot: number,
    turn: Promise<boolean>,
    act: (isComplete: boolean) => T,
  ): Promise<T> {
    this.#waiting.set(slot, turn);
    const isComplete = await turn;
    if (this.#waiting.get(slot) === turn) this.#waiting.delete(slot);
    return act(isComplete);
  }

  /** False if `stated` may exist, as far as this relay could learn. */
  async #await(
    slot: number,
    stated: Vector | undefined,
    earlier: Promise<unknown> | undefined,
  ): Promise<boolean> {
    // Those that wait look together, or each would add its look to the wait of those behind it.
    const looked = !stated || this.#followed.look(slot, stated);
    await earlier;
    return await looked;
  }

  #send(
    slot: number,
    draft: Draft,
    stated: Vector | undefined,
    level: AckLevel,
    held: Held,
    moment = this.#moment(),
  ): Message {
    const { backbone, table, logs, replication } = this.#options, { nowMs, wallMs } = moment;
    const waits = level !== "accepted";
    if (waits && !replication.hasRoom) throw windowFull("too many publishes wait for custodians");
    const message = this.#message(slot, draft, stated, wallMs);
    const group = table.groupOf(slot), payload = this.#encoder.encode(message);
    const ordinal = backbone.send(group, payload, waits ? "awaited" : "usual", nowMs);
    if (ordinal === 0) throw windowFull("the backbone cannot take more for now");
    this.#seqs.set(slot, message.seq);
    this.#published += 1;
    if (draft.order) this.#total.sent(slot, message.after ?? NOWHERE);
    logs.append(message, 0, nowMs);
    if (waits) replication.sent(group, ordinal, payload.length, message, held, nowMs);
    else held.resolve(message);
    return message;
  }

  #moment(): Moment {
    const { clock, wallMs } = this.#options;
    return { nowMs: clock.nowMs(), wallMs: wallMs() };
  }

  #message(slot: number, draft: Draft, stated: Vector | undefined, timeMs: number): Message {
    const { origin, region } = this.#options;
    const { channel, data, event, key } = draft;
    const after = this.#after(slot, draft, stated);
    const seq = (this.#seqs.get(slot) ?? 0) + 1;
    const message = { slot, origin, seq, channel, data, timeMs, region };
    if (event === undefined && key === undefined && !after?.size) return message;
    return {
      ...message,
      ...(event === undefined ? {} : { event }),
      ...(key === undefined ? {} : { key }),
      ...(after?.size ? { after } : {}),
    };
  }

  #after(slot: number, { order }: Draft, stated: Vector | undefined): Vector | undefined {
    if (order === undefined) return stated;
    const known = this.#options.logs.vectorOf(slot);
    return mergeVectors(this.#total.next(slot, known), stated ?? NOWHERE);
  }
}

function unreachable(level: Exclude<AckLevel, "accepted">, why: string): GroundwaveError {
  return new GroundwaveError(`not_${level}`, `${why}; nothing was published`, { retryAfterS: 60 });
}

function windowFull(why: string): GroundwaveError {
  return new GroundwaveError("window_full", why, { retryAfterS: 1 });
}
