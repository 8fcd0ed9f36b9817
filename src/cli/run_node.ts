/**
 * The life of a node as a process: start, say so, drain at a signal.
 *
 * @module
 */
import { systemClock } from "../../backbone/clock.ts";
import type { ExitCode } from "./errors.ts";
import { createLog, type LogFormat } from "./log.ts";
import { type Node, type NodeConfig, startNode } from "./node.ts";
import { drainOnSignal } from "./shutdown.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Runs a node until it is told to end, and says where to look once it accepts; `more` are further lines to try. */
export async function runNode(
  { log: format, ...config }: NodeConfig & { readonly log: LogFormat },
  terminal: Terminal,
  more: (node: Node) => readonly string[] = () => [],
): Promise<ExitCode> {
  const log = createLog(format, Date.now, terminal), clock = systemClock;
  const node = await startNode(config, { log, clock });
  terminal.out(welcome(node, more(node)));
  log("info", "accepting", { id: node.id, origin: node.origin, url: node.url });
  const code = await drainOnSignal(() => node.drain(), { terminal, log, clock });
  log("info", "ended");
  return code;
}

/** Where to look, and lines to try. */
function welcome({ url, id, origin }: Node, more: readonly string[]): string {
  const lines = [
    `demo page    ${url}/`,
    `publish      curl -d hello ${url}/publish/news`,
    `subscribe    curl -N '${url}/sse?channel=news'`,
    ...more,
  ];
  const body = lines.map((line) => `  ${line}\n`).join("");
  return `groundwave ${VERSION}, node ${id} (origin ${origin})\n\n${body}\nCtrl-C drains and ends.\n`;
}
