/**
 * Peer sessions: this relay asks others for what it lacks, and answers theirs (DESIGN "Peers").
 *
 * @module
 */
import { createHmac } from "node:crypto";
import type { BackboneOptions } from "../backbone/options.ts";
import type { ProbeResult } from "./machines/membership.ts";
import { newNonce } from "./new_names.ts";
import {
  type Answered,
  type LinkOptions,
  type PeerAddress,
  PeerLink,
  PeerSession,
} from "./peer_link.ts";
import { PeerServer, type PeerServerOptions } from "./peer_server.ts";
import type { SessionCredentials } from "./protocol/challenge.ts";
import {
  type Digest,
  type Hello,
  type PullDone,
  SESSION_VERSION,
  type TableFrame,
} from "./protocol/frames.ts";
import type { AgedMessage, CatchUp } from "./protocol/log/catch_up.ts";
import { SessionError } from "./protocol/session_error.ts";
import type { Draft, Published } from "./protocol/upstream.ts";
import type { RelayLog } from "./options.ts";
import type { PullRequest } from "./sync.ts";
import { ConnectionRefused, type PeerListener, type PeerTransport } from "./transport.ts";

export interface PeersOptions extends Omit<PeerServerOptions, "hello" | "credentials" | "refused"> {
  readonly transport: PeerTransport;
  readonly node: { readonly id: string; readonly origin: string };
  /** The group's keys; absent: whoever can connect may ask. */
  readonly credentials?: BackboneOptions["credentials"];
  readonly log: RelayLog;
}

/** How long a probe waits. */
const PROBE_MS = 1000;

/** Who sends much that is wrong has one problem, not many. */
const COMPLAINT_MS = 10_000;

/** Counts since the start. */
export interface PeerCounters {
  /** Sessions that this relay could not begin: nobody accepted, or answered. */
  unreached: number;
  /** Sessions that either side ended as one that it must not have. */
  refused: number;
}

const UNREACHED =
  "a peer is heard, but cannot be reached by TCP: what only it has cannot be fetched";

/** Both sides of the peer sessions of one relay. */
export class Peers {
  readonly counters: PeerCounters = { unreached: 0, refused: 0 };
  readonly #options: PeersOptions;
  readonly #linkOptions: LinkOptions;
  readonly #links = new Map<string, PeerLink>();
  readonly #probes = new Set<PeerSession>();
  readonly #server: PeerServer;
  #listener: PeerListener | undefined;
  #complainAgainMs = -Infinity;

  constructor(options: PeersOptions) {
    const { clock, node, origins, transport } = options;
    this.#options = options;
    const credentials = sessionCredentials(options.credentials);
    const hello = (): Hello => ({
      type: "hello",
      version: SESSION_VERSION,
      origin: node.origin,
      node: node.id,
      ...(credentials && { nonce: newNonce() }),
    });
    const heard: LinkOptions["heard"] = (heard) => {
      for (const { origin, ageMs } of heard) origins.hear(origin, clock.nowMs(), ageMs);
    };
    this.#linkOptions = { clock, transport, hello, credentials, heard };
    const refused: PeerServerOptions["refused"] = (peer, error) => {
      this.counters.refused += 1;
      this.#complain(peer, error);
    };
    this.#server = new PeerServer({ ...options, hello, credentials, refused });
  }

