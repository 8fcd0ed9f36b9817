/**
 * Peer sessions: this relay asks others for what it lacks, and answers theirs (DESIGN "Peers").
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { FrameStream } from "./frame_stream.ts";
import type { Logs } from "./logs.ts";
import type { Origins } from "./origins.ts";
import { PeerLink } from "./peer_link.ts";
import type { Announcement } from "./protocol/announcement.ts";
import {
  type Frame,
  type Hello,
  MAX_FRAME_BYTES,
  type Pull,
  SESSION_VERSION,
} from "./protocol/frames.ts";
import type { CatchUp } from "./protocol/log/catch_up.ts";
import type { Vector } from "./protocol/message.ts";
import type { ByteConn, PeerListener, PeerTransport } from "./transport.ts";

export interface PeersOptions {
  readonly clock: Clock;
  readonly transport: PeerTransport;
  readonly node: { readonly id: string; readonly origin: string };
  readonly logs: Logs;
  readonly table: GroupTable;
  readonly origins: Origins;
}

/** Sessions that others may have open here at once. */
const MAX_SESSIONS = 1024;

/** A session in which nothing is asked for so long is closed; it is opened anew when needed. */
const IDLE_MS = 60_000;

const NOTHING: Vector = new Map();

/** Both sides of the peer sessions of one relay. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #hello: Hello;
  readonly #links = new Map<string, PeerLink>();
  readonly #sessions = new Set<FrameStream>();
  #listener: PeerListener | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    const { id: node, origin } = options.node;
    this.#hello = { type: "hello", version: SESSION_VERSION, origin, node };
  }

  /** Accepts sessions at an address of this machine, on a port of the system's choice. */
  listen(hostname: string): { readonly host: string; readonly port: number } {
    const accept = (conn: ByteConn) => {
      if (this.#sessions.size >= MAX_SESSIONS) conn.close();
      else void this.#serve(conn);
    };
    const { host, port } = this.#listener = this.#options.transport.listen(hostname, accept);
    return { host, port };
  }

  /** Asks a peer for what it holds beyond what `pull` names. Rejects when it cannot be reached or stalls. */
  ask(
    peer: Announcement,
    pull: Omit<Pull, "id" | "type">,
    answer: (part: CatchUp) => void,
  ): Promise<void> {
    let link = this.#links.get(peer.origin);
    if (!link) {
      link = new PeerLink(peer, {
        clock: this.#options.clock,
        transport: this.#options.transport,
        hello: this.#hello,
        heard: (heard) => {
          const { origins, clock } = this.#options;
          for (const { origin, ageMs } of heard) origins.hear(origin, clock.nowMs(), ageMs);
        },
      });
      this.#links.set(peer.origin, link);
    }
    return link.ask(pull, answer);
  }

  /** A peer is gone: what it was asked fails. */
  forget(origin: string): void {
    this.#links.get(origin)?.close();
    this.#links.delete(origin);
  }

  /** Ends every session. Idempotent. */
  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const origin of [...this.#links.keys()]) this.forget(origin);
    for (const session of this.#sessions) session.close();
  }

  async #serve(conn: ByteConn): Promise<void> {
    const session = new FrameStream(conn);
    this.#sessions.add(session);
    let cancelIdle = () => {};
    const waitIdle = () => {
      cancelIdle();
      cancelIdle = this.#options.clock.after(IDLE_MS, () => session.close());
    };
    try {
      waitIdle();
      // Who asks sends no catch-ups: nothing of any is kept.
      for await (
        const frame of session.frames({ frameBytes: MAX_FRAME_BYTES, unfinishedBytes: 0 })
      ) {
        await session.send(this.#answers(frame));
        waitIdle();
      }
    } catch {
      // A peer that breaks off or sends garbage loses its session; it dials anew if it is one.
    } finally {
      cancelIdle();
      this.#sessions.delete(session);
      session.close();
    }
  }

  /** What a frame of an asking peer is answered with, made as it is sent. */
  *#answers(frame: Frame): Generator<Frame, void> {
    const { logs, table, origins, clock } = this.#options;
    if (frame.type === "hello") {
      yield this.#hello;
      yield { type: "origins", heard: origins.list(clock.nowMs()) };
    } else if (frame.type === "pull") {
      const groups = new Set(frame.groups);
      const slots = logs.slots().filter((slot) =>
        frame.slots.has(slot) || table.groupsOf(slot).some((group) => groups.has(group))
      );
      for (const slot of slots) {
        const log = logs.peek(slot);
        if (!log) continue;
        const catchUp = log.catchUp(frame.slots.get(slot) ?? NOTHING, clock.nowMs());
        yield { type: "catch_up", id: frame.id, catchUp };
      }
      yield { type: "pull_done", id: frame.id, positions: new Map() };
    } else {
      throw new Error(`a peer that asks does not send ${frame.type}`);
    }
  }
}
