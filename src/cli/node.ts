/**
 * The composition of a node: the one place where the floors are put together.
 *
 * @module
 */
import type { Clock } from "../../backbone/clock.ts";
import { type GroupKeyFile, openGroupKey } from "../../backbone/group_key.ts";
import { RedisStore } from "../../backbone/registry/redis_store.ts";
import type { RedisUrl } from "../../backbone/registry/redis_url.ts";
import { type ArchiveStore, ArchiveTrouble } from "../../relay/archives/archive_store.ts";
import { RedisStreams } from "../../relay/archives/redis_streams.ts";
import { SqliteStore } from "../../relay/archives/sqlite_store.ts";
import type { RelayOptions } from "../../relay/options.ts";
import { type Relay, startRelay } from "../../relay/relay.ts";
import { denoHost, serve, type Server } from "../edge/adapters/deno.ts";
import { assets } from "../edge/assets.ts";
import { createEdge } from "../edge/edge.ts";
import { anonymousAll } from "../edge/grants.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Log } from "./log.ts";
import { type ArchivePlace, clusterName } from "./node_flags.ts";

/** What an operator decides. Keys are flags, see `node_flags.ts`. */
export interface NodeConfig {
  readonly port: number;
  readonly host: string;
  /** Local IPv4 address for multicast. */
  readonly interface: string;
  /** Absent: from host name and port. */
  readonly id: string | undefined;
  readonly region: string;
  readonly "group-base": string;
  readonly "group-count": number;
  readonly "group-port": number;
  /** Absent: packets are not authenticated. */
  readonly "group-key-file"?: string | undefined;
  /** Absent: slots are spread over the groups by number. */
  readonly redis?: RedisUrl | undefined;
  /** Absent: what all nodes held is gone when all of them end. */
  readonly archive?: ArchivePlace | undefined;
  /** Streams from one remote address; absent: unbounded. */
  readonly connectionsPerAddress?: number;
}

/** What a node is handed. */
export interface NodeResources {
  readonly log: Log;
  readonly clock: Clock;
  /** Other sockets than UDP, such as lossy ones. */
  readonly openSocket?: NonNullable<RelayOptions["openSocket"]>;
}

/** A node that accepts. */
export interface Node {
  readonly id: string;
  readonly origin: string;
  /** Where to reach it from this machine, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Ends every stream, leaves the LAN and gives up all it holds. */
  drain(): Promise<void>;
}

/**
 * Starts relay and edge.
 *
 * @throws {UsageError} if the group key is bad.
 * @throws {CommandError} if the port, the interface or the archive cannot be had.
 */
export async function startNode(config: NodeConfig, resources: NodeResources): Promise<Node> {
  await using stack = new AsyncDisposableStack();
  const groupKey = await openKey(config["group-key-file"], resources);
  stack.defer(() => groupKey?.close());
  const relay = await openRelay(config, resources, groupKey?.credentials);
  stack.defer(() => relay.close());
  const server = await openEdge(config, relay, resources);
  const { id, origin } = relay.upstream.node;
  const running = stack.move();
  return {
    id,
    origin,
    port: server.port,
    url: `http://${reachable(config.host)}:${server.port}`,
    async drain() {
      await server.drain();
      relay.drain();
      await running.disposeAsync();
    },
  };
}

async function openKey(
  path: string | undefined,
  { log, clock }: NodeResources,
): Promise<GroupKeyFile | undefined> {
  if (path === undefined) return undefined;
  try {
    return await openGroupKey({ path, clock, wallMs: Date.now, log });
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new UsageError(`--group-key-file ${path}: ${reason}`);
  }
}

async function openRelay(
  config: NodeConfig,
  resources: NodeResources,
  credentials: RelayOptions["credentials"],
): Promise<Relay> {
  const { region, interface: address } = config;
  try {
    return await startRelay({
      ...resources,
      credentials,
      id: config.id ?? `${Deno.hostname()}-${config.port || `pid${Deno.pid}`}`,
      region,
      interface: address,
      groupBase: config["group-base"],
      groupCount: config["group-count"],
      groupPort: config["group-port"],
      random: Math.random,
      wallMs: Date.now,
      ...tableStore(config, resources),
      ...archiveStore(config, resources),
    });
  } catch (error) {
    if (error instanceof ArchiveTrouble) {
      throw new CommandError(`--archive: ${error.message}`);
    }
    if (error instanceof RangeError) {
      throw new UsageError(`--group-base and --group-count: ${error.message}`);
    }
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new CommandError(`no multicast on --interface ${address}: ${error.message}`);
  }
}

function tableStore(
  { redis: url, "group-count": count, ...config }: NodeConfig,
  { clock }: NodeResources,
): Pick<RelayOptions, "tableStore"> {
  const cluster = clusterName(config);
  return url ? { tableStore: new RedisStore({ url, cluster, count, clock }) } : {};
}

function archiveStore(
  { archive, redis: url, ...config }: NodeConfig,
  { clock }: NodeResources,
): { archive?: ArchiveStore } {
  if (!archive) return {};
  if (archive.kind === "sqlite") return { archive: new SqliteStore(archive.path) };
  if (!url) throw new UsageError("--archive redis: needs --redis, which says where it is");
  return { archive: new RedisStreams({ url, cluster: clusterName(config), clock }) };
}

async function openEdge(
  { host: hostname, port, connectionsPerAddress }: NodeConfig,
  { upstream }: Relay,
  { log }: NodeResources,
): Promise<Server> {
  const limits = connectionsPerAddress === undefined ? {} : { connectionsPerAddress };
  const edge = createEdge({ upstream, host: denoHost, grants: anonymousAll, limits, assets, log });
  try {
    const failed = (cause: unknown) =>
      log("error", "cannot accept connections, trying again", { cause: String(cause) });
    return await serve(edge, { hostname, port, failed });
  } catch (error) {
    throw new CommandError(explain(error, hostname, port));
  }
}

function explain(error: unknown, hostname: string, port: number): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `port ${port} is taken on ${hostname}; try --port ${port < 65535 ? port + 1 : 8000}`;
  }
  const cause = error instanceof Error ? error.message : error;
  return `cannot listen on --host ${hostname} --port ${port}: ${cause}`;
}

/** What to write in a URL for the address that a server listens on. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "127.0.0.1" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
