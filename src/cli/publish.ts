/**
 * `groundwave publish`: one message to a node, by HTTP.
 *
 * @module
 */
import { z } from "zod";
import { decodeUtf8 } from "../../relay/protocol/utf8.ts";
import { defineCommand } from "./command.ts";
import { CommandError } from "./errors.ts";
import { oneOf, optional, text } from "./flag.ts";
import { nodeUrl, remoteError, token } from "./remote.ts";
import type { Terminal } from "./terminal.ts";

/** A node answers within this or not at all. */
const ANSWER_MS = 30_000;

const published = z.object({ id: z.string(), ack: z.string() });

export const publish = defineCommand({
  name: "publish",
  summary: "publish one message; prints its id and the level it reached",
  operands: ["URL", "CHANNEL", "[DATA|-]"],
  flags: {
    event: optional("NAME", "event name", text(/^./s, "a name")),
    ack: optional(
      "LEVEL",
      "accepted, replicated or archived: the level to wait for",
      oneOf("accepted", "replicated", "archived"),
    ),
    key: optional("KEY", "idempotency key", text(/^./s, "a key")),
    after: optional("CURSOR", "what the message answers", text(/^./s, "a cursor or message ids")),
    token,
  },
  example: `deno task groundwave publish http://localhost:8000 news "hello"`,
}, async ({ event, ack, key, after, token }, [node = "", channel = "", data = "-"], terminal) => {
  const url = new URL("publish", nodeUrl(node));
  url.searchParams.set("channel", channel);
  for (const [name, value] of Object.entries({ event, ack, key, after })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const body = data === "-" ? await readMessage(terminal) : data;
  const response = await post(url, body, token);
  if (!response.ok) throw await remoteError(response);
  const answer = published.safeParse(await response.json().catch(() => undefined));
  if (!answer.success) throw new CommandError(`${url.origin}: is this a Groundwave node?`);
  terminal.out(`${answer.data.id} ${answer.data.ack}\n`);
  return 0;
});

/** Standard input: text if it is UTF-8, else binary. */
async function readMessage(terminal: Terminal): Promise<string | Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await terminal.readInput());
  try {
    return decodeUtf8(bytes);
  } catch {
    return bytes;
  }
}

async function post(
  url: URL,
  body: string | Uint8Array<ArrayBuffer>,
  token: string | undefined,
): Promise<Response> {
  const type = typeof body === "string" ? "text/plain; charset=utf-8" : "application/octet-stream";
  const headers = new Headers({ "content-type": type });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  try {
    return await fetch(url, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandError(`no answer from ${url.origin}: ${cause}`);
  }
}
