/**
 * The measuring half of the cluster bench: in a lab a program on one of its hosts, from where it reaches the others. Its
 * one argument is a {@link BenchPlan}; it prints {@link ClusterFigures}.
 *
 * @module
 */
import { freeGroupPort } from "../../tests/support/node_process.ts";
import type { Place } from "../../tests/interop/peers.ts";
import { startRedis } from "../../tests/support/redis_server.ts";
import { Host, type HostOptions } from "../lan/host.ts";
import { batches, deliveries, latency, replicatedBatches, singles } from "./cluster_rows.ts";
import { type Growth, growth } from "./growth.ts";
import { type LevelFigures, measureLevels } from "./levels.ts";
import { loopback } from "./loopback.ts";
import type { MemoryFigures } from "./memory.ts";
import { startNodeAt, startProgramAt } from "./place.ts";
import { median } from "./quantiles.ts";
import { groundwaveSystem, socketIoSystem, type System } from "./systems.ts";

export interface BenchPlan {
  /** In a lab: where this program and Redis run, and then the hosts of servers. Empty: all on loopback. */
  readonly hosts: readonly HostOptions[];
  /** The command of a Socket.IO server, if there is one. */
  readonly socketIo?: readonly string[];
}

/** Medians of several rounds. */
export interface SystemFigures {
  readonly p50_ms: number;
  readonly singles_per_s: number;
  readonly batched_per_s: number;
  /** Each batch answered when both servers hold it; null where that cannot be had. */
  readonly batched_replicated_per_s: number | null;
  readonly deliveries_per_s: number;
}

export interface ClusterFigures {
  readonly groundwave: SystemFigures;
  /** Null where it cannot be had. */
  readonly socket_io: SystemFigures | null;
  readonly levels: LevelFigures;
  readonly growth: readonly Growth[];
  readonly memory: MemoryFigures;
}

const ROUNDS = 5;
/** How many relays hear the publisher. */
const HEARERS = [1, 8];

const MEASURES = {
  p50_ms: latency,
  singles_per_s: singles,
  batched_per_s: batches,
  batched_replicated_per_s: replicatedBatches,
  deliveries_per_s: deliveries,
} as const satisfies Record<keyof SystemFigures, (system: System) => Promise<number> | undefined>;

async function measure({ hosts, socketIo }: BenchPlan): Promise<ClusterFigures> {
  const [, ...servers] = hosts.map((options) => new Host(options));
  const places: readonly Place[] = servers.length > 0
    ? servers
    : Array.from({ length: 1 + Math.max(...HEARERS) }, () => loopback);
  // The switch is this machine, too: its copies for hosts that take no part would be made at the publisher's cost.
  const idle = servers.slice(2);
  for (const host of idle) host.unplug();
  const compared = await compare(places, hosts[0]?.address ?? "127.0.0.1", socketIo);
  for (const host of idle) host.mend();
  say(`${HEARERS.join(" and ")} hearing …`);
  const grown = await growth(places, HEARERS);
  say("memory …");
  return { ...compared, growth: grown, memory: await memory() };
}

/** Both systems in turn, and the levels of ours. */
async function compare(
  places: readonly Place[],
  address: string,
  command: readonly string[] | undefined,
): Promise<Omit<ClusterFigures, "growth" | "memory">> {
  await using stack = new AsyncDisposableStack();
  const [first, second] = places;
  if (!first || !second) throw new Error("two hosts are needed");
  const groupPort = freeGroupPort();
  const nodes = [
    await startNodeAt(first, groupPort),
    await startNodeAt(second, groupPort),
  ] as const;
  for (const node of nodes) stack.defer(async () => void await node.end("SIGKILL"));
  const systems = [groundwaveSystem(nodes)];
  if (command) systems.push(await startSocketIo(stack, [first, second], address, command));
  const levels = await measureLevels(nodes[0].url.replace("localhost", "127.0.0.1"));
  const figures = await measureInTurn(systems);
  const [groundwave, socket_io = null] = figures;
  if (!groundwave) throw new Error("nothing was measured");
  return { groundwave, socket_io, levels };
}

/** Each measure by each system, round by round, so that a neighbour's load meets all. */
async function measureInTurn(systems: readonly System[]): Promise<SystemFigures[]> {
  const medians: Partial<Record<keyof SystemFigures, number[]>> = {};
  for (const name of Object.keys(MEASURES) as (keyof SystemFigures)[]) {
    const runs = systems.map((): number[] => []);
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, system] of systems.entries()) {
        const figure = await MEASURES[name](system);
        if (figure === undefined) continue;
        say(`${name} ${system.name} ${figure.toFixed(3)}`);
        // The first round warms up.
        if (round > 0) runs[i]?.push(figure);
      }
    }
    medians[name] = runs.map(median);
  }
  const of = (name: keyof SystemFigures, i: number) => medians[name]?.[i] ?? NaN;
  return systems.map((_, i) => ({
    p50_ms: of("p50_ms", i),
    singles_per_s: of("singles_per_s", i),
    batched_per_s: of("batched_per_s", i),
    batched_replicated_per_s: of("batched_replicated_per_s", i),
    deliveries_per_s: of("deliveries_per_s", i),
  }));
}

async function startSocketIo(
  stack: AsyncDisposableStack,
  [first, second]: readonly [Place, Place],
  address: string,
  command: readonly string[],
): Promise<System> {
  const listen = ["--bind", address, "127.0.0.1", "--protected-mode", "no"];
  const redis = stack.use(await startRedis(listen));
  const start = async (place: Place) => {
    const url = `redis://${address}:${redis.port}`;
    const server = await startProgramAt(place, [...command, place.address, url]);
    stack.defer(async () => void await server.end("SIGKILL"));
    return server;
  };
  return socketIoSystem([await start(first), await start(second)]);
}

async function memory(): Promise<MemoryFigures> {
  const program = new URL("memory.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--v8-flags=--expose-gc,--max-old-space-size=4096", program],
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(decode(stderr));
  return JSON.parse(decode(stdout));
}

function say(line: string): void {
  console.error(line);
}

if (import.meta.main) {
  console.log(JSON.stringify(await measure(JSON.parse(Deno.args[0] ?? ""))));
  Deno.exit(0);
}
