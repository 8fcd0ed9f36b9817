/**
 * Sockets at loopback.
 *
 * @module
 */
import { openUdp, type SocketEvents, type SocketOptions } from "../../backbone/udp.ts";

/** Where they are. */
export const INTERFACE = "127.0.0.1";

/** Opens one whose errors matter only where `error` is given. */
export function open(error: SocketEvents["error"] = () => {}, more: Partial<SocketOptions> = {}) {
  return openUdp({ interfaceAddress: INTERFACE, error, ...more });
}
