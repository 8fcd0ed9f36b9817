/**
 * `groundwave dev`: a node for development, complete and open to everybody on this machine.
 *
 * @module
 */
import { defineCommand } from "./command.ts";
import { flag } from "./flag.ts";
import { groups, host, id, interfaceAddress, log, port, region } from "./node_flags.ts";
import { runNode } from "./run_node.ts";

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
  return await runNode(options, terminal, ({ port }) => [secondNode(port)]);
});

function secondNode(port: number): string {
  return `second node  deno task dev --port ${port < 65535 ? port + 1 : 8000}`;
}
