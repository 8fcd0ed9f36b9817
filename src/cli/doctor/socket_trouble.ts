/**
 * Why no socket could be had, and what to do about it.
 *
 * @module
 */
import type { Target } from "../../../backbone/udp.ts";

/** What a finding says of an error of the system's sockets, and how to mend it. */
export function socketTrouble(error: unknown, { port }: Target): [says: string, mend: string] {
  if (error instanceof Deno.errors.AddrInUse) {
    const says = `port ${port} is taken by a program that does not share it`;
    return [says, `end it (ss -ulpn 'sport = :${port}' shows it), or choose another --group-port`];
  }
  const says = error instanceof Error ? error.message : String(error);
  return [`no socket for multicast: ${says}`, "check the address and the interface's state"];
}
