/**
 * `groundwave doctor --peer`: whether packets get through between this machine and others where it runs too.
 *
 * @module
 */
import { openUdp, type Target } from "../../../backbone/udp.ts";
import { newOrigin } from "../../../relay/new_names.ts";
import { Exchange, type PeerReport } from "./exchange.ts";
import { type Finding, ok, trouble } from "./finding.ts";
import { decodeMessage, encodeMessage } from "./probe.ts";

const PROBE_MS = 100;

/**
 * Sends probes until `end`, and hears what comes of it.
 *
 * @throws what the system's sockets fail with.
 */
export async function meetPeers(
  interfaceAddress: string,
  group: Target,
  end: Promise<void>,
): Promise<PeerReport[]> {
  const exchange = new Exchange(newOrigin());
  // What cannot be sent or heard shows in the figures.
  const error = () => {};
  const datagram = (bytes: Uint8Array, { address }: Target) => {
    const message = decodeMessage(bytes);
    const answer = message && exchange.handle(message, address, performance.now());
    if (answer) void socket.send(encodeMessage(answer), { address, port: group.port });
  };
  const own = { port: group.port, datagram };
  const socket = await openUdp({ interfaceAddress, own, error });
  const probe = () => void socket.send(encodeMessage(exchange.probe(performance.now())), group);
  let repeat: ReturnType<typeof setInterval> | undefined;
  try {
    await socket.join(group, { datagram, error });
    probe();
    repeat = setInterval(probe, PROBE_MS);
    await end;
    return exchange.report();
  } finally {
    clearInterval(repeat);
    socket.close();
  }
}

/** What the exchange says about the LAN. */
export function judgePeers(reports: readonly PeerReport[], group: Target): Finding[] {
  if (reports.length > 0) return reports.map((report) => judge(report, group));
  return [trouble(
    "fail",
    "peers",
    "no other doctor heard",
    `run this at the same time on another machine of this LAN, with the same flags; if it does run, ${
      ways(group)
    }`,
  )];
}

function judge({ address, heard, sent, hearsUs, answers, roundTripMs }: PeerReport, group: Target) {
  const about = `peer ${address}`;
  if (heard === 0) {
    return trouble(
      "fail",
      about,
      "its multicast does not arrive here, its unicast does",
      ways(group),
    );
  }
  if (!hearsUs) {
    return trouble("fail", about, "it does not hear our multicast", `there: ${ways(group)}`);
  }
  const count = `${heard} of ${sent} packets`;
  if (heard < sent) {
    const mend = "look for overload, bad cables and Wi-Fi; what is lost is repaired, and late";
    return trouble("warn", about, `heard ${count}`, mend);
  }
  if (answers === 0) {
    const mend = `let firewalls accept UDP port ${group.port}, and end what else has that port`;
    return trouble("warn", about, "multicast passes both ways, its unicast does not arrive", mend);
  }
  return ok(about, `heard ${count} and hears us, round trip ${roundTripMs?.toFixed(1)} ms`);
}

/** What keeps multicast from arriving. */
function ways({ address, port }: Target): string {
  return `let the firewall accept UDP to ${address}/26 port ${port}, and see that switches that snoop on IGMP have a querier`;
}
