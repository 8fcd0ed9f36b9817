/**
 * `groundwave doctor`: whether multicast, and Redis where it is to be used, work here, and what to do where it does not.
 *
 * @module
 */
import type { Target } from "../../backbone/udp.ts";
import { defineCommand } from "./command.ts";
import type { PeerReport } from "./doctor/exchange.ts";
import { type Finding, findingLine, ok, trouble } from "./doctor/finding.ts";
import { checkHost, type Read, readSystem } from "./doctor/host.ts";
import { checkLink } from "./doctor/link.ts";
import { checkLoopback } from "./doctor/loopback.ts";
import { checkOwnPort } from "./doctor/own_port.ts";
import { judgePeers, meetPeers } from "./doctor/peers.ts";
import { checkRedis } from "./doctor/redis.ts";
import { socketTrouble } from "./doctor/socket_trouble.ts";
import { CommandError, UsageError } from "./errors.ts";
import { flag, integer, optional, toggle } from "./flag.ts";
import { type Address, chooseInterface } from "./interface.ts";
import { clusterName, groups, interfaceAddress, redis } from "./node_flags.ts";
import { endOf } from "./end.ts";

export const doctor = defineCommand({
  name: "doctor",
  summary: "find out whether multicast and Redis work here, and how to mend them",
  operands: [],
  flags: {
    interface: optional("IP", "look at the interface with this address alone", interfaceAddress),
    "group-base": groups["group-base"],
    "group-count": groups["group-count"],
    "group-port": groups["group-port"],
    redis,
    peer: toggle("exchange packets with other machines where this runs at the same time"),
    seconds: flag("N", "how long to look for others", integer(1, 3_600), 10),
    json: toggle("one JSON object in place of lines"),
  },
  example: "deno task groundwave doctor --peer",
}, async ({ interface: wanted, peer, seconds, json, ...options }, _operands, terminal) => {
  const group = { address: options["group-base"], port: options["group-port"] };
  const findings: Finding[] = [];
  let peers: readonly PeerReport[] | undefined;
  const tell = (found: readonly Finding[]) => {
    findings.push(...found);
    if (!json) terminal.out(found.map((finding) => `${findingLine(finding)}\n`).join(""));
  };
  tell(checkHost(readSystem));
  const addresses = ipv4Addresses(wanted);
  const chosen = choose(wanted, addresses, tell);
  for (const address of addresses) {
    tell(await checkInterface(address, group, address.address === chosen, readSystem));
  }
  if (options.redis) {
    tell(await checkRedis(options.redis, clusterName(options), options["group-count"]));
  }
  if (peer && addresses.length > 0) {
    if (chosen === undefined) throw new UsageError("--peer needs --interface: which one?");
    using end = endOf(terminal, seconds);
    try {
      peers = await meetPeers(chosen, group, end.promise);
      tell(judgePeers(peers, group));
    } catch (error) {
      tell([trouble("fail", "peers", ...socketTrouble(error, group))]);
    }
  }
  const failed = findings.some(({ state }) => state === "fail");
  if (json) terminal.out(`${JSON.stringify({ ok: !failed, findings, peers })}\n`);
  return failed ? 1 : 0;
});

function ipv4Addresses(wanted: string | undefined): Address[] {
  const all = Deno.networkInterfaces().filter(({ family }) => family === "IPv4");
  if (wanted === undefined) return all;
  const found = all.filter(({ address }) => address === wanted);
  if (found.length > 0) return found;
  const known = all.map(({ address }) => address).join(", ");
  throw new CommandError(`no interface has the address ${wanted}; there are ${known}`);
}

/** The address that a node would use, if it can be told. */
function choose(
  wanted: string | undefined,
  addresses: readonly Address[],
  tell: (found: readonly Finding[]) => void,
): string | undefined {
  if (wanted !== undefined) return wanted;
  const about = "interface";
  if (addresses.length === 0) {
    const mend = "give the LAN's interface one, or set lo up for this machine alone";
    tell([trouble("fail", about, "none has an IPv4 address", mend)]);
    return undefined;
  }
  try {
    const chosen = chooseInterface(addresses);
    tell([ok(about, `${chosen} is what a node uses without --interface`)]);
    return chosen;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    tell([trouble("warn", about, "several", error.message)]);
    return undefined;
  }
}

/** Only what a node would use makes the whole fail: machines have interfaces that never carry a LAN. */
async function checkInterface(
  address: Address,
  group: Target,
  isChosen: boolean,
  read: Read,
): Promise<Finding[]> {
  const severity = isChosen ? "fail" : "warn";
  const link = checkLink(address.name, severity, read);
  // What is down needs no second line that says so.
  if (link[0] && link[0].state !== "ok") return link;
  return [
    ...link,
    await checkLoopback(address, group, severity),
    checkOwnPort(address.address, group.port),
  ];
}
