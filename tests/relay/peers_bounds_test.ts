/** What a peer session may cost, whatever the other side sends, takes or leaves unsaid. */
import assert from "node:assert/strict";
import { type Frame, FRAME_TAGS } from "../../relay/protocol/frames.ts";
import { CREDIT_WINDOW_BYTES } from "../../relay/protocol/outbox.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { WireWriter } from "../../relay/protocol/wire.ts";
import { announcement } from "../support/announcement.ts";
import { FramePeer } from "../support/frame_peer.ts";
import { asking, EVERYTHING, farewell, HELLO, serving } from "../support/peer_sessions.ts";
import { until } from "../support/relays.ts";
import { B, message } from "../support/slot_log.ts";

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
