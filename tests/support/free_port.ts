/**
 * A UDP port for a multicast group. Its members share it, so that it cannot be 0.
 *
 * @module
 */

/** A port that nobody uses now. */
export function freePort(): number {
  const probe = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  return port;
}
