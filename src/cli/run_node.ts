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

/** Runs a node until it is told to end. `started` hears of it once it accepts. */
export async function runNode(
  { log: format, ...config }: NodeConfig & { readonly log: LogFormat },
  terminal: Terminal,
  started: (node: Node) => void = () => {},
): Promise<ExitCode> {
  const log = createLog(format, Date.now, terminal), clock = systemClock;
  const node = await startNode(config, { log, clock });
  started(node);
  log("info", "accepting", { id: node.id, origin: node.origin, url: node.url });
  const code = await drainOnSignal(() => node.drain(), { terminal, log, clock });
  log("info", "ended");
  return code;
}
