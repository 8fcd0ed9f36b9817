/**
 * Gives a draft its identity and puts it on the wire and into the log, in that order and in one turn of the loop.
 *
 * @module
 */
import type { Backbone } from "../backbone/backbone.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import type { Logs } from "./logs.ts";
import { encodeMessage } from "./protocol/codec.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import { type Message, messageId, type Origin, type Vector } from "./protocol/message.ts";
import { slotOf } from "./protocol/slot.ts";
import { covers } from "./protocol/vector.ts";
import type { AckLevel, Draft, Published } from "./protocol/upstream.ts";

export interface PublisherOptions {
  readonly origin: Origin;
  readonly region: string;
  readonly backbone: Pick<Backbone, "send">;
  readonly table: GroupTable;
  readonly logs: Logs;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  /** Brings a slot up to what the relays in view hold. */
  readonly pull: (slot: number) => Promise<unknown>;
}

/** Levels beyond `accepted` need custodians or an archive, which this relay does not know of yet. */
function unreached(level: Exclude<AckLevel, "accepted">): GroundwaveError {
  const missing = level === "replicated" ? "no custodian is ready" : "no archive is configured";
  return new GroundwaveError(`not_${level}`, `${missing}; nothing was published`, {
    retryAfterS: 60,
  });
}

/** The publishing side of one relay. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #seqs = new Map<number, number>();
  /** By slot, the last publish that waits. */
  readonly #waiting = new Map<number, Promise<void>>();
  #published = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Messages published since the start. */
  get published(): number {
    return this.#published;
  }

  /** Publishes at level `accepted`; see {@link Upstream.publish}. */
  async publish(draft: Draft): Promise<Published> {
    if (draft.order !== undefined || draft.key !== undefined) {
      const what = draft.key !== undefined ? "idempotency keys" : "total order";
      throw new GroundwaveError("bad_request", `this relay does not offer ${what} yet`);
    }
    if (draft.ack !== undefined && draft.ack !== "accepted") throw unreached(draft.ack);
    const slot = slotOf(draft.channel);
    const stated = draft.after?.slots.get(slot);
    const earlier = this.#waiting.get(slot);
    if (!earlier && !(stated && this.#isAhead(slot, stated))) {
      return this.#send(slot, draft, stated);
    }
    // Whoever published first comes first, also where it had to wait for what it answers.
    const turn = this.#await(slot, stated, earlier);
    this.#waiting.set(slot, turn);
    await turn;
    if (this.#waiting.get(slot) === turn) this.#waiting.delete(slot);
    return this.#send(slot, draft, stated);
  }

  async #await(
    slot: number,
    stated: Vector | undefined,
    earlier: Promise<void> | undefined,
  ): Promise<void> {
    await earlier;
    if (stated && this.#isAhead(slot, stated)) await this.#options.pull(slot);
  }

  /** Whether `stated` names what this relay has not seen. */
  #isAhead(slot: number, stated: Vector): boolean {
    return !covers(this.#options.logs.vectorOf(slot), stated);
  }

  /**
   * `stated` cut to positions that are known to exist: one that nobody ever gives would hold the message back everywhere
   * (model counter-example 1).
   */
  #existing(slot: number, stated: Vector): Vector {
    const known = this.#options.logs.vectorOf(slot);
    const cut = new Map<Origin, number>();
    for (const [origin, seq] of stated) {
      const upTo = Math.min(seq, known.get(origin) ?? 0);
      if (upTo > 0) cut.set(origin, upTo);
    }
    return cut;
  }

  #send(slot: number, draft: Draft, stated: Vector | undefined): Published {
    const { origin, region, backbone, table, logs, wallMs } = this.#options;
    const seq = (this.#seqs.get(slot) ?? 0) + 1;
    const after = stated && this.#existing(slot, stated);
    const message: Message = {
      slot,
      origin,
      seq,
      channel: draft.channel,
      data: draft.data,
      timeMs: wallMs(),
      region,
      ...(draft.event === undefined ? {} : { event: draft.event }),
      ...(after === undefined || after.size === 0 ? {} : { after }),
    };
    if (!backbone.send(table.groupOf(slot), encodeMessage(message))) {
      throw new GroundwaveError("window_full", "the backbone cannot take more for now", {
        retryAfterS: 1,
      });
    }
    this.#seqs.set(slot, seq);
    this.#published += 1;
    logs.append(message);
    return { id: messageId(message), channel: draft.channel, ack: "accepted" };
  }
}
