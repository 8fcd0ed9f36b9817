/**
 * Plain subscribers for tests, one per transport: what a user without our client would write.
 *
 * @module
 */

/** A message as a subscriber got it. */
export interface Received {
  readonly id: string;
  /** Text, or bytes where the transport said base64. */
  readonly data: string | Uint8Array;
  readonly event?: string;
}

/** A subscriber that collects. */
export interface Subscriber {
  readonly transport: string;
  readonly messages: Received[];
  /** Everything that is no message: gaps and the like, by name. */
  readonly others: string[];
  /** The last cursor it was given. */
  readonly cursor: string;
  /** Resolves when `count` messages have come; rejects after `patienceMs` without a new one. */
  until(count: number, patienceMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** One block of an event stream. */
export interface Block {
  readonly id: string | undefined;
  readonly event: string;
  /** Undefined where the block had no `data` line. */
  readonly data: string | undefined;
}

/** Subscribes; resolves when the server has confirmed it. */
export type Subscribe = (url: string, channel: string, after?: string) => Promise<Subscriber>;

/** Every transport by name. */
export const transports: Readonly<Record<string, Subscribe>> = {
  "sse raw": (url, channel, after) => subscribeBySse(url, channel, "raw", after),
  "sse json": (url, channel, after) => subscribeBySse(url, channel, "json", after),
  ws: subscribeByWebSocket,
  poll: subscribeByPoll,
};

class Collector implements Subscriber {
  readonly messages: Received[] = [];
  readonly others: string[] = [];
  cursor = "";
  #changed: (() => void) | undefined;
  #end: () => Promise<void> = () => Promise.resolve();

  constructor(readonly transport: string) {}

  endsBy(end: () => Promise<void>): void {
    this.#end = end;
  }

  message(message: Received): void {
    this.messages.push(message);
    this.#changed?.();
  }

  /** Takes the object form: WebSocket, SSE json, poll. */
  object(op: Record<string, unknown>): void {
    if (typeof op.cursor === "string") this.cursor = op.cursor;
    if (op.op !== "message") return void this.others.push(String(op.op));
    const text = String(op.data);
    const data = op.encoding === "base64" ? bytesOf(text) : text;
    const event = typeof op.event === "string" ? { event: op.event } : {};
    this.message({ id: String(op.id), data, ...event });
  }

  async until(count: number, patienceMs = 10_000): Promise<void> {
    while (this.messages.length < count) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const had = this.messages.length;
      const late = setTimeout(
        () => reject(new Error(`${this.transport} got ${had} of ${count} messages and no more`)),
        patienceMs,
      );
      this.#changed = resolve;
      await promise.finally(() => clearTimeout(late));
    }
  }

  close(): Promise<void> {
    return this.#end();
  }
}

async function subscribeBySse(
  url: string,
  channel: string,
  format: "raw" | "json",
  after?: string,
): Promise<Subscriber> {
  const collector = new Collector(`sse ${format}`);
  const abort = new AbortController();
  const query = new URLSearchParams({ channel, format });
  const response = await fetch(`${url}/sse?${query}`, {
    headers: after ? { "last-event-id": after } : {},
    signal: abort.signal,
  });
  if (!response.ok || !response.body) throw new Error(await response.text());
  const connected = Promise.withResolvers<void>();
  const reading = (async () => {
    try {
      for await (const block of blocks(response.body ?? new ReadableStream())) {
        if (block.id !== undefined) collector.cursor = block.id;
        connected.resolve();
        if (block.data === undefined) continue;
        if (format === "json" && block.event === "message") {
          collector.object(JSON.parse(block.data));
        } else takeRaw(collector, block);
      }
    } catch (error) {
      if (!abort.signal.aborted) connected.reject(error);
    }
  })();
  collector.endsBy(() => {
    abort.abort();
    return reading;
  });
  await connected.promise;
  return collector;
}

function takeRaw(collector: Collector, { id = "", event, data = "" }: Block): void {
  if (event === "groundwave.base64") collector.message({ id, data: bytesOf(data) });
  else if (["gap", "stale", "fresh", "error"].includes(event)) collector.others.push(event);
  else collector.message({ id, data, ...(event === "message" ? {} : { event }) });
}

/** The blocks of an event stream, read as the HTML standard says; comments and `retry` are passed over. */
export async function* blocks(body: ReadableStream<Uint8Array>): AsyncGenerator<Block> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  let id: string | undefined, event = "message", data: string[] = [];
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (id !== undefined || data.length > 0) {
          yield { id, event, data: data.length > 0 ? data.join("\n") : undefined };
        }
        [id, event, data] = [undefined, "message", []];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "id") id = value;
      else if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
  }
}

async function subscribeByWebSocket(
  url: string,
  channel: string,
  after?: string,
): Promise<Subscriber> {
  const collector = new Collector("ws");
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, "groundwave.v1");
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  socket.onopen = () => socket.send(JSON.stringify({ op: "subscribe", channel, after }));
  socket.onclose = () => {
    closed.resolve();
    connected.reject(new Error("the socket closed"));
  };
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\n")) {
      const op = JSON.parse(line);
      if (op.op === "subscribed") {
        collector.cursor = op.cursor;
        connected.resolve();
      } else collector.object(op);
    }
  };
  collector.endsBy(() => {
    socket.close();
    return closed.promise;
  });
  await connected.promise;
  return collector;
}

async function subscribeByPoll(url: string, channel: string, after?: string): Promise<Subscriber> {
  const collector = new Collector("poll");
  const abort = new AbortController();
  const ask = async (wait: number) => {
    const query = new URLSearchParams({ channel, wait: String(wait) });
    if (collector.cursor) query.set("after", collector.cursor);
    const response = await fetch(`${url}/poll?${query}`, { signal: abort.signal });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.code);
    if (answer.gap) collector.others.push("gap");
    for (const message of answer.messages) collector.object({ op: "message", ...message });
    collector.cursor = answer.cursor;
  };
  collector.cursor = after ?? "";
  await ask(0);
  const polling = (async () => {
    while (!abort.signal.aborted) await ask(5);
  })().catch((error) => {
    if (!abort.signal.aborted) collector.others.push(String(error));
  });
  collector.endsBy(() => {
    abort.abort();
    return polling;
  });
  return collector;
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
