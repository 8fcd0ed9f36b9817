/**
 * One connection to Redis, of whatever kind, that never mends itself: what failed once is thrown away by its user, who
 * opens the next. Every wait has an end.
 *
 * @module
 */
import type { Cluster, Redis } from "ioredis";
import type { Clock } from "../clock.ts";
import type { RedisUrl } from "./redis_url.ts";
import { StoreTrouble } from "./table_store.ts";

export type RedisCommands = Redis | Cluster;

/** Nothing that is asked takes longer, dialling included. */
const ANSWER_MS = 2000;

/** What Redis, its client library and the system say, in an operator's words. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^NOAUTH/, "it wants a password"],
  [/^WRONGPASS/, "it does not take this user and password"],
  [/^LOADING/, "it is still loading its data"],
  [/^READONLY/, "it is a replica, which takes no writes"],
  [/^OOM/, "it is full: raise its maxmemory"],
  [/^WRONGTYPE/, "something else has the name of one of our keys"],
  [/^(MOVED|CROSSSLOT)/, "it is part of a Cluster: write redis+cluster://"],
  [/cluster support disabled/, "it is no Cluster: write redis://"],
  [/No such master/, "the sentinels know no master of this name"],
  [/Unknown RESP type|Protocol error|Please report this/, "what answers there is not Redis"],
  [/ECONNREFUSED/, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN/, "its name is not known"],
  [/timed out|timeout|ETIMEDOUT/i, `no answer within ${ANSWER_MS / 1000} s`],
  [/UnknownIssuer|certificate/i, "its certificate is not trusted: name its authority in DENO_CERT"],
];

/** What the library says of every question that a broken connection leaves unanswered. */
const CLOSED = "Connection is closed.";

/** A connection, which may be broken from the start. */
export class RedisClient {
  readonly #clock: Clock;
  readonly #open: Promise<RedisCommands>;
  readonly #ended = Promise.withResolvers<never>();
  /** What the library said by an event: the rejections say less. */
  #cause: unknown;

  constructor(url: RedisUrl, clock: Clock) {
    this.#clock = clock;
    this.#open = this.#connect(url);
    this.#open.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Runs commands. @throws {StoreTrouble} if they fail or do not end in time: then close it. */
  async use<T>(run: (redis: RedisCommands) => Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.after(ANSWER_MS, () => late.reject(new Error("timed out")));
    try {
      return await Promise.race([this.#open.then(run), late.promise, this.#ended.promise]);
    } catch (error) {
      throw new StoreTrouble(explain(error, this.#cause), { cause: error });
    } finally {
      cancel();
    }
  }

  /** Hangs up. Idempotent. */
  close(): void {
    this.#ended.reject(new Error("the connection was closed"));
    this.#open.then((redis) => redis.disconnect(), () => {});
  }

  async #connect(url: RedisUrl): Promise<RedisCommands> {
    // Only a relay that has a Redis pays for the library.
    const { Cluster, Redis } = await import("ioredis");
    const redis = url.kind === "cluster"
      ? new Cluster([...url.hosts], {
        redisOptions: nodeOptions(url),
        lazyConnect: true,
        enableReadyCheck: false,
        clusterRetryStrategy: () => null,
        slotsRefreshTimeout: ANSWER_MS,
      })
      : new Redis({ ...nodeOptions(url), ...whereabouts(url) });
    redis.on("error", (error) => this.#cause = error);
    // Whoever gives up meanwhile hangs up, which makes the library let go.
    this.#ended.promise.catch(() => redis.disconnect());
    await redis.connect();
    // The library passes over the refusal of a database, and would go on in the first.
    if (url.database !== 0) await redis.select(url.database);
    return redis;
  }
}

function nodeOptions({ tls, username, password }: RedisUrl) {
  return {
    ...(tls ? { tls: {} } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    disconnectTimeout: 1,
  };
}

function whereabouts({ kind, hosts, master, tls }: RedisUrl) {
  if (kind === "single") return hosts[0];
  return {
    sentinels: [...hosts],
    name: master,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: ANSWER_MS,
    enableTLSForSentinelMode: tls,
  };
}

/** The most telling of what was said of one failure. */
function explain(error: unknown, cause: unknown): string {
  const texts = [error, cause, lastNodeError(error), lastNodeError(cause)].map(messageOf);
  for (const [pattern, words] of WORDS) {
    if (texts.some((text) => pattern.test(text))) return words;
  }
  return texts.findLast((text) => text !== "" && text !== CLOSED) ?? "it hung up";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}

function lastNodeError(error: unknown): unknown {
  return error instanceof Error && "lastNodeError" in error ? error.lastNodeError : undefined;
}
