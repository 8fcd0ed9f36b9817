/**
 * `groundwave dev`: a node for development, complete and open to everybody on this machine.
 *
 * @module
 */
import { defineCommand } from "./command.ts";
import { flag } from "./flag.ts";
import type { Node } from "./node.ts";
import { groups, host, id, interfaceAddress, log, port, region } from "./node_flags.ts";
import { runNode } from "./run_node.ts";
import { VERSION } from "./version.ts";

export const dev = defineCommand({
  name: "dev",
  summary: "run a node for development: edge and relay, anonymous, no other service needed",
  operands: [],
  flags: {
    port,
    host: host("127.0.0.1"),
    interface: flag("IP", "local address for multicast", interfaceAddress, "127.0.0.1"),
    id,
    region,
    ...groups,
    log,
  },
  example: "deno task dev --port 8001",
}, async (options, _operands, terminal) => {
  return await runNode(options, terminal, (node) => terminal.out(welcome(node)));
});

/** Where to look, and lines to try. */
function welcome({ url, port, id, origin }: Node): string {
  return [
    `groundwave ${VERSION}, node ${id} (origin ${origin})`,
    "",
    `  demo page    ${url}/`,
    `  publish      curl -d hello ${url}/publish/news`,
    `  subscribe    curl -N '${url}/sse?channel=news'`,
    `  second node  deno task dev --port ${nextPort(port)}`,
    "",
    "Ctrl-C drains and ends.",
    "",
  ].join("\n");
}

function nextPort(port: number): number {
  return port < 65535 ? port + 1 : 8000;
}
