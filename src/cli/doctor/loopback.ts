/**
 * Whether what an interface sends to a group comes back to it, as it must for two nodes of one machine.
 *
 * @module
 */
import { newOrigin } from "../../../relay/new_names.ts";
import { openUdp, type Target } from "../../../backbone/udp.ts";
import { type Finding, ok, trouble } from "./finding.ts";
import { socketTrouble } from "./socket_trouble.ts";

const PATIENCE_MS = 1_000;
const REPEAT_MS = 100;

/** Sends to the group until it comes back, with TTL 1 as nodes do. */
export async function checkLoopback(
  { name, address }: { readonly name: string; readonly address: string },
  group: Target,
  severity: "warn" | "fail",
): Promise<Finding> {
  const about = `${name} ${address}`;
  try {
    const tookMs = await returnTrip(address, group);
    if (tookMs !== undefined) {
      return ok(about, `multicast with TTL 1 comes back in ${tookMs.toFixed(1)} ms`);
    }
    const mend = `let the firewall accept UDP to ${group.address}/26 port ${group.port} on ${name}`;
    return trouble(severity, about, "multicast is sent and does not come back", mend);
  } catch (error) {
    return trouble(severity, about, ...socketTrouble(error, group));
  }
}

/** Milliseconds there and back; undefined if nothing came. */
async function returnTrip(interfaceAddress: string, group: Target): Promise<number | undefined> {
  // Other doctors on the LAN hear it too, and must not take us for one that waits for them.
  const text = `groundwave loopback ${newOrigin()}`;
  const back = Promise.withResolvers<number | undefined>();
  const error = (_kind: string, cause: unknown) => back.reject(cause);
  const socket = await openUdp({ interfaceAddress, error });
  let sentMs = 0;
  const probe = () => {
    sentMs = performance.now();
    void socket.send(new TextEncoder().encode(text), group);
  };
  const repeat = setInterval(probe, REPEAT_MS);
  const late = setTimeout(() => back.resolve(undefined), PATIENCE_MS);
  // Awaited below, unless joining fails first.
  back.promise.catch(() => {});
  try {
    await socket.join(group, {
      datagram: (bytes) => {
        if (new TextDecoder().decode(bytes) !== text) return;
        back.resolve(performance.now() - sentMs);
      },
      error,
    });
    probe();
    return await back.promise;
  } finally {
    clearInterval(repeat);
    clearTimeout(late);
    socket.close();
  }
}
