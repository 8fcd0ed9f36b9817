/**
 * The asking side of a peer session, against peers that misbehave.
 *
 * @module
 */
import assert from "node:assert/strict";
import { PeerLink } from "../../relay/peer_link.ts";
import { tcpTransport } from "../../relay/transport.ts";
import { announcement } from "../support/announcement.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const ORIGIN = "AAAAAAAA";
const PULL = { groups: [], slots: new Map() };

interface Fixture {
  readonly link: PeerLink;
  readonly clock: VirtualClock;
  /** The next session that the link opens. */
  session(): Promise<Deno.Conn>;
}

/** A link to a peer that accepts sessions and leaves them to the test. */
async function linked(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clock = new VirtualClock(), sessions: Deno.Conn[] = [];
  const peer = announcement(ORIGIN, { port: listener.addr.port });
  const hello = { type: "hello", version: 1, origin: "BBBBBBBB", node: "asker" } as const;
  const link = new PeerLink(peer, {
    clock,
    transport: tcpTransport(clock),
    hello,
    heard: () => {},
  });
  const session = async () => {
    const conn = await listener.accept();
    sessions.push(conn);
    return conn;
  };
  try {
    await run({ link, clock, session });
  } finally {
    link.close();
    for (const conn of sessions) conn.close();
  }
}

/** Asks; the answer says how it ended. */
function ask(link: PeerLink): Promise<string> {
  return link.ask(PULL, () => {}).then(() => "done", (error) => error.message);
}

/** Reads until the other side has closed. */
async function closed(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await conn.read(buffer) !== null);
}

Deno.test("a peer that never answers is given up, however often it is asked", async () => {
  await linked(async ({ link, clock, session }) => {
    const first = ask(link);
    await session();
    const asked = [first];
    for (let n = 0; n < 4; n++) {
      clock.advance(1500);
      asked.push(ask(link));
    }
    link.close();
    assert.equal(await first, "the peer is silent");
    await Promise.all(asked);
  });
});

Deno.test("the end of a session that was given up does not fail the next", async () => {
  await linked(async ({ link, clock, session }) => {
    const first = ask(link), old = await session();
    clock.advance(5000);
    let ended: string | undefined;
    const second = ask(link).then((how) => ended = how);
    const next = await session();
    await closed(old);
    // The next session has said hello and asked, so that the old one's end was long taken note of.
    await next.read(new Uint8Array(1024));
    assert.equal(await first, "the peer is silent");
    assert.equal(ended, undefined);
    link.close();
    assert.equal(await second, "the link is closed");
  });
});
