/**
 * The table in Redis: a hash with `epoch`, `hash` (8 hex digits) and `entries` (16384 big-endian 16-bit group numbers),
 * and beside it, for some seconds, a hash of messages by slot.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Clock } from "../clock.ts";
import { SLOTS } from "./group_table.ts";
import { RedisClient, type RedisCommands } from "./redis_client.ts";
import { REPORT, WRITE } from "./redis_scripts.ts";
import type { RedisUrl } from "./redis_url.ts";
import { SlotGroups, type Version } from "./slot_groups.ts";
import { type Load, StoreTrouble, type TableStore } from "./table_store.ts";

export interface RedisStoreOptions {
  readonly url: RedisUrl;
  /** Tells clusters apart that share a Redis. */
  readonly cluster: string;
  /** How many groups the pool has. */
  readonly count: number;
  readonly clock: Clock;
}

/** Reported at once; what is not among the busiest of a relay matters little to the balance. */
const MOST_REPORTED = 1024;

/** The driver of {@link TableStore} for Redis. Dials when it is used first, and anew after each failure. */
export class RedisStore implements TableStore {
  /** The key of the table. */
  readonly key: string;
  readonly #loadKey: string;
  readonly #options: RedisStoreOptions;
  #client: RedisClient | undefined;
  #closed = false;

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.key = `{groundwave:${options.cluster}}:groups`;
    this.#loadKey = `{groundwave:${options.cluster}}:load`;
  }

  async read(known: SlotGroups): Promise<SlotGroups | undefined> {
    const [epoch, hash] = await this.use((redis) => redis.hmget(this.key, "epoch", "hash"));
    if (epoch === String(known.epoch) && hash === hex(known.hash)) return known;
    return await this.#readAll();
  }

  async write(groups: SlotGroups, base?: Version): Promise<boolean> {
    const version = [String(groups.epoch), hex(groups.hash), Buffer.from(groups.entries)];
    const only = base ? [String(base.epoch), hex(base.hash)] : [];
    const args = [...version, ...only];
    return await this.use((redis) => redis.eval(WRITE, 1, this.key, ...args)) === 1;
  }

  async report(
    messages: ReadonlyMap<number, number>,
    windowMs: number,
  ): Promise<Load | undefined> {
    const busiest = [...messages].sort(([, a], [, b]) => b - a).slice(0, MOST_REPORTED).flat();
    const answer = await this.use((redis) =>
      redis.eval(REPORT, 1, this.#loadKey, windowMs, ...busiest)
    );
    return Array.isArray(answer) ? parseLoad(answer) : undefined;
  }

  /** Runs other commands on the same connection. @throws {StoreTrouble} */
  async use<T>(run: (redis: RedisCommands) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreTrouble("it was closed");
    const client = this.#client ??= new RedisClient(this.#options.url, this.#options.clock);
    try {
      return await client.use(run);
    } catch (error) {
      client.close();
      if (this.#client === client) this.#client = undefined;
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#client?.close();
    this.#client = undefined;
  }

  async #readAll(): Promise<SlotGroups | undefined> {
    const fields = await this.use((redis) =>
      redis.hmgetBuffer(this.key, "epoch", "hash", "entries")
    );
    if (fields.every((field) => field === null)) return undefined;
    const [epoch, hash, entries] = fields;
    try {
      const groups = SlotGroups.parse(
        Number(epoch ?? Number.NaN),
        entries ?? new Uint8Array(),
        this.#options.count,
      );
      if (hash?.toString() !== hex(groups.hash)) throw new RangeError("its hash is another");
      return groups;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new StoreTrouble(
        `its table is no good: ${error.message} (DEL ${this.key} to renew it)`,
      );
    }
  }
}

function hex(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}

/** What is no slot or no number was not written by us, and is passed over. */
function parseLoad(answer: readonly unknown[]): Load | undefined {
  const [ms, pairs] = answer;
  if (typeof ms !== "number" || ms <= 0 || !Array.isArray(pairs)) return undefined;
  const messages = new Map<number, number>();
  for (let i = 0; i < pairs.length; i += 2) {
    const slot = Number(pairs[i]), count = Number(pairs[i + 1]);
    if (Number.isInteger(slot) && slot >= 0 && slot < SLOTS && count > 0) messages.set(slot, count);
  }
  return { ms, messages };
}
