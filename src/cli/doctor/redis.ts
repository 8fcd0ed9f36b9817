/**
 * Whether the Redis that nodes are to share can be used.
 *
 * @module
 */
import { systemClock } from "../../../backbone/clock.ts";
import { RedisStore } from "../../../backbone/registry/redis_store.ts";
import type { RedisUrl } from "../../../backbone/registry/redis_url.ts";
import { SlotGroups } from "../../../backbone/registry/slot_groups.ts";
import { StoreTrouble } from "../../../backbone/registry/table_store.ts";
import { type Finding, ok, trouble } from "./finding.ts";

/** Scripts of older ones may not ask for the time and then write. */
const OLDEST_VERSION = 5;

/** One thing to look at: answers how it is, or throws why it is not well. */
interface Check {
  readonly about: string;
  readonly mend: string;
  readonly run: (store: RedisStore, url: RedisUrl) => Promise<string>;
}

const CHECKS: readonly Check[] = [
  { about: "version", mend: "see that it runs, and that --redis is right", run: version },
  { about: "role", mend: "let --redis lead to the master", run: role },
  { about: "writes", mend: "see that it takes writes and has memory left", run: writes },
  { about: "table", mend: "until then nodes go on with the table that they have", run: table },
];

/** @param cluster the name that nodes with these flags have for theirs. @param count how many groups it has. */
export async function checkRedis(
  url: RedisUrl,
  cluster: string,
  count: number,
): Promise<readonly Finding[]> {
  const store = new RedisStore({ url, cluster, count, clock: systemClock });
  const findings: Finding[] = [];
  try {
    for (const check of CHECKS) {
      const finding = await attempt(check, store, url);
      findings.push(finding);
      // What cannot be reached needs no further lines that say so.
      if (findings.length === 1 && finding.state !== "ok") break;
    }
    return findings;
  } finally {
    store.close();
  }
}

async function attempt({ about, mend, run }: Check, store: RedisStore, url: RedisUrl) {
  const what = `redis ${about}`;
  try {
    return ok(what, await run(store, url));
  } catch (error) {
    if (!(error instanceof StoreTrouble)) throw error;
    return trouble("fail", what, error.message, mend);
  }
}

async function version(store: RedisStore, { shown }: RedisUrl): Promise<string> {
  // Dialling is no part of the time it takes to answer.
  const info = await store.use((redis) => redis.info("server"));
  const startedMs = performance.now();
  await store.use((redis) => redis.info("server"));
  const answerMs = performance.now() - startedMs;
  const version = field(info, "redis_version");
  if (Number.parseInt(version) >= OLDEST_VERSION) {
    return `${version} at ${shown} answers in ${answerMs.toFixed(1)} ms`;
  }
  throw new StoreTrouble(`${version || "unknown"}, where ${OLDEST_VERSION} or later is needed`);
}

async function role(store: RedisStore, { kind }: RedisUrl): Promise<string> {
  if (kind === "cluster") {
    const state = field(await store.use((redis) => redis.cluster("INFO")), "cluster_state");
    if (state === "ok") return "Cluster, all slots served";
    throw new StoreTrouble(`Cluster, not all slots served (state ${state})`);
  }
  const role = field(await store.use((redis) => redis.info("replication")), "role");
  if (role === "master") return role;
  throw new StoreTrouble(`${role}, which takes no writes`);
}

async function writes(store: RedisStore): Promise<string> {
  await store.use((redis) => redis.set(`${store.key}:doctor`, "", "PX", 1));
  return "taken";
}

async function table(store: RedisStore): Promise<string> {
  const table = await store.read(SlotGroups.initial(1));
  if (!table) return "none yet: the first node writes it";
  return `epoch ${table.epoch}`;
}

/** One `name:value` of what INFO answers. */
function field(info: unknown, name: string): string {
  return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(String(info))?.[1] ?? "";
}
