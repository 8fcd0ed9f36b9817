import assert from "node:assert/strict";
import { staticGroups } from "../../backbone/registry/static.ts";
import { FrameStream } from "../../relay/frame_stream.ts";
import { Logs } from "../../relay/logs.ts";
import { Origins } from "../../relay/origins.ts";
import { Peers } from "../../relay/peers.ts";
import { type Frame, FRAME_TAGS, type Hello } from "../../relay/protocol/frames.ts";
import type { CatchUp } from "../../relay/protocol/log/catch_up.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { WireWriter } from "../../relay/protocol/wire.ts";
import { tcpTransport } from "../../relay/transport.ts";
import { announcement } from "../support/announcement.ts";
import { A, B, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const LOOPBACK = "127.0.0.1";
const HELLO: Hello = { type: "hello", version: 1, origin: B, node: "b" };

function setUp(origin: string) {
  const clock = new VirtualClock(), origins = new Origins();
  const logs = new Logs({ clock, log: { ...LOG_OPTIONS, self: origin }, maxBytes: 1_000_000 });
  const transport = tcpTransport(clock), table = staticGroups(1), node = { id: "node", origin };
  return {
    clock,
    origins,
    logs,
    peers: new Peers({ clock, transport, node, logs, table, origins }),
  };
}

const EVERYTHING = { groups: [1], slots: new Map() };

/** Asks a peer that takes one session and says `frames` in it. */
async function askOf(frames: readonly Frame[], during = (_clock: VirtualClock) => {}) {
  const listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  const { clock, peers } = setUp(A);
  const accepted = listener.accept().then(async (conn) => {
    const stream = new FrameStream(conn);
    await stream.send(frames);
    return stream;
  });
  try {
    const asked = peers.ask(announcement(B, { port: listener.addr.port }), EVERYTHING, () => {});
    asked.catch(() => {});
    await accepted;
    during(clock);
    await asked;
  } finally {
    peers.close();
    (await accepted).close();
    listener.close();
  }
}

Deno.test("a peer is asked and answers by slot; both tell whom they have heard of", async () => {
  const asking = setUp(A), asked = setUp(B), parts: CatchUp[] = [];
  asked.logs.append({ ...message("stranger", 1), slot: slotOf("a") });
  asked.origins.hear("heard___", 0);
  const { port } = asked.peers.listen(LOOPBACK);
  try {
    await asking.peers.ask(announcement(B, { port }), EVERYTHING, (part) => parts.push(part));
    assert.deepEqual(parts.map(({ slot, messages }) => [slot, messages.length]), [[
      slotOf("a"),
      1,
    ]]);
    assert.equal(asking.origins.knows("heard___", 0), true);
    await asking.peers.ask(announcement(B, { port }), { groups: [], slots: new Map() }, () => {
      throw new Error("nothing was asked for");
    });
  } finally {
    asking.peers.close();
    asked.peers.close();
  }
});

Deno.test("who speaks another version, is another relay or says what is not its turn is not believed", async () => {
  await assert.rejects(askOf([{ ...HELLO, version: 2 }]), /version 2/);
  await assert.rejects(askOf([{ ...HELLO, origin: "stranger" }]), /another relay/);
  await assert.rejects(
    askOf([HELLO, { type: "pull", id: 1, ...EVERYTHING }]),
    /does not send pull/,
  );
});

Deno.test("a peer that says nothing is given up after 5 s", async () => {
  await assert.rejects(askOf([], (clock) => clock.advance(5000)), /silent/);
});

/** A part of a catch-up that others would follow. */
function firstPart(): Uint8Array {
  const writer = new WireWriter();
  writer.nested(FRAME_TAGS.catch_up, () => writer.writeBooleanField(3, true));
  const body = writer.bytes();
  return Uint8Array.of(0, 0, 0, body.length, ...body);
}

Deno.test("a session that asks for nothing, or brings what it must not, is closed", async () => {
  const { clock, peers } = setUp(B);
  const { port } = peers.listen(LOOPBACK);
  const dial = () => Deno.connect({ hostname: LOOPBACK, port });
  const closed = async (conn: Deno.Conn) => {
    for (const buffer = new Uint8Array(1000); await conn.read(buffer) !== null;);
    conn.close();
  };
  try {
    for (const garbage of [[255, 255, 255, 255], [0, 0, 0, 1, 255], firstPart()]) {
      const conn = await dial();
      await conn.write(Uint8Array.from(garbage));
      await closed(conn);
    }
    const idle = await dial(), stream = new FrameStream(idle);
    await stream.send([HELLO]);
    await idle.read(new Uint8Array(1));
    const gone = closed(idle);
    clock.advance(60_000);
    await gone;
  } finally {
    peers.close();
  }
});
