/**
 * Whether requests that receivers send to this machine alone can be heard.
 *
 * @module
 */
import { type Finding, ok, trouble } from "./finding.ts";
import { socketTrouble } from "./socket_trouble.ts";

/** OpenPGM's receivers ask for repairs by unicast; ours ask the group. */
export function checkOwnPort(address: string, port: number): Finding {
  const about = `${address}:${port}`;
  try {
    Deno.listenDatagram({ transport: "udp", hostname: address, port }).close();
    return ok(about, "free");
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) {
      return trouble("warn", about, ...socketTrouble(error, { address, port }));
    }
    return trouble(
      "warn",
      about,
      "taken: fine if by a node here, else requests of OpenPGM's receivers do not arrive",
      `see whose it is with ss -ulpn 'sport = :${port}'`,
    );
  }
}
