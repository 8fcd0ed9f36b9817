/**
 * `GET /ws`: the handshake of a WebSocket.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Core, Handler } from "./core.ts";
import { Query } from "./query.ts";
import { parse, present, socketQuery } from "./schema.ts";
import { Turn } from "./turn.ts";
import { SocketConnection } from "./ws_connection.ts";

const PROTOCOL = "groundwave.v1";

export function socketHandler(core: Core): Handler {
  const turn = new Turn(core.host, "\n");
  return async (c) => {
    const request = c.req.raw, address = c.env.remoteAddress, query = new Query(request.url);
    const { channels, after } = parse(
      socketQuery,
      present({
        channels: query.channels(core.limits.channels),
        after: query.one("after"),
      }),
    );
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new GroundwaveError("bad_request", "a WebSocket handshake is expected here");
    }
    const grant = await core.grants.of(request);
    const place = core.connections.admit("websocket", address);
    const connection = new SocketConnection(core, { grant, turn, place });
    for (const channel of channels) connection.subscribeOnceOpen(channel, after);
    try {
      return core.host.upgradeWebSocket(request, offered(request), connection);
    } catch (cause) {
      place.release();
      throw new GroundwaveError("bad_request", "the WebSocket handshake is faulty", { cause });
    }
  };
}

/** The subprotocol, if the client offers it; it need not. */
function offered(request: Request): string | undefined {
  const protocols = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  return protocols.some((protocol) => protocol.trim() === PROTOCOL) ? PROTOCOL : undefined;
}
