/**
 * Sockets that lose a share of what they receive. Tests put them under an endpoint; the product knows nothing of them.
 *
 * @module
 */
import { type OpenSocket, openUdp } from "../../backbone/udp.ts";

/** The system's UDP, less what `drop` says is lost. */
export function lossyUdp(drop: (bytes: Uint8Array) => boolean): OpenSocket {
  return async (options) => {
    const socket = await openUdp(options);
    return {
      send: (bytes, to) => socket.send(bytes, to),
      sendAll: (datagrams, to) => socket.sendAll(datagrams, to),
      receiveBuffer: () => socket.receiveBuffer(),
      close: () => socket.close(),
      join: (group, events) =>
        socket.join(group, {
          ...events,
          datagram: (bytes, from) => {
            if (!drop(bytes)) events.datagram(bytes, from);
          },
        }),
    };
  };
}
