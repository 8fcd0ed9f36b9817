/**
 * Sessions between relays over loopback, or between a relay and a test that says what it likes.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Credentials } from "../../backbone/pgm/auth_keys.ts";
import { MovingGroups } from "../../backbone/registry/moving_groups.ts";
import { Logs } from "../../relay/logs.ts";
import { Origins } from "../../relay/origins.ts";
import type { PeerHandlers } from "../../relay/peer_server.ts";
import { Peers } from "../../relay/peers.ts";
import type { Digest, Hello } from "../../relay/protocol/frames.ts";
import { tcpTransport } from "../../relay/transport.ts";
import { announcement } from "./announcement.ts";
import { FramePeer } from "./frame_peer.ts";
import { A, B, LOG_OPTIONS } from "./slot_log.ts";
import { VirtualClock } from "./virtual_clock.ts";

export const LOOPBACK = "127.0.0.1";
export const HELLO: Hello = { type: "hello", version: 1, origin: B, node: "b" };
export const NONCE = new Uint8Array(16);
export const EVERYTHING = { groups: [1], slots: new Map() };
export const DIGEST: Digest = { groups: [1], entries: [], equal: [7] };

export interface Setup {
  readonly credentials?: Credentials;
  readonly handlers?: Partial<PeerHandlers>;
  readonly groupCount?: number;
  /** Whether what it dials is not reached. */
  readonly isCut?: () => boolean;
}

/** A relay, as far as peer sessions go. It dials and listens at loopback. */
export function newSide(
  origin: string,
  { credentials, handlers, groupCount = 1, isCut = () => false }: Setup = {},
) {
  const clock = new VirtualClock(), tcp = tcpTransport(clock);
  const origins = new Origins(), said: string[] = [];
  const table = new MovingGroups(groupCount);
  const logs = new Logs({ clock, log: { ...LOG_OPTIONS, self: origin }, maxBytes: 256_000_000 });
  const peers = new Peers({
    clock,
    transport: {
      listen: (hostname, accept) => tcp.listen(hostname, accept),
      dial: (host, port) => isCut() ? Promise.reject(new Error("cut")) : tcp.dial(host, port),
    },
    node: { id: `node ${origin}`, origin },
    logs,
    table,
    origins,
    credentials,
    position: (group) => 1000 + group,
    handlers: {
      digest: () => DIGEST,
      push: () => true,
      publish: () => Promise.reject(new Error("nothing is published here")),
      table: () => table,
      ...handlers,
    },
    log: (_level, text, fields) => said.push(`${text}: ${fields?.["reason"]}`),
  });
  return { clock, origins, logs, table, peers, said };
}

type Side = ReturnType<typeof newSide>;

/** Two relays; `b` accepts. */
export async function pair(
  a: Side,
  b: Side,
  run: (peer: ReturnType<typeof announcement>) => Promise<void>,
): Promise<void> {
  const { port } = b.peers.listen(LOOPBACK);
  try {
    await run(announcement(B, { port }));
  } finally {
    a.peers.close();
    b.peers.close();
  }
}

/** Asks a peer that takes one session and leaves what is said in it to the test. */
export async function asking(
  during: (peer: FramePeer, side: Side, asked: Promise<unknown>) => Promise<unknown>,
  setup: Setup = {},
): Promise<void> {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const side = newSide(A, setup);
  const asked = side.peers.ask(announcement(B, { port: listener.addr.port }), EVERYTHING, () => {});
  asked.catch(() => {});
  const peer = new FramePeer(await listener.accept());
  try {
    await during(peer, side, asked);
  } finally {
    side.peers.close();
    peer.close();
  }
}

/** A session that a test opens to a relay. */
export async function serving(
  during: (peer: FramePeer, side: Side, dial: () => Promise<FramePeer>) => Promise<unknown>,
  setup: Setup = {},
): Promise<void> {
  const side = newSide(A, setup), dialled: FramePeer[] = [];
  const { port } = side.peers.listen(LOOPBACK);
  const dial = async () => {
    const peer = new FramePeer(await Deno.connect({ hostname: LOOPBACK, port }));
    dialled.push(peer);
    return peer;
  };
  try {
    await during(await dial(), side, dial);
  } finally {
    side.peers.close();
    for (const peer of dialled) peer.close();
  }
}

/** Why the other side ends a session; it answers nothing before. */
export async function farewell(peer: FramePeer): Promise<string | undefined> {
  for (const frame of await peer.rest()) {
    if (frame.type === "bye") return frame.reason;
    assert.ok(["hello", "origins"].includes(frame.type), `${frame.type} was answered`);
  }
  return undefined;
}
