/**
 * A runtime in which time stands still until a test moves it, and sockets are objects to look into.
 *
 * @module
 */
import type { EdgeSocket, Host, SocketEvents } from "../../src/edge/host.ts";

interface Timer {
  readonly dueMs: number;
  readonly fn: () => void;
}

/** The server's end of a WebSocket, as a test sees it. */
export class FakeSocket implements EdgeSocket {
  bufferedAmount = 0;
  readonly frames: string[] = [];
  closedWith: { code: number; reason: string } | undefined;
  onClose = () => {};
  /** Whether what is sent stays in the buffer. */
  stalled = false;

  send(text: string): void {
    if (this.closedWith) return;
    this.frames.push(text);
    if (this.stalled) this.bufferedAmount += text.length;
  }

  close(code: number, reason: string): void {
    this.closedWith ??= { code, reason };
    if (!this.stalled) this.onClose();
  }

  /** All lines that were sent since the last call, as objects. */
  take(): Record<string, unknown>[] {
    return this.frames.splice(0).flatMap((frame) => frame.split("\n")).map((line) =>
      JSON.parse(line)
    );
  }
}

export class FakeHost implements Host {
  /** The handshake made last. */
  upgraded: { protocol: string | undefined; events: SocketEvents } | undefined;
  randomNow = 0.5;
  #nowMs = 1000;
  #timers = new Set<Timer>();

  get timers(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  soon(fn: () => void): void {
    queueMicrotask(() => queueMicrotask(fn));
  }

  random(): number {
    return this.randomNow;
  }

  upgradeWebSocket(
    _request: Request,
    protocol: string | undefined,
    events: SocketEvents,
  ): Response {
    this.upgraded = { protocol, events };
    return new Response(null);
  }

  /** Lets `ms` milliseconds pass, timer by timer, with all that follows from each. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
      if (!next || next.dueMs > endMs) break;
      this.#nowMs = next.dueMs;
      this.#timers.delete(next);
      next.fn();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets everything that needs no time happen. */
export function settle(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
