/**
 * Publishes with an idempotency key or in total order. The first ready custodian of the group gives them their place, so
 * that a key is seen by one relay and an order comes from one; which relay that is, it is asked over the peer session
 * (DESIGN "Idempotency-Key"). The next ready custodian acts where the first does not: it knows the keys from its log.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { pause, within } from "../backbone/within.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { Stored } from "./protocol/log/timeline.ts";
import { type Message, messageId, type Origin } from "./protocol/message.ts";
import { slotOf } from "./protocol/slot.ts";
import {
  type AckLevel,
  type Draft,
  type Outcome,
  outcomeOf,
  type Published,
} from "./protocol/upstream.ts";
import { KeyedPlaces, type KeyedPlacesOptions, unavailable } from "./keyed_places.ts";
import type { Publisher } from "./publisher.ts";
import type { Replication } from "./replication.ts";

export interface SequencerOptions extends KeyedPlacesOptions {
  readonly self: Origin;
  readonly table: GroupTable;
  readonly publisher: Pick<Publisher, "publish" | "publishAll" | "place" | "levelOf">;
  readonly replication: Pick<Replication, "sentBefore">;
  /** Resolves when the others have been found: before, nobody in view does not mean that there is nobody. */
  readonly settled: Promise<void>;
  /** The ready custodians of a group now, best first; this relay may be among them. */
  readonly ready: (group: Group) => readonly Origin[];
  /** Who gives a group's messages places now, best first: those, or who was one while none is. */
  readonly sequencers: (group: Group) => readonly Origin[];
  /** Whether this relay gives them places since a moment ago, and others did before. */
  readonly isNew: (group: Group) => boolean;
  /** Has another relay sequence a draft. Rejects with what it answered, or with another error if it did not answer. */
  readonly ask: (sequencer: Origin, draft: Draft) => Promise<Published>;
}

/** A draft that has its level. */
type Leveled = Draft & { readonly ack: AckLevel };

/** What became of asking one relay. Only `answered` and `failed` are what becomes of the publish. */
type Reply =
  | { readonly type: "answered"; readonly published: Published }
  | { readonly type: "failed"; readonly error: GroundwaveError }
  /** It published nothing. */
  | { readonly type: "refused" }
  /** It may have published. */
  | { readonly type: "lost" };

/**
 * A custodian that does not answer in this time is not waited for where the next one may be asked. Longer than what a relay
 * may stand still without being aware of it ({@link SequencerOptions.stoodStill}), and {@link PLACE_MS}.
 */
