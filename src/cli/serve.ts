/**
 * `groundwave serve`: a node for production, edge and relay in one process.
 *
 * @module
 */
import { defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { flag, oneOf, optional } from "./flag.ts";
import { chooseInterface } from "./interface.ts";
import {
  archive,
  groups,
  host,
  id,
  interfaceAddress,
  log,
  port,
  redis,
  region,
} from "./node_flags.ts";
import { runNode } from "./run_node.ts";

/** INTERFACE "Limits": streams from one remote address. */
const CONNECTIONS_PER_ADDRESS = 100;

export const serve = defineCommand({
  name: "serve",
  summary: "run a node: edge and relay in one process",
  operands: [],
  flags: {
    port,
    host: host("0.0.0.0"),
    interface: optional(
      "IP",
      "local address for multicast (the only one there is)",
      interfaceAddress,
    ),
    id,
    region,
    ...groups,
    redis,
    archive,
    anonymous: flag(
      "WHO",
      "what may be done without a token: none, subscribe or all",
      oneOf("none", "subscribe", "all"),
      "none",
    ),
    log,
  },
  example: "deno task groundwave serve --interface 192.168.1.10 --anonymous all",
}, async ({ anonymous, ...options }, _operands, terminal) => {
  if (anonymous !== "all") {
    throw new UsageError(
      `--anonymous ${anonymous}: this version cannot check tokens yet, so nobody could do the rest; ` +
        "start with --anonymous all, which lets everybody publish and subscribe",
    );
  }
  const address = options.interface ?? chooseInterface(Deno.networkInterfaces());
  const connectionsPerAddress = CONNECTIONS_PER_ADDRESS;
  return await runNode({ ...options, interface: address, connectionsPerAddress }, terminal);
});
