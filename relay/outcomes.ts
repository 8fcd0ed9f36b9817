/**
 * What becomes of drafts that are published together: one promise for all of them, since one for each is felt.
 *
 * @module
 */
import { GroundwaveError } from "./protocol/errors.ts";
import { type Message, messageId } from "./protocol/message.ts";
import type { AckLevel, Outcome, Published } from "./protocol/upstream.ts";
import type { Held } from "./replication.ts";

export class Outcomes {
  readonly #outcomes: Outcome[];
  readonly #all = Promise.withResolvers<readonly Outcome[]>();
  #left: number;

  constructor(count: number) {
    this.#outcomes = new Array(count);
    this.#left = count;
    if (count === 0) this.#all.resolve([]);
  }

  /** Resolves when it is known of each. */
  get all(): Promise<readonly Outcome[]> {
    return this.#all.promise;
  }

  /** Who waits for one of them to be held as its level wants it. */
  held(index: number, ack: AckLevel): Held {
    return new Awaited(this, index, ack);
  }

  settle(index: number, outcome: Outcome): void {
    this.#outcomes[index] = outcome;
    if (--this.#left === 0) this.#all.resolve(this.#outcomes);
  }

  fail(index: number, thrown: unknown): void {
    this.settle(index, GroundwaveError.from(thrown));
  }
}

/** One of them, on its way. */
class Awaited implements Held {
  constructor(
    readonly outcomes: Outcomes,
    readonly index: number,
    readonly ack: AckLevel,
  ) {}

  resolve(message: Message): void {
    this.outcomes.settle(this.index, answerTo(message, this.ack));
  }

  reject(error: GroundwaveError): void {
    this.outcomes.settle(this.index, error);
  }
}

/** What is said to a publisher whose message has reached a level. */
export function answerTo(message: Message, ack: AckLevel): Published {
  return { id: messageId(message), channel: message.channel, ack };
}