const RANK_MS = 1200;
/** Where it may not be asked: longer than any publish takes there. */
const ANSWER_MS = 4000;
/** What another relay asked for gets no place later than this: the next custodian may be about to give it one. */
const PLACE_MS = 400;
/** So often it is waited where this relay has stood still: it is aware of that for longer than {@link RANK_MS}. */
const MAX_WAITS = 3;
/** A relay that stood still looks so often whether it may act again. */
const LOOK_MS = 100;
/** Drafts that other relays have not answered yet; a publisher is refused beyond. */
const MAX_ASKED = 4096;

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #places: KeyedPlaces;
  #asked = 0;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#places = new KeyedPlaces(options);
  }

  /** Publishes, here or at the relay that sequences; see `Upstream.publish`. */
  publish(draft: Draft): Promise<Published> {
    return isSequenced(draft) ? this.#route(draft) : this.#options.publisher.publish(draft);
  }

  /** Publishes several; see `Upstream.publishAll`. What needs no sequencer between two that do is published as one. */
  async publishAll(drafts: readonly Draft[]): Promise<readonly Outcome[]> {
    const { publisher } = this.#options;
    if (!drafts.some(isSequenced)) return publisher.publishAll(drafts);
    const outcomes = runsOf(drafts).map((run) =>
      run.some(isSequenced)
        ? Promise.all(run.map((draft) => outcomeOf(this.#route(draft))))
        : publisher.publishAll(run)
    );
    return (await Promise.all(outcomes)).flat();
  }

  /**
   * Publishes for another relay, which takes this one for the sequencer.
   * @throws {GroundwaveError} `unavailable` if it is none, or could not act in time: nothing was published.
   */
  answer(draft: Draft): Promise<Published> {
    const { publisher, clock, self } = this.#options, slot = slotOf(draft.channel);
    const sequencers = this.#sequencers(slot);
    if (!sequencers.includes(self)) return Promise.reject(unavailable());
    // It has to look for what others did, and after the last nobody is asked.
    const isLast = this.#isSuccessor(slot) && sequencers.at(-1) === self;
    const inMs = isLast ? ANSWER_MS : PLACE_MS;
    const leveled = { ...draft, ack: publisher.levelOf(draft.ack) };
    return this.#sequence(leveled, clock.nowMs() + inMs);
  }

  async #route(draft: Draft): Promise<Published> {
    const { publisher, settled, self } = this.#options;
    await settled;
    const leveled = { ...draft, ack: publisher.levelOf(draft.ack) };
    const sequencers = await this.#awake(slotOf(draft.channel));
    // Without any, at most this relay could know better.
    if (sequencers.length === 0 || sequencers[0] === self) return this.#sequence(leveled);
    return this.#ask(sequencers, leveled);
  }

  /**
   * Who may give a message of this slot its place, best first. Not this relay while it has stood still: others may be about
   * to act in its place, and each would look for what the other has not done yet.
   */
  #sequencers(slot: number): readonly Origin[] {
    const { table, sequencers, self, stoodStill } = this.#options;
    const all = sequencers(table.groupOf(slot));
    return stoodStill() ? all.filter((origin) => origin !== self) : all;
  }

  /** The same, once there is one or this relay may act again. */
  async #awake(slot: number): Promise<readonly Origin[]> {
    const { stoodStill, clock } = this.#options;
    for (;;) {
      const custodians = this.#sequencers(slot);
      if (custodians.length > 0 || !stoodStill()) return custodians;
      await pause(clock, LOOK_MS);
    }
  }

  /** Asks the custodians in turn, and takes whichever answer comes first. */
  async #ask(custodians: readonly Origin[], draft: Leveled): Promise<Published> {
    const answered = Promise.withResolvers<Reply>();
    const replies: Promise<Reply>[] = [];
    for (const origin of custodians) {
      // Asking takes time: who is none any more would act beside those that are.
      if (!this.#sequencers(slotOf(draft.channel)).includes(origin)) continue;
      if (origin === this.#options.self) return this.#sequence(draft);
      const asked = this.#askOne(origin, draft);
      void asked.then((reply) => isFinal(reply) && answered.resolve(reply));
      replies.push(asked);
      // Whoever may have published without a key must not be repeated by another.
      const reply = await this.#within(
        draft.key === undefined ? ANSWER_MS : RANK_MS,
        Promise.race([answered.promise, asked]),
      );
      if (isFinal(reply)) return result(reply);
      if (reply.type === "lost" && draft.key === undefined) throw unanswered();
    }
    const last = this.#last(replies);
    return result(await this.#within(ANSWER_MS, Promise.race([answered.promise, last])));
  }

  /** What to say when none of these is final. */
  async #last(replies: readonly Promise<Reply>[]): Promise<Reply> {
    const all = await Promise.all(replies);
    return all.find(({ type }) => type === "lost") ?? { type: "refused" };
  }

  async #askOne(origin: Origin, draft: Leveled): Promise<Reply> {
    if (this.#asked >= MAX_ASKED) return { type: "failed", error: tooMany() };
    this.#asked += 1;
    try {
      return { type: "answered", published: await this.#options.ask(origin, draft) };
    } catch (error) {
      if (!(error instanceof GroundwaveError)) return { type: "lost" };
      const isRefusal = error.code === "unavailable" || error.code === "draining";
      return isRefusal ? { type: "refused" } : { type: "failed", error };
    } finally {
      this.#asked -= 1;
    }
  }

  /**
   * Whether another relay sequences this slot, or did: of a slot that was just moved here, of a group that this relay has just
   * taken over, and where the first custodian does not seem to act, what it did may not have come here yet.
   */
  #isSuccessor(slot: number): boolean {
    const { table, sequencers, isNew, self } = this.#options, group = table.groupOf(slot);
    const [first] = sequencers(group);
    const isAnother = first !== undefined && first !== self;
    return isAnother || isNew(group) || table.groupsOf(slot).length > 1;
  }

  /** Gives a draft its place as the one relay that does; one with a key gets it before `untilMs` or not at all. */
  async #sequence(draft: Leveled, untilMs = Infinity): Promise<Published> {
    const { publisher, pull } = this.#options, { key } = draft, slot = slotOf(draft.channel);
    const looks = this.#isSuccessor(slot);
    if (key === undefined) {
      if (looks) await pull(slot);
      return publisher.publish(draft);
    }
    const stored = await this.#places.once({ ...draft, key }, untilMs, looks);
    const { message } = stored;
    if (!isSame(message, draft)) {
      throw new GroundwaveError("key_conflict", "the key was used with other data");
    }
    if (draft.ack !== "accepted") await this.#replicated(stored);
    return { id: messageId(message), channel: draft.channel, ack: draft.ack };
  }

  /** Resolves when a ready custodian other than the message's origin holds it. */
  async #replicated({ message, atMs }: Stored): Promise<void> {
    const { self, table, ready, replication } = this.#options;
    const group = table.groupOf(message.slot);
    if (message.origin === self) await replication.sentBefore(group, atMs, message);
    else if (!ready(group).includes(self)) throw unanswered();
  }

  /** A relay that stood still meanwhile has not waited: what it asked may be on its way only now. */
  async #within(ms: number, reply: Promise<Reply>): Promise<Reply> {
    const { clock, stoodStill } = this.#options;
    for (let waits = 0; waits < MAX_WAITS; waits++) {
      const settled = await within(clock, ms, reply);
      if (settled || !stoodStill()) return settled ?? { type: "lost" };
    }
    return { type: "lost" };
  }
}

