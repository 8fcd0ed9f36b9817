/**
 * A machine for the client that does only what a test says.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Platform, Socket, SocketEvents } from "../../src/client/mod.ts";

/** Turns of the event loop that something may take. */
const MAX_TURNS = 1000;

export class FakePlatform implements Platform {
  nowMs = 0;
  /** What `random` answers. */
  chance = 0.5;
  readonly sockets: FakeSocket[] = [];
  readonly requests: FakeRequest[] = [];
  /** What `/readyz` answers at once; undefined: nothing is there. */
  ready: (() => Response) | undefined = () => Response.json({ status: "ready" });
  readonly #timers = new Set<{ readonly atMs: number; readonly fn: () => void }>();
  readonly #online = new Set<() => void>();

  fetch(url: URL, init: RequestInit = {}): Promise<Response> {
    if (url.pathname === "/readyz") {
      return this.ready ? Promise.resolve(this.ready()) : Promise.reject(new TypeError("no route"));
    }
    const request = new FakeRequest(url, init);
    this.requests.push(request);
    return request.answer;
  }

  openSocket(url: URL, _protocol: string, events: SocketEvents): Socket {
    const socket = new FakeSocket(url, events);
    this.sockets.push(socket);
    return socket;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return this.chance;
  }

  online(fn: () => void): () => void {
    this.#online.add(fn);
    return () => this.#online.delete(fn);
  }

  backOnline(): void {
    for (const fn of this.#online) fn();
  }

  /** How many timers and listeners are left. */
  get pending(): number {
    return this.#timers.size + this.#online.size;
  }

  /** Lets time pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    // What has just happened may set a timer a turn later.
    await turn();
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.nowMs = next.atMs;
      next.fn();
      await turn();
    }
    this.nowMs = untilMs;
    await turn();
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    assert(socket, "no socket was opened");
    return socket;
  }

  /** The next request that `path` begins, once it is there. */
  async request(path: string): Promise<FakeRequest> {
    const found = () => this.requests.find((one) => !one.seen && one.url.pathname === path);
    await until(() => found() !== undefined, `a request of ${path}`);
    const request = found();
    assert(request);
    request.seen = true;
    return request;
  }
}

export class FakeSocket implements Socket {
  bufferedAmount = 0;
  closed = false;
  readonly #sent: string[] = [];

  constructor(readonly url: URL, private readonly events: SocketEvents) {}

  send(text: string): void {
    this.#sent.push(...text.split("\n"));
  }

  close(): void {
    this.closed = true;
  }

  /** The operations sent since the last call. */
  async sent(): Promise<Record<string, unknown>[]> {
    await turn();
    return this.#sent.splice(0).map((line) => JSON.parse(line));
  }

  /** The relay accepts, and answers the first ping. */
  async open(): Promise<Record<string, unknown>[]> {
    this.events.open();
    const sent = await this.sent();
    this.say({ op: "pong" });
    return sent;
  }

  say(...frames: object[]): void {
    this.text(frames.map((frame) => JSON.stringify(frame)).join("\n"));
  }

  text(text: string): void {
    this.events.text(text);
  }

  end(code = 1006, reason = ""): void {
    this.events.close(code, reason);
  }
}

export class FakeRequest {
  seen = false;
  readonly #answer = Promise.withResolvers<Response>();
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(readonly url: URL, readonly init: RequestInit) {
    init.signal?.addEventListener("abort", () => {
      this.#answer.reject(init.signal?.reason);
      this.#stream?.error(init.signal?.reason);
    });
  }

  get answer(): Promise<Response> {
    return this.#answer.promise;
  }

  get query(): URLSearchParams {
    return this.url.searchParams;
  }

  respond(response: Response): void {
    this.#answer.resolve(response);
  }

  fail(): void {
    this.#answer.reject(new TypeError("connection refused"));
  }

  /** Answers with an event stream; what it gives writes to it. */
  stream(): { write(text: string): void; end(): void } {
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => void (this.#stream = stream),
    });
    this.respond(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
    return {
      write: (text) => this.#stream?.enqueue(new TextEncoder().encode(text)),
      end: () => this.#stream?.close(),
    };
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits, turn by turn, for what others bring about. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    assert(turns < MAX_TURNS, `${what} did not come`);
    await turn();
  }
}
