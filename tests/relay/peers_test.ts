/** What relays ask each other in peer sessions. */
import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { CatchUp } from "../../relay/protocol/log/catch_up.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Draft } from "../../relay/protocol/upstream.ts";
import { announcement } from "../support/announcement.ts";
import { freePort } from "../support/free_port.ts";
import { DIGEST, EVERYTHING, LOOPBACK, newSide, pair } from "../support/peer_sessions.ts";
import { A, B, message } from "../support/slot_log.ts";

Deno.test("a peer is asked and answers by slot; it tells whom it has heard of, and where its streams stand", async () => {
  const a = newSide(A), b = newSide(B), parts: CatchUp[] = [];
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
  const a = newSide(A);
  const b = newSide(B, {
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
  const a = newSide(A), b = newSide(B, { groupCount: 4 }), slot = slotOf("a");
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
  const a = newSide(A);
  const b = newSide(B, {
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

Deno.test("a session that was closed because nothing was asked is opened anew when something is", async () => {
  const a = newSide(A), b = newSide(B);
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

Deno.test("a peer that cannot be reached for 5 s is told of once, and when it can be again", async () => {
  let isCut = true;
  const a = newSide(A, { isCut: () => isCut }), b = newSide(B);
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
  const { peers, clock } = newSide(A), other = newSide(B);
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