  /** Sessions open now: those in which this relay asks, and those in which it is asked. */
  get sessions(): { readonly asking: number; readonly answering: number } {
    const asking = [...this.#links.values()].filter(({ isOpen }) => isOpen).length;
    return { asking, answering: this.#server.sessions };
  }

  /** Accepts sessions at an address of this machine, on a port of the transport's choice. */
  listen(hostname: string): { readonly host: string; readonly port: number } {
    const { transport } = this.#options;
    const { host, port } = this.#listener = transport.listen(
      hostname,
      (conn) => this.#server.accept(conn),
    );
    return { host, port };
  }

  /** Asks a peer for what it holds beyond what `pull` names. Like all questions it rejects when the peer cannot be reached or stalls. */
  async ask(
    peer: PeerAddress,
    pull: PullRequest,
    answer: (part: CatchUp) => void,
  ): Promise<PullDone> {
    return as("pull_done", await this.#link(peer).ask({ type: "pull", ...pull }, answer));
  }

  /** Tells a peer where this relay stands; resolves with where the peer does. */
  async digest(peer: PeerAddress, digest: Digest): Promise<Digest> {
    return as("digest", await this.#link(peer).ask({ type: "digest", digest })).digest;
  }

  /** Hands messages to a peer; whether it is a ready custodian of them and holds all. */
  async push(peer: PeerAddress, messages: readonly AgedMessage[]): Promise<boolean> {
    return as("held", await this.#link(peer).ask({ type: "push", messages })).held;
  }

  /** Has a peer publish. Rejects with the peer's `GroundwaveError` too. */
  async publish(peer: PeerAddress, draft: Draft): Promise<Published> {
    return as("published", await this.#link(peer).ask({ type: "publish", draft })).published;
  }

  /** Asks a peer for its table of slots and groups. */
  async table(peer: PeerAddress): Promise<TableFrame> {
    return as("table", await this.#link(peer).ask({ type: "table_ask" }));
  }

  /** Whether a peer lives, by a session of its own: within a second. */
  async probe(peer: PeerAddress): Promise<ProbeResult> {
    const session = new PeerSession(peer, this.#linkOptions, () => this.#probes.delete(session));
    this.#probes.add(session);
    const end = () => session.close(new SessionError("silent", "the probe is over"));
    const cancel = this.#options.clock.after(PROBE_MS, end);
    try {
      await session.ask({ type: "ping" }, () => {});
      return "alive";
    } catch (error) {
      return isDead(error) ? "refused" : "unreachable";
    } finally {
      cancel();
      end();
    }
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
    for (const probe of this.#probes) probe.close(new SessionError("closed", "closing"));
    this.#server.close();
  }

  #link(peer: PeerAddress): PeerLink {
    let link = this.#links.get(peer.origin);
    if (!link) this.#links.set(peer.origin, link = this.#newLink(peer));
    return link;
  }

  #newLink(peer: PeerAddress): PeerLink {
    const { log } = this.#options, { node: id, origin, host, port } = peer;
    return new PeerLink(peer, {
      ...this.#linkOptions,
      refused: ({ message: reason }) => {
        this.counters.refused += 1;
        log("warn", "a peer cannot be asked", { id, origin, host, reason });
      },
      unreached: ({ message: reason }, lasting) => {
        this.counters.unreached += 1;
        if (lasting) log("warn", UNREACHED, { id, origin, host, port, reason });
      },
      reached: () => log("info", "a peer can be reached by TCP again", { id, origin, host }),
    });
  }

  #complain(peer: Hello | undefined, { message: reason }: SessionError): void {
    const { clock, log } = this.#options, nowMs = clock.nowMs();
    if (nowMs < this.#complainAgainMs) return;
    this.#complainAgainMs = nowMs + COMPLAINT_MS;
    const who = peer ? { id: peer.node, origin: peer.origin } : {};
    log("warn", "ended a peer session", { ...who, reason });
  }
}

/** Nobody listens where the relay did, or another does. */
function isDead(error: unknown): boolean {
  return error instanceof SessionError &&
    (error.kind === "identity" || error.cause instanceof ConnectionRefused);
}

function as<T extends Answered["type"]>(
  type: T,
  answer: Answered,
): Extract<Answered, { readonly type: T }> {
  // The session has checked that it answers what was asked.
  if (answer.type !== type) throw new SessionError("protocol", `${answer.type} is no ${type}`);
  return answer as Extract<Answered, { readonly type: T }>;
}

function sessionCredentials(
  credentials: BackboneOptions["credentials"],
): SessionCredentials | undefined {
  if (!credentials) return undefined;
  const hmac: SessionCredentials["hmac"] = (secret, bytes) =>
    createHmac("sha256", secret).update(bytes).digest();
  return { keys: credentials.keys, hmac };
}
