/**
 * One group of an endpoint: its session, and the membership by which it is heard.
 *
 * @module
 */
import type { Group } from "./backbone.ts";
import type { PgmSession } from "./pgm/session.ts";
import type { DatagramSocket, SocketEvents, Target } from "./udp.ts";

/** How long a group that is no longer heard is still heard for requests of what was sent there. */
const SOURCE_LINGER_MS = 60_000;

/** Between attempts to hear the requests for what we send, after one failed. */
const REJOIN_MS = 1_000;

export class Channel {
  /** Whether the relay hears the group; the socket may hear it longer, for the sake of what was sent. */
  joined = false;
  /** Whether the socket hears the group in any case. */
  kept = false;
  /** Answers the end of the membership, once it stands. */
  #membership: Promise<() => void> | undefined;
  #failedMs = -Infinity;
  #sentMs = -Infinity;

  constructor(readonly group: Group, readonly target: Target, readonly session: PgmSession) {}

  /** Settles when the membership stands or has failed. */
  get membership(): Promise<unknown> | undefined {
    return this.#membership;
  }

  /** A time that is not after the next at which the session or the membership wants something. */
  nextTimeoutMs(): number {
    return Math.min(this.session.nextTimeoutMs(), this.#releaseMs());
  }

  /** Something is sent: says whether the group has yet to be heard for the requests that may follow. */
  noteSend(nowMs: number): boolean {
    this.#sentMs = nowMs;
    return !this.#membership && nowMs - this.#failedMs >= REJOIN_MS;
  }

  /** Hears the group at the socket; resolves when that stands. Idempotent. */
  async enter(socket: DatagramSocket, events: SocketEvents, nowMs: () => number): Promise<void> {
    this.#membership ??= socket.join(this.target, events);
    const membership = this.#membership;
    try {
      await membership;
    } catch (cause) {
      if (this.#membership === membership) this.#membership = undefined;
      this.#failedMs = nowMs();
      throw cause;
    }
  }

  /** Ends the membership when nobody needs it any more. */
  handleTimeout(nowMs: number): void {
    this.session.handleTimeout(nowMs);
    if (nowMs < this.#releaseMs()) return;
    this.#membership?.then((end) => end(), () => {});
    this.#membership = undefined;
  }

  #releaseMs(): number {
    return this.joined || this.kept || !this.#membership
      ? Infinity
      : this.#sentMs + SOURCE_LINGER_MS;
  }
}
