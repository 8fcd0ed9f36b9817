/**
 * The archive that relays share in Redis: for each slot a stream of messages, with where it stands and the outline beside it.
 * How long what was written survives is Redis's business: `appendonly` and `appendfsync` say.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Clock } from "../../backbone/clock.ts";
import { RedisClient, type RedisCommands } from "../../backbone/registry/redis_client.ts";
import type { RedisUrl } from "../../backbone/registry/redis_url.ts";
import { StoreTrouble } from "../../backbone/registry/table_store.ts";
import { newToken } from "../new_names.ts";
import type { Origin, Vector } from "../protocol/message.ts";
import { covers } from "../protocol/vector.ts";
import {
  type ArchiveStore,
  ArchiveTrouble,
  type KeptSlot,
  type KeptStanding,
  type Opening,
  type SlotUpdate,
} from "./archive_store.ts";
import { WRITE } from "./redis_scripts.ts";

export interface RedisStreamsOptions {
  readonly url: RedisUrl;
  /** Tells clusters apart that share a Redis. */
  readonly cluster: string;
  readonly clock: Clock;
}

/** What a cluster that is no more has left goes after a week. */
const LEFT_MS = 7 * 24 * 60 * 60 * 1000;

/** Slots, and messages of each, that are read at once. */
const LOT = 16, PAGE = 500;

/** {@link ArchiveStore} for all relays of a cluster. Dials when it is used first, and anew after each failure. */
export class RedisStreams implements ArchiveStore {
  readonly name: string;
  readonly isShared = true;
  readonly #options: RedisStreamsOptions;
  readonly #prefix: string;
  /** Slots that are in the list of all. */
  readonly #listed = new Set<number>();
  /** What Redis was given as a token when the first relay found it empty. */
  #token: string | null = null;
  #client: RedisClient | undefined;
  #closed = false;

  constructor(options: RedisStreamsOptions) {
    this.#options = options;
    this.#prefix = `groundwave:${options.cluster}`;
    this.name = options.url.shown;
  }

