/**
 * The answering side of peer sessions: accepts, and answers what peers ask.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import type { Logs } from "./logs.ts";
import type { Origins } from "./origins.ts";
import { Answerer } from "./protocol/answerer.ts";
import type { SessionCredentials } from "./protocol/challenge.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type {
  Answer,
  CatchUpFrame,
  Digest,
  Hello,
  Pull,
  PullDone,
  Request,
  TableFrame,
} from "./protocol/frames.ts";
import { type AgedMessage, FROM_NOWHERE } from "./protocol/log/catch_up.ts";
import type { Origin } from "./protocol/message.ts";
import { SessionError } from "./protocol/session_error.ts";
import type { Draft, Published } from "./protocol/upstream.ts";
import { SessionDriver } from "./session_driver.ts";
import type { ByteConn } from "./transport.ts";

/** What peers may ask beyond what the logs hold. */
export interface PeerHandlers {
  /** Takes a peer's digest; answers this relay's. */
  digest(from: Origin, digest: Digest): Digest;
  /** Takes messages; whether this relay is a ready custodian of them and holds all. */
  push(messages: readonly AgedMessage[]): boolean;
  /** Publishes for a peer. @throws {GroundwaveError} */
  publish(draft: Draft): Promise<Published>;
  /** The table of slots and groups in use. */
  table(): Pick<TableFrame, "epoch" | "entries">;
}

export interface PeerServerOptions {
  readonly clock: Clock;
  readonly logs: Logs;
  readonly table: Pick<GroupTable, "groupsOf">;
  readonly origins: Origins;
  readonly hello: () => Hello;
  readonly credentials: SessionCredentials | undefined;
  /** Where this relay's own stream to a group stands. */
  readonly position: (group: Group) => number;
  readonly handlers: PeerHandlers;
  /** Told why a session ended that should not have: who it was with, if it said, and what was wrong. */
  readonly refused: (peer: Hello | undefined, error: SessionError) => void;
}

/** Sessions open here at once. */
const MAX_SESSIONS = 1024;
/** Those of them that have not said who they are: one more, and the oldest goes. */
const MAX_STRANGERS = 64;

/** All sessions that others have opened to this relay. */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #sessions = new Set<ServedSession>();
  #closed = false;

  constructor(options: PeerServerOptions) {
    this.#options = options;
  }

  /** Sessions of peers that have said who they are. */
  get sessions(): number {
    return [...this.#sessions].filter(({ isOpen }) => isOpen).length;
  }

  /** Serves a connection until it is over. */
  accept(conn: ByteConn): void {
    const strangers = [...this.#sessions].filter((session) => !session.isOpen);
    if (strangers.length >= MAX_STRANGERS) strangers[0]?.close("too many do not say who they are");
    if (this.#closed || this.#sessions.size >= MAX_SESSIONS) return conn.close();
    const session = new ServedSession(this.#options);
    this.#sessions.add(session);
    void session.run(conn).finally(() => this.#sessions.delete(session));
  }

  /** Ends every session. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const session of this.#sessions) session.close("this relay is closing");
  }
}

/** One of them. */
class ServedSession {
  readonly #options: PeerServerOptions;
  readonly #answerer: Answerer;
  readonly #driver: SessionDriver;
  #told = false;

  constructor(options: PeerServerOptions) {
    const { clock, hello, credentials } = options;
    this.#options = options;
    this.#answerer = new Answerer({ hello: hello(), credentials }, clock.nowMs());
    this.#driver = new SessionDriver(this.#answerer, clock, () => this.#drain());
  }

  get isOpen(): boolean {
    return this.#answerer.isOpen;
  }

  async run(conn: ByteConn): Promise<void> {
    await this.#driver.run(conn);
    const { ended, peer } = this.#answerer;
    if (ended?.isFault) this.#options.refused(peer, ended);
  }

  close(reason: string): void {
    this.#answerer.end(new SessionError("closed", reason));
    this.#driver.kick();
  }

  #drain(): void {
    const { origins, clock } = this.#options;
    if (this.isOpen && !this.#told) {
      this.#told = true;
      this.#answerer.tell({ type: "origins", heard: origins.list(clock.nowMs()) });
    }
    for (let request; (request = this.#answerer.pollEvent());) void this.#answer(request);
  }

  async #answer(request: Request): Promise<void> {
    const { id } = request;
    try {
      if (request.type === "pull") this.#answerer.answerPull(id, this.#catchUps(request));
      else if (request.type === "publish") {
        const published = await this.#options.handlers.publish(request.draft);
        this.#answerer.answer({ type: "published", id, published });
      } else this.#answerer.answer(this.#answerAtOnce(request));
    } catch (error) {
      this.#answerer.answer(failedOf(id, error));
    }
    this.#driver.kick();
  }

  #answerAtOnce(request: Exclude<Request, { type: "pull" | "publish" }>): Answer {
    const { handlers } = this.#options, { id } = request;
    if (request.type === "ping") return { type: "pong", id };
    if (request.type === "table_ask") {
      const { epoch, entries } = handlers.table();
      return { type: "table", id, epoch, entries };
    }
    if (request.type === "push") {
      return { type: "held", id, held: handlers.push(request.messages) };
    }
    // Requests come only once the peer has said who it is.
    const from = this.#answerer.peer?.origin ?? "";
    return { type: "digest", id, digest: handlers.digest(from, request.digest) };
  }

  /** What a pull is answered with, made as it is sent. */
  #catchUps({ id, groups, slots }: Pull): Iterable<CatchUpFrame | PullDone> {
    const { logs, table, position } = this.#options;
    const asked = new Set(groups);
    const numbers = logs.slots().filter((slot) =>
      slots.has(slot) || table.groupsOf(slot).some((group) => asked.has(group))
    );
    // Taken before the logs are read: what is sent from here on comes by multicast, perhaps a second time.
    const positions = new Map(groups.map((group) => [group, position(group)]));
    return this.#catchUpsOf(numbers, slots, { type: "pull_done", id, positions });
  }

  *#catchUpsOf(
    numbers: readonly number[],
    starts: Pull["slots"],
    done: PullDone,
  ): Generator<CatchUpFrame | PullDone, void> {
    const { logs, clock } = this.#options, { id } = done;
    for (const slot of numbers) {
      const catchUp = logs.peek(slot)?.catchUp(starts.get(slot) ?? FROM_NOWHERE, clock.nowMs());
      if (catchUp) yield { type: "catch_up", id, catchUp };
    }
    yield done;
  }
}

function failedOf(id: number, thrown: unknown): Answer {
  const { code, message, options } = GroundwaveError.from(thrown);
  const { retryAfterS } = options;
  return { type: "failed", id, code, message, ...(retryAfterS !== undefined && { retryAfterS }) };
}
