/**
 * A node elsewhere, as `publish` and `subscribe` speak to it.
 *
 * @module
 */
import { z } from "zod";
import { type ErrorCode, ERRORS, GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Platform, webPlatform } from "../client/platform.ts";
import { CommandError, UsageError } from "./errors.ts";
import { optional, secret } from "./flag.ts";

/** `--token`, the same wherever a command speaks to a node. */
export const token = optional(
  "TOKEN",
  "sent as Authorization: Bearer TOKEN",
  secret(/^[\x21-\x7e]+$/, "a token without blanks"),
);

/** The node's address from an operand. @throws {UsageError} if it is no http or https URL. */
export function nodeUrl(operand: string): URL {
  const url = URL.parse(operand);
  if (url && /^https?:$/.test(url.protocol)) {
    url.pathname = url.pathname.replace(/\/*$/, "/");
    url.search = url.hash = "";
    return url;
  }
  throw new UsageError(`"${operand}" is not the URL of a node, such as http://localhost:8000`);
}

const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The error in an answer. @throws {CommandError} in place of answers that no node gives. */
export async function remoteError(response: Response): Promise<GroundwaveError> {
  const body = errorBody.safeParse(await response.json().catch(() => undefined));
  if (body.success) {
    const { code, message } = body.data.error;
    if (isErrorCode(code)) return new GroundwaveError(code, message);
  }
  throw new CommandError(`${response.url} answered ${response.status}: is this a Groundwave node?`);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The client's platform, showing a token where a browser could not: in the headers of the WebSocket handshake too. */
export function platformWith(token: string | undefined): Platform {
  if (token === undefined) return webPlatform;
  const authorization = `Bearer ${token}`;
  return {
    ...webPlatform,
    fetch(url, init) {
      const headers = new Headers(init?.headers);
      headers.set("authorization", authorization);
      return webPlatform.fetch(url, { ...init, headers });
    },
    openSocket(url, protocol, events) {
      const socket = new WebSocket(url, { protocols: [protocol], headers: { authorization } });
      const ended = Promise.withResolvers<CloseEvent>();
      socket.onopen = () => events.open();
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") events.text(data);
      };
      // Deno reports the same end twice after a timeout; a promise settles once.
      socket.onclose = ended.resolve;
      ended.promise.then(({ code, reason }) => events.close(code, reason));
      return socket;
    },
  };
}