/** Stretches of drafts that all have to be sequenced, or none. */
function runsOf(drafts: readonly Draft[]): Draft[][] {
  const runs: Draft[][] = [];
  let last: boolean | undefined;
  for (const draft of drafts) {
    if (isSequenced(draft) === last) runs.at(-1)?.push(draft);
    else runs.push([draft]);
    last = isSequenced(draft);
  }
  return runs;
}

function isSequenced({ key, order }: Draft): boolean {
  return key !== undefined || order !== undefined;
}

function isFinal(reply: Reply): boolean {
  return reply.type === "answered" || reply.type === "failed";
}

/** @throws {GroundwaveError} */
function result(reply: Reply): Published {
  if (reply.type === "answered") return reply.published;
  if (reply.type === "failed") throw reply.error;
  throw reply.type === "refused" ? unavailable() : unanswered();
}

/** Whether a draft would say what the message says. */
function isSame({ data, event }: Message, draft: Draft): boolean {
  if (event !== draft.event || typeof data !== typeof draft.data) return false;
  if (typeof data === "string" || typeof draft.data === "string") return data === draft.data;
  return data.length === draft.data.length && data.every((byte, i) => byte === draft.data[i]);
}

function unanswered(): GroundwaveError {
  return new GroundwaveError(
    "not_replicated",
    "no custodian answered; it may still arrive: retry with the same key",
    { retryAfterS: 1 },
  );
}

function tooMany(): GroundwaveError {
  return new GroundwaveError("window_full", "too many publishes wait for their sequencer", {
    retryAfterS: 1,
  });
}
