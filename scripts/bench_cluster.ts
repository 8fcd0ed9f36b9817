/**
 * `deno task bench:cluster [--json]`: a cluster beside Socket.IO with its Redis adapter, in the same run and on the same
 * hosts: network namespaces when root, else loopback.
 *
 * Two servers of each, processes of their own: published at the one by POST, subscribed at the other by WebSocket. Then
 * what waiting for a second node costs, what more nodes that hear it cost a publisher, and what channels cost in memory.
 * Socket.IO comes from npm into a temporary folder; without npm, Node or Redis it is left out.
 *
 * @module
 */
import { report } from "./bench/cluster_report.ts";
import type { BenchPlan, ClusterFigures } from "./bench/cluster_program.ts";
import { loopback } from "./bench/loopback.ts";
import { installSocketIo } from "./bench/socket_io.ts";
import type { Place } from "../tests/interop/peers.ts";
import { canOpenLabs, Lab } from "./lan/lab.ts";

const PROGRAM = new URL("bench/cluster_program.ts", import.meta.url).pathname;
/** One to measure from, a publisher, and eight that hear it. */
const HOSTS = 10;

/** Measures on hosts of a lab, or here. */
async function measure(socketIo: readonly string[] | undefined): Promise<ClusterFigures> {
  const peer = socketIo ? { socketIo } : {};
  if (!canOpenLabs()) return await runAt(loopback, { hosts: [], ...peer });
  await using lab = await Lab.open(HOSTS);
  const [first] = lab.hosts, hosts = lab.hosts.map(({ options }) => options);
  if (!first) throw new Error("a lab has hosts");
  return await runAt(first, { hosts, ...peer });
}

/** @throws {Error} if it fails; why stands on standard error. */
async function runAt(
  place: Pick<Place, "spawn">,
  plan: BenchPlan,
): Promise<ClusterFigures> {
  const command = [Deno.execPath(), "run", "-A", PROGRAM, JSON.stringify(plan)];
  const child = place.spawn(command, { stdin: "null", stdout: "piped", stderr: "inherit" });
  const { success, stdout } = await child.output();
  if (!success) throw new Error("the bench ended before its end");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    console.error(`unknown argument ${unknown}; usage: deno task bench:cluster [--json]`);
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "groundwave-bench-" });
  try {
    const socketIo = await installSocketIo(folder).catch((error) => {
      console.error(`without Socket.IO: ${error instanceof Error ? error.message : error}`);
      return undefined;
    });
    const figures = await measure(socketIo);
    console.log(json ? JSON.stringify(figures) : report(figures));
    return 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
