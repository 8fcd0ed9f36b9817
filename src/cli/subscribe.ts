/**
 * `groundwave subscribe`: follows channels with the client that browsers use.
 *
 * @module
 */
import { connect, type Message, type SubscribeOptions, type TransportName } from "../client/mod.ts";
import { defineCommand } from "./command.ts";
import type { ExitCode } from "./errors.ts";
import { oneOf, optional, text, toggle } from "./flag.ts";
import { jsonPrinter, type Printer, textPrinter } from "./printer.ts";
import { nodeUrl, platformWith, token } from "./remote.ts";

const TRANSPORTS: Readonly<Record<"sse" | "ws", readonly TransportName[]>> = {
  sse: ["sse"],
  ws: ["websocket"],
};

export const subscribe = defineCommand({
  name: "subscribe",
  summary: "print messages as they come; reconnects and goes on where it was",
  operands: ["URL", "CHANNEL…"],
  flags: {
    after: optional(
      "CURSOR",
      "begin after this cursor or message id; earliest: with all that is held",
      text(/^./s, "a cursor, a message id or earliest"),
    ),
    json: toggle("one JSON object a line, as on a WebSocket, gaps included"),
    transport: optional("NAME", "sse or ws; else whichever gets through", oneOf("sse", "ws")),
    token,
  },
  example: "deno task groundwave subscribe http://localhost:8000 news --after earliest",
}, async ({ after, json, transport, token }, [node = "", ...channels], terminal) => {
  const wanted = [...new Set(channels)];
  const printer = json ? jsonPrinter(terminal) : textPrinter(terminal, wanted.length > 1);
  const ended = Promise.withResolvers<ExitCode>();
  const client = connect(nodeUrl(node), {
    ...transport && { transports: TRANSPORTS[transport] },
    platform: platformWith(token),
    onState(state) {
      if (state === "waiting") terminal.err(`trying again: ${client.error?.message}\n`);
    },
  });
  const unhook = terminal.onSignal(() => ended.resolve(0));
  try {
    for (const channel of wanted) {
      const { message, ...options } = handlers(channel, printer, ended.reject);
      client.subscribe(channel, message, { ...options, ...after !== undefined && { after } });
    }
    return await ended.promise;
  } finally {
    unhook();
    client.close();
  }
});

interface Handlers extends SubscribeOptions {
  readonly message: (message: Message) => void;
}

/** Prints what one channel brings. An error of the stream or of the output, such as a closed pipe, goes to `fail`. */
function handlers(channel: string, printer: Printer, fail: (error: unknown) => void): Handlers {
  const guarded = <T>(print: (event: T) => void) => (event: T) => {
    try {
      print(event);
    } catch (error) {
      fail(error);
    }
  };
  let stale = false;
  return {
    message: guarded(printer.message),
    onGap: guarded(printer.gap),
    onState: guarded((state) => {
      if (state !== "stale" && !(state === "live" && stale)) return;
      stale = state === "stale";
      printer.freshness(channel, stale ? "stale" : "fresh");
    }),
    onError: fail,
  };
}