  async open(): Promise<Opening> {
    const [token, written, keptMs, heard, memory] = await this.#use((redis) =>
      Promise.all([
        redis.get(this.#common("token")),
        redis.get(this.#common("written")),
        redis.get(this.#common("kept")),
        redis.hgetall(this.#common("origins")),
        // Who may not ask is not told.
        redis.info("memory").catch(() => ""),
      ])
    );
    // Before the slots are: a Redis that is emptied while they are read is another one afterwards.
    this.#token = token;
    this.#listed.clear();
    return {
      writtenMs: written === null ? undefined : Number(written),
      keptMs: written === null ? undefined : Number(keptMs ?? written),
      heardMs: positions(heard),
      ...riskOf(memory),
    };
  }

  async *slots(): AsyncGenerator<KeptSlot, void> {
    const members = await this.#use((redis) => redis.smembers(this.#common("slots")));
    const slots = members.map(Number).sort((a, b) => a - b);
    for (const slot of slots) this.#listed.add(slot);
    for (let at = 0; at < slots.length; at += LOT) {
      yield* await Promise.all(slots.slice(at, at + LOT).map((slot) => this.#slot(slot)));
    }
  }

  standings(slots: readonly number[]): Promise<readonly KeptStanding[]> {
    return this.#use((redis) => Promise.all(slots.map((slot) => this.#standing(redis, slot))));
  }

  async write(updates: readonly SlotUpdate[], nowMs: number): Promise<readonly Vector[]> {
    const fresh = updates.map(({ slot }) => slot).filter((slot) => !this.#listed.has(slot));
    const answers = await this.#use(async (redis) => {
      // First, so that nothing is kept that nobody would find.
      if (fresh.length > 0) await redis.sadd(this.#common("slots"), ...fresh);
      const writes = updates.map((update) => {
        const keys = ["messages", "vector", "outline"].map((of) => this.#key(update.slot, of));
        return redis.eval(WRITE, keys.length, ...keys, LEFT_MS, ...argumentsOf(update));
      });
      const [, ...written] = await Promise.all([
        redis.set(this.#common("written"), Math.round(nowMs)),
        ...writes,
      ]);
      return written;
    });
    for (const slot of fresh) this.#listed.add(slot);
    const vectors = answers.map(positionsOfPairs);
    for (const [n, { slot, base }] of updates.entries()) {
      // Who has lost what it had may have lost that it is listed.
      if (!covers(vectors[n] ?? new Map(), base)) this.#listed.delete(slot);
    }
    return vectors;
  }

  async remember(
    heardMs: ReadonlyMap<Origin, number>,
    sinceMs: number,
    nowMs: number,
    stoppedMs: number,
  ): Promise<void> {
    const key = this.#common("origins");
    const heard = [...heardMs].flatMap(([origin, ms]) => [origin, Math.round(ms)]);
    const [token, listed] = await this.#use(async (redis) => {
      await redis.set(this.#common("written"), Math.round(nowMs));
      // It does not go back: whoever starts next takes up the clock of the relay that is ahead.
      const keptMs = Math.round(nowMs - stoppedMs), kept = this.#common("kept");
      if (keptMs > Number(await redis.get(kept))) await redis.set(kept, keptMs);
      if (heard.length > 0) await redis.hset(key, ...heard);
      const old = [...positions(await redis.hgetall(key))].filter(([, ms]) => ms < sinceMs);
      if (old.length > 0) await redis.hdel(key, ...old.map(([origin]) => origin));
      await redis.setnx(this.#common("token"), newToken());
      return [await redis.get(this.#common("token")), await redis.scard(this.#common("slots"))];
    });
    const isAnother = this.#token !== null && token !== this.#token;
    this.#token = token;
    if (!isAnother && listed >= this.#listed.size) return;
    this.#listed.clear();
    throw new ArchiveTrouble("it was emptied or set back, and is filled anew");
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  async #slot(slot: number): Promise<KeptSlot> {
    const standing = await this.#use((redis) => this.#standing(redis, slot));
    return { slot, ...standing, messages: await this.#messages(slot) };
  }

  async #standing(redis: RedisCommands, slot: number): Promise<KeptStanding> {
    const [vector, outline] = await Promise.all([
      redis.hgetall(this.#key(slot, "vector")),
      redis.hgetBuffer(this.#key(slot, "outline"), "bytes"),
    ]);
    return {
      vector: positions(vector),
      ...(outline ? { outline: new Uint8Array(outline) } : {}),
    };
  }

  async #messages(slot: number): Promise<KeptSlot["messages"]> {
    const messages = [], key = this.#key(slot, "messages");
    for (let from = "-";;) {
      const page = await this.#use((redis) => redis.xrangeBuffer(key, from, "+", "COUNT", PAGE));
      for (const [, fields] of page) {
        const [, , , , , , , at, , bytes] = fields;
        messages.push({ atMs: Number(at?.toString()), bytes: new Uint8Array(bytes ?? []) });
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) return messages;
      from = `(${last[0].toString()}`;
    }
  }

  async #use<T>(run: (redis: RedisCommands) => Promise<T>): Promise<T> {
    if (this.#closed) throw new ArchiveTrouble("it was closed");
    const { url, clock } = this.#options;
    const client = this.#client ??= new RedisClient(url, clock);
    try {
      return await client.use(run);
    } catch (error) {
      client.close();
      if (this.#client === client) this.#client = undefined;
      // It may be another one that answers next.
      this.#listed.clear();
      if (!(error instanceof StoreTrouble)) throw error;
      throw new ArchiveTrouble(error.message, { cause: error });
    }
  }

  #common(of: string): string {
    return `{${this.#prefix}}:archive:${of}`;
  }

  #key(slot: number, of: string): string {
    return `{${this.#prefix}:${slot}}:${of}`;
  }
}

/** See {@link WRITE}. */
function argumentsOf(update: SlotUpdate): (string | number | Buffer)[] {
  const { base, vector, messages, forgotten, outline } = update;
  // One that has dropped nothing is named too: what stands for the others does not mean it.
  const floors = [...outline?.floors ?? []].flatMap(([channel, floor]) =>
    [["", 0] as const, ...floor].map(([origin, seq]) => [channel, origin, seq])
  );
  const lists = [
    [...base],
    [...vector],
    messages.map((
      { origin, seq, channel, atMs, bytes },
    ) => [origin, seq, channel, Math.round(atMs), Buffer.from(bytes)]),
    forgotten.map((origin) => [origin]),
    outline ? [[Buffer.from(outline.bytes)]] : [],
    floors,
  ];
  return lists.flatMap((list) => [list.length, ...list.flat()]);
}

/** Of what INFO says: whether Redis drops keys when it is full. */
function riskOf(memory: string): Pick<Opening, "risk"> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? "noeviction";
  if (policy === "noeviction" || /^maxmemory:0\r?$/m.test(memory)) return {};
  return {
    risk: `when it is full, it drops keys: set its maxmemory-policy to noeviction, not ${policy}`,
  };
}

function positions(fields: Readonly<Record<string, string>>): Map<Origin, number> {
  return new Map(Object.entries(fields).map(([origin, seq]) => [origin, Number(seq)]));
}

/** Of what a script answers: names and numbers in turn. */
function positionsOfPairs(answer: unknown): Map<Origin, number> {
  const pairs = Array.isArray(answer) ? answer.map(String) : [];
  const vector = new Map<Origin, number>();
  for (let n = 0; n + 1 < pairs.length; n += 2) vector.set(pairs[n] ?? "", Number(pairs[n + 1]));
  return vector;
}
