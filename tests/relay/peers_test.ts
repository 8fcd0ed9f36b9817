import assert from "node:assert/strict";
import type { Credentials } from "../../backbone/pgm/auth_keys.ts";
import { MovingGroups } from "../../backbone/registry/moving_groups.ts";
import { Logs } from "../../relay/logs.ts";
import { Origins } from "../../relay/origins.ts";
import type { PeerHandlers } from "../../relay/peer_server.ts";
import { Peers } from "../../relay/peers.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Digest, type Frame, FRAME_TAGS, type Hello } from "../../relay/protocol/frames.ts";
import type { CatchUp } from "../../relay/protocol/log/catch_up.ts";
import { CREDIT_WINDOW_BYTES } from "../../relay/protocol/outbox.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Draft } from "../../relay/protocol/upstream.ts";
import { WireWriter } from "../../relay/protocol/wire.ts";
import { tcpTransport } from "../../relay/transport.ts";
import { announcement } from "../support/announcement.ts";
import { FramePeer } from "../support/frame_peer.ts";
import { freePort } from "../support/free_port.ts";
import { credentials, groupKey } from "../support/group_keys.ts";
import { until } from "../support/relays.ts";
import { A, B, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const LOOPBACK = "127.0.0.1";
const HELLO: Hello = { type: "hello", version: 1, origin: B, node: "b" };
const NONCE = new Uint8Array(16);
const EVERYTHING = { groups: [1], slots: new Map() };
const DIGEST: Digest = { groups: [1], entries: [], equal: [7] };

interface Setup {
  readonly credentials?: Credentials;
  readonly handlers?: Partial<PeerHandlers>;
  readonly groupCount?: number;
  /** Whether what it dials is not reached. */
  readonly isCut?: () => boolean;
}

function setUp(
  origin: string,
  { credentials, handlers, groupCount = 1, isCut = () => false }: Setup = {},
) {
  const clock = new VirtualClock(),
    tcp = tcpTransport(clock),
    origins = new Origins(),
    said: string[] = [];
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

type Side = ReturnType<typeof setUp>;

/** Two relays; `b` accepts. */
async function pair(
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
async function asking(
  during: (peer: FramePeer, side: Side, asked: Promise<unknown>) => Promise<unknown>,
  setup: Setup = {},
): Promise<void> {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const side = setUp(A, setup);
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
async function serving(
  during: (peer: FramePeer, side: Side, dial: () => Promise<FramePeer>) => Promise<unknown>,
  setup: Setup = {},
): Promise<void> {
  const side = setUp(A, setup), dialled: FramePeer[] = [];
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
async function farewell(peer: FramePeer): Promise<string | undefined> {
  for (const frame of await peer.rest()) {
    if (frame.type === "bye") return frame.reason;
    assert.ok(["hello", "origins"].includes(frame.type), `${frame.type} was answered`);
  }
  return undefined;
}

Deno.test("a peer is asked and answers by slot; it tells whom it has heard of, and where its streams stand", async () => {
  const a = setUp(A), b = setUp(B), parts: CatchUp[] = [];
  b.logs.append({ ...message("stranger", 1), slot: slotOf("a") });
  b.origins.hear("heard___", 0);
  await pair(a, b, async (peer) => {
    const done = await a.peers.ask(peer, EVERYTHING, (part) => parts.push(part));
    const brought = parts.map(({ slot, messages }) => [slot, messages.length]);
    assert.deepEqual(brought, [[slotOf("a"), 1]]);
    assert.deepEqual(done.positions, new Map([[1, 1001]]));
    assert.equal(a.origins.knows("heard___", 0), true);
    await a.peers.ask(peer, { groups: [], slots: new Map() }, () => {
      throw new Error("nothing was asked for");
    });
  });
});

Deno.test("digests, pushes and publishes go to the handlers, and their answers and errors come back", async () => {
  const heard: unknown[] = [];
  const draft: Draft = { channel: "a", data: "x", key: "k", order: "total", ack: "replicated" };
  const a = setUp(A);
  const b = setUp(B, {
    handlers: {
      digest: (from, digest) => {
        heard.push(from, digest);
        return DIGEST;
      },
      push: (messages) => {
        heard.push(messages);
        return false;
      },
      publish: (published) => {
        heard.push(published);
        if (published.key === undefined) {
          return Promise.reject(new GroundwaveError("window_full", "full", { retryAfterS: 3 }));
        }
        return Promise.resolve({ id: "AAAAAAAA.0.1", channel: "a", ack: "replicated" });
      },
    },
  });
  await pair(a, b, async (peer) => {
    const digest = { groups: [2], entries: [], equal: [] };
    const pushed = [{ message: { ...message(A, 1), slot: slotOf("a") }, ageMs: 5 }];
    assert.deepEqual(await a.peers.digest(peer, digest), DIGEST);
    assert.equal(await a.peers.push(peer, pushed), false);
    const published = await a.peers.publish(peer, draft);
    assert.deepEqual(published, { id: "AAAAAAAA.0.1", channel: "a", ack: "replicated" });
    const failed = await a.peers.publish(peer, { channel: "b", data: "" }).catch((error) => error);
    assert.ok(failed instanceof GroundwaveError);
    assert.deepEqual([failed.code, failed.message, failed.options.retryAfterS], [
      "window_full",
      "full",
      3,
    ]);
    assert.deepEqual(heard, [A, digest, pushed, draft, { channel: "b", data: "" }]);
  });
});

Deno.test("a relay tells its table, and of a slot that it moves in whichever group it is looked for", async () => {
  const a = setUp(A), b = setUp(B, { groupCount: 4 }), slot = slotOf("a");
  const from = b.table.groupOf(slot), to = 1 + from % 4;
  b.table.adopt(b.table.current.moved(new Map([[slot, to]])));
  b.logs.append({ ...message(B, 1), slot });
  await pair(a, b, async (peer) => {
    const { epoch, entries } = await a.peers.table(peer);
    assert.deepEqual([epoch, entries], [1, b.table.entries]);
    for (const [groups, found] of [[[from], 1], [[to], 1], [[1 + to % 4], 0]] as const) {
      let parts = 0;
      await a.peers.ask(peer, { groups, slots: new Map() }, () => parts += 1);
      assert.equal(parts, found);
    }
  });
});

Deno.test("a handler that fails, or an answer that cannot be merged, harms no other question", async () => {
  const a = setUp(A);
  const b = setUp(B, {
    handlers: {
      push: () => {
        throw new Error("a secret of the inside");
      },
    },
  });
  b.logs.append({ ...message("stranger", 1), slot: slotOf("a") });
  await pair(a, b, async (peer) => {
    const digest = a.peers.digest(peer, DIGEST);
    await assert.rejects(a.peers.push(peer, []), /something went wrong/);
    const merged = a.peers.ask(peer, EVERYTHING, () => {
      throw new Error("cannot merge");
    });
    await assert.rejects(merged, /cannot merge/);
    assert.deepEqual(await digest, DIGEST);
    assert.equal(await a.peers.probe(peer), "alive");
  });
});

Deno.test("relays with one key talk, also while keys are rotated", async () => {
  const both = credentials([groupKey(2), groupKey(1)]), old = credentials([groupKey(1)]);
  const behind = credentials([groupKey(1), groupKey(2)]);
  for (const [a, b] of [[old, old], [both, behind], [behind, both], [old, behind]] as const) {
    const asking = setUp(A, { credentials: a });
    await pair(asking, setUp(B, { credentials: b }), async (peer) => {
      assert.deepEqual(await asking.peers.digest(peer, DIGEST), DIGEST);
    });
  }
});

Deno.test("relays without a key in common do not talk, say so once, and do not ask again for a while", async (test) => {
  const one = credentials([groupKey(1)]);
  const cases: Record<string, readonly [Setup, Setup, RegExp]> = {
    "only the asker has one": [{ credentials: one }, {}, /has a group key/],
    "only the answerer has one": [{}, { credentials: one }, /has no group key/],
    "of different ids": [
      { credentials: one },
      { credentials: credentials([groupKey(2)]) },
      /key 1/,
    ],
    "of one id": [{ credentials: one }, { credentials: credentials([groupKey(1, 9)]) }, /key 1/],
  };
  for (const [name, [a, b, reason]] of Object.entries(cases)) {
    await test.step(name, async () => {
      const asker = setUp(A, a), asked = setUp(B, b);
      await pair(asker, asked, async (peer) => {
        for (let times = 0; times < 3; times++) {
          await assert.rejects(asker.peers.digest(peer, DIGEST), reason);
        }
        assert.equal(asker.said.length, 1);
        assert.match(asker.said[0] ?? "", reason);
        asker.clock.advance(30_000);
        await assert.rejects(asker.peers.digest(peer, DIGEST), reason);
        assert.equal(asker.said.length, 2);
        assert.equal(asked.said.length, 1);
        assert.match(asked.said[0] ?? "", reason);
      });
    });
  }
});

Deno.test("who speaks another version, is another relay or says what is not its turn is not believed", async () => {
  const cases: (readonly [Frame[], RegExp])[] = [
    [[{ ...HELLO, version: 2 }], /version 2/],
    [[{ ...HELLO, origin: "stranger" }], /another relay/],
    [[{ ...HELLO, origin: A }], /another relay/],
    [[HELLO, { type: "pull", id: 1, ...EVERYTHING }], /pull/],
    [[{ type: "pong", id: 1 }], /not its turn/],
    [[HELLO, { type: "proof", keyId: 1, mac: new Uint8Array(32) }], /does not send proof/],
    [[HELLO, { type: "pull_done", id: 9, positions: new Map() }], /nothing was asked/],
    [[HELLO, { type: "held", id: 1, held: true }], /nothing was asked/],
    [[HELLO, { type: "bye", reason: "enough", fault: true }], /enough/],
  ];
  for (const [frames, reason] of cases) {
    await asking(async (peer, { said }, asked) => {
      await peer.send(...frames);
      await assert.rejects(asked, reason);
      assert.match(said[0] ?? "", reason);
    });
  }
});

Deno.test("a proof of another session is worth nothing, nor is our own thrown back", async () => {
  const setup = { credentials: credentials() };
  const proofs: Frame[] = [];
  // A relay that has the key greets whoever dials here, and proves itself.
  await asking(async (peer) => {
    await peer.next();
    await peer.send({ ...HELLO, nonce: NONCE });
    proofs.push(await peer.next() as Frame);
  }, setup);
  assert.equal(proofs[0]?.type, "proof");
  await serving(async (peer) => {
    await peer.send({ ...HELLO, origin: B, nonce: NONCE }, proofs[0] as Frame);
    assert.match(await farewell(peer) ?? "", /group key 1 is not ours/);
  }, setup);
  await asking(async (peer, _side, asked) => {
    await peer.next();
    await peer.send({ ...HELLO, nonce: NONCE });
    await peer.send(await peer.next() as Frame);
    await assert.rejects(asked, /group key 1 is not ours/);
  }, setup);
});

Deno.test("nothing of a stranger's is answered, nor anything long read", async () => {
  const setup = { credentials: credentials() };
  await serving(async (peer) => {
    await peer.send({ ...HELLO, nonce: NONCE }, { type: "ping", id: 1 });
    assert.match(await farewell(peer) ?? "", /not its turn/);
  }, setup);
  await serving(async (peer) => {
    await peer.write(Uint8Array.of(0, 0, 5, 0));
    assert.match(await farewell(peer) ?? "", /too large/);
  }, setup);
});

Deno.test("a peer that says nothing is given up after 5 s", async () => {
  await asking(async (_peer, { clock }, asked) => {
    clock.advance(5000);
    await assert.rejects(asked, /silent/);
  });
});

/** A part of a catch-up that others would follow: who asks sends none. */
function firstPart(): Uint8Array {
  const writer = new WireWriter();
  writer.nested(FRAME_TAGS.catch_up, () => writer.writeBooleanField(3, true));
  const body = writer.bytes();
  return Uint8Array.of(0, 0, 0, body.length, ...body);
}

Deno.test("a session that brings what it must not is closed, and the reason said once", async () => {
  const garbage = [
    Uint8Array.of(255, 255, 255, 255),
    Uint8Array.of(0, 0, 0, 1, 255),
    firstPart(),
    Uint8Array.of(0, 0, 0, 0),
  ];
  await serving(async (first, { said, peers }, dial) => {
    first.close();
    for (const bytes of garbage) {
      for (const greeting of [[], [HELLO]]) {
        const peer = await dial();
        await peer.send(...greeting);
        await peer.write(bytes);
        assert.ok(await farewell(peer));
      }
    }
    assert.equal(said.length, 1);
    peers.close();
  });
});

Deno.test("a session in which nobody greets is closed after 5 s, one in which nothing is asked after 60 s", async () => {
  await serving(async (stranger, { clock }, dial) => {
    const peer = await dial();
    await peer.send(HELLO);
    assert.equal((await peer.next())?.type, "hello");
    clock.advance(5000);
    assert.equal(await farewell(stranger), "no greeting in time");
    await peer.send({ type: "ping", id: 1 });
    assert.equal((await peer.next())?.type, "origins");
    assert.equal((await peer.next())?.type, "pong");
    clock.advance(60_000);
    assert.equal(await farewell(peer), "nothing was asked");
  });
});

Deno.test("a session that was closed because nothing was asked is opened anew when something is", async () => {
  const a = setUp(A), b = setUp(B);
  await pair(a, b, async (peer) => {
    await a.peers.digest(peer, DIGEST);
    b.clock.advance(60_000);
    // What is asked while the session closes may fail with it; what is asked then does not.
    await a.peers.digest(peer, DIGEST).catch(() => {});
    assert.deepEqual(await a.peers.digest(peer, DIGEST), DIGEST);
    assert.deepEqual([a.said, b.said], [[], []]);
  });
  assert.deepEqual([a.said, b.said], [[], []]);
});

Deno.test("strangers cannot take all sessions: the oldest of too many goes", async () => {
  await serving(async (first, _side, dial) => {
    for (let n = 0; n < 64; n++) await dial();
    assert.match(await farewell(first) ?? "", /too many/);
    const peer = await dial();
    await peer.send(HELLO, { type: "ping", id: 1 });
    assert.deepEqual((await peer.next())?.type, "hello");
  });
});

Deno.test("sessions are bounded, also those of peers that have said who they are", async () => {
  await serving(async (_first, { peers }, dial) => {
    const most = 1024, guests: FramePeer[] = [];
    for (let n = 1; n < most; n++) {
      const peer = await dial();
      guests.push(peer);
      await peer.send(HELLO);
      assert.equal((await peer.next())?.type, "hello");
    }
    assert.deepEqual(await (await dial()).rest(), []);
    assert.equal(peers.sessions.answering, most - 1);
    for (const guest of guests) guest.close();
    await until(() => peers.sessions.answering === 0, "all of them have ended");
  });
});

Deno.test("who asks for too much at once, or twice by one id, loses its session", async () => {
  const never = { publish: () => new Promise<never>(() => {}) };
  const publish = (id: number): Frame => ({
    type: "publish",
    id,
    draft: { channel: "a", data: "x".repeat(1024 * 1024) },
  });
  await serving(async (peer) => {
    await peer.send(HELLO, publish(1), publish(1));
    assert.match(await farewell(peer) ?? "", /not answered yet/);
  }, { handlers: never });
  await serving(async (peer) => {
    const flood = (async () => {
      await peer.send(HELLO);
      for (let id = 1; id < 40; id++) await peer.send(publish(id));
    })().catch(() => {});
    const end = farewell(peer);
    await flood;
    assert.match(await end ?? "too much", /too much/);
  }, { handlers: never });
});

Deno.test("a relay asks no more at once than its peer takes", async () => {
  await asking(async (_peer, side) => {
    const data = "x".repeat(1024 * 1024);
    const publishes = Array.from(
      { length: 40 },
      () =>
        side.peers.publish(announcement(B), { channel: "a", data }).then(
          () => "published",
          (error) => error.code ?? error.kind,
        ),
    );
    side.peers.close();
    const ends = await Promise.all(publishes);
    assert.equal(ends.filter((end) => end === "window_full").length, 9);
    assert.equal(ends.filter((end) => end === "closed").length, 31);
  });
});

Deno.test("a peer that pulls much and takes nothing costs the window, and loses its session", async () => {
  await serving(async (peer, { clock, logs }) => {
    const data = "x".repeat(500_000), slot = slotOf("a");
    for (let seq = 1; seq <= 100; seq++) logs.append({ ...message(B, seq), slot, data });
    await peer.send(HELLO, { type: "pull", id: 1, ...EVERYTHING });
    // It reads all that comes, and gives back no credit.
    let bytes = await peer.skip(CREDIT_WINDOW_BYTES);
    clock.advance(60_000);
    bytes += await peer.skip(Infinity);
    assert.ok(bytes < CREDIT_WINDOW_BYTES + 600_000, `${bytes} bytes`);
  });
});

Deno.test("a peer that cannot be reached for 5 s is told of once, and when it can be again", async () => {
  let isCut = true;
  const a = setUp(A, { isCut: () => isCut }), b = setUp(B);
  await pair(a, b, async (peer) => {
    for (let second = 0; second < 10; second++) {
      await assert.rejects(a.peers.digest(peer, DIGEST), /cut/);
      if (second < 5) assert.deepEqual(a.said, []);
      a.clock.advance(1000);
    }
    assert.deepEqual(a.said.map((line) => line.replace(/:.*:/, ":")), [
      "a peer is heard, but cannot be reached by TCP: cut",
    ]);
    assert.equal(a.peers.counters.unreached, 10);
    isCut = false;
    await a.peers.digest(peer, DIGEST);
    assert.match(a.said[1] ?? "", /can be reached by TCP again/);
    assert.deepEqual(a.peers.sessions, { asking: 1, answering: 0 });
    assert.deepEqual(b.peers.sessions, { asking: 0, answering: 1 });
    isCut = true;
    a.peers.forget(B);
    await assert.rejects(a.peers.digest(peer, DIGEST), /cut/);
    assert.equal(a.said.length, 2);
  });
});

Deno.test("a probe tells a dead relay from one that cannot be reached", async () => {
  const { peers, clock } = setUp(A), other = setUp(B);
  const { port } = other.peers.listen(LOOPBACK);
  using mute = Deno.listen({ hostname: LOOPBACK, port: 0 });
  try {
    assert.equal(await peers.probe(announcement(B, { port })), "alive");
    assert.equal(await peers.probe(announcement("another_", { port })), "refused");
    const unanswered = peers.probe(announcement(B, { port: mute.addr.port }));
    const conn = await mute.accept();
    clock.advance(1000);
    assert.equal(await unanswered, "unreachable");
    conn.close();
    assert.equal(await peers.probe(announcement(B, { port: freePort() })), "refused");
  } finally {
    peers.close();
    other.peers.close();
  }
});
