/**
 * `deno task bench:cluster [--json]`: what a cluster costs. Two nodes on loopback, processes of their own.
 *
 * @module
 */
import { freeGroupPort, type ServerProcess, startNode } from "../tests/support/node_process.ts";
import { type LevelFigures, measureLevels } from "./bench/levels.ts";

/** Milliseconds that `replicated` may cost over `accepted` at p50. */
const LEVEL_AIM_MS = 1;

function report(levels: LevelFigures): string {
  const ms = (value: number) => value.toFixed(3).padStart(10);
  const { accepted_p50_ms, replicated_p50_ms, accepted_p99_ms, replicated_p99_ms } = levels;
  return [
    "from a POST to its answer, ms  p50       p99",
    `accepted              ${ms(accepted_p50_ms)}${ms(accepted_p99_ms)}`,
    `replicated            ${ms(replicated_p50_ms)}${ms(replicated_p99_ms)}`,
    `replicated costs      ${
      ms(replicated_p50_ms - accepted_p50_ms)
    }  aim < ${LEVEL_AIM_MS} at p50`,
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    console.error(`unknown argument ${unknown}; usage: deno task bench:cluster [--json]`);
    return 2;
  }
  const nodes: ServerProcess[] = [];
  const cluster = ["dev", "--port", "0", "--group-port", String(freeGroupPort())];
  try {
    nodes.push(await startNode(...cluster), await startNode(...cluster));
    const levels = await measureLevels(nodes[0]?.url.replace("localhost", "127.0.0.1") ?? "");
    console.log(json ? JSON.stringify({ levels }) : report(levels));
    return 0;
  } finally {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
