/** Whom a relay talks to in peer sessions, and whom not. */
import assert from "node:assert/strict";
import type { Frame } from "../../relay/protocol/frames.ts";
import { credentials, groupKey } from "../support/group_keys.ts";
import {
  asking,
  DIGEST,
  EVERYTHING,
  farewell,
  HELLO,
  newSide,
  NONCE,
  pair,
  serving,
  type Setup,
} from "../support/peer_sessions.ts";
import { A, B } from "../support/slot_log.ts";

Deno.test("relays with one key talk, also while keys are rotated", async () => {
  const both = credentials([groupKey(2), groupKey(1)]), old = credentials([groupKey(1)]);
  const behind = credentials([groupKey(1), groupKey(2)]);
  for (const [a, b] of [[old, old], [both, behind], [behind, both], [old, behind]] as const) {
    const asking = newSide(A, { credentials: a });
    await pair(asking, newSide(B, { credentials: b }), async (peer) => {
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
      const asker = newSide(A, a), asked = newSide(B, b);
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
