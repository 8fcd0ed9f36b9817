/**
 * Server-Sent Events, read by `fetch`: unlike `EventSource` it shows status, errors and `Retry-After`, and leaves
 * reconnecting to the client, which does it better.
 *
 * @module
 */
import { GroundwaveError } from "../../../relay/protocol/errors.ts";
import { type ChannelFrame, type ErrorFrame, errorOf } from "../frames.ts";
import { EventStreamParser, type StreamBlock } from "./event_stream.ts";
import { httpTransport, queryOf, type Run } from "./http.ts";
import type { Wanted } from "./transport.ts";

/** A relay breaks its silence every 15 s. */
const SILENCE_MS = 40_000;

/** Opens an SSE link. */
export const sse = httpTransport(async (run, wanted) => {
  const query = queryOf(wanted);
  query.set("format", "json");
  const response = await run.get("sse", query);
  const type = response.headers.get("content-type") ?? "nothing";
  if (!response.body || !type.startsWith("text/event-stream")) {
    await response.body?.cancel();
    throw new GroundwaveError("unavailable", `an event stream was expected, not ${type}`);
  }
  run.opened();
  return await read(run, wanted, response.body);
});

async function read(
  run: Run,
  wanted: readonly Wanted[],
  body: ReadableStream<Uint8Array>,
): Promise<never> {
  const parser = new EventStreamParser(), decoder = new TextDecoder(), reader = body.getReader();
  let id: string | undefined;
  try {
    for (;;) {
      run.patience(SILENCE_MS);
      const { done, value } = await reader.read();
      if (done) throw new GroundwaveError("unavailable", "the stream ended");
      for (const block of parser.push(decoder.decode(value, { stream: true }))) {
        tell(run, wanted, block);
        id = block.id ?? id;
      }
    }
  } finally {
    // The cursor of the last message says also which relays are alive, and how fresh it is.
    if (id !== undefined) tellCursor(run, wanted, id);
    await reader.cancel().catch(() => {});
  }
}

function tell(run: Run, wanted: readonly Wanted[], { event, data, id }: StreamBlock): void {
  if (data === undefined) {
    if (id !== undefined) tellCursor(run, wanted, id);
    return;
  }
  const frame = { op: event, ...JSON.parse(data) } as ChannelFrame | ErrorFrame;
  if (frame.op === "error") throw errorOf(frame);
  run.tell(frame);
}

function tellCursor(run: Run, wanted: readonly Wanted[], cursor: string): void {
  for (const { channel } of wanted) run.tell({ op: "cursor", channel, cursor });
}
