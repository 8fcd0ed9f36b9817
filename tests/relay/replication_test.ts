import assert from "node:assert/strict";
import type { AgedMessage } from "../../relay/protocol/log/catch_up.ts";
import type { Message } from "../../relay/protocol/message.ts";
import { Replication } from "../../relay/replication.ts";
import { A, B, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SELF = LOG_OPTIONS.self, GROUP = 2;

/** A driver whose pushes a test answers. */
function setUp(ready: readonly string[] = [A]) {
  const clock = new VirtualClock();
  const pushes: {
    readonly to: string;
    readonly messages: readonly AgedMessage[];
    readonly answer: PromiseWithResolvers<boolean>;
  }[] = [];
  const replication = new Replication({
    clock,
    self: SELF,
    ready: () => ready,
    push(to, messages) {
      const answer = Promise.withResolvers<boolean>();
      pushes.push({ to, messages, answer });
      return answer.promise;
    },
  });
  return { clock, replication, pushes };
}

/** Of a message sent as the payload of an ordinal: resolves when it is told that it is held. */
function sent(replication: Replication, ordinal: number, message: Message): Promise<Message> {
  const held = Promise.withResolvers<Message>();
  replication.sent(GROUP, ordinal, 10, message, held);
  return held.promise;
}

/** What a promise has come to once everything that is under way has been done. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = "waits";
  promise.then(() => state = "held", (error) => state = error.code);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return state;
}

Deno.test("an acknowledgement of a ready custodian settles it, and no timer is left", async () => {
  const { clock, replication, pushes } = setUp();
  const held = sent(replication, 1, message(SELF, 1));
  replication.acknowledged(GROUP, B, 1, 1);
  assert.equal(await stateOf(held), "waits");
  replication.acknowledged(GROUP, A, 1, 1);
  assert.equal(await stateOf(held), "held");
  clock.advance(10_000);
  assert.equal(pushes.length, 0);
});

Deno.test("this relay is no custodian of its own messages", async () => {
  const { clock, replication, pushes } = setUp([SELF]);
  const held = sent(replication, 1, message(SELF, 1));
  replication.acknowledged(GROUP, SELF, 1, 1);
  clock.advance(1000);
  assert.equal(await stateOf(held), "waits");
  assert.equal(pushes.length, 0);
  replication.close();
  await assert.rejects(held);
});

Deno.test("what nobody acknowledges is pushed with its age; what is refused or fails goes on to the next", async () => {
  const { clock, replication, pushes } = setUp([A, SELF, B]);
  const held = sent(replication, 1, message(SELF, 1));
  clock.advance(50);
  assert.deepEqual(pushes.map(({ to, messages }) => [to, messages]), [
    [A, [{ message: message(SELF, 1), ageMs: 50 }]],
  ]);
  pushes[0]?.answer.reject(new Error("unreachable"));
  assert.equal(await stateOf(held), "waits");
  assert.equal(pushes[1]?.to, B);
  pushes[1]?.answer.resolve(true);
  assert.equal(await stateOf(held), "held");
  assert.equal(replication.pushes, 2);
});

Deno.test("what no custodian holds in 3 s is not replicated, and may still arrive", async () => {
  const { clock, replication } = setUp([]);
  const held = sent(replication, 1, message(SELF, 1));
  clock.advance(2999);
  assert.equal(await stateOf(held), "waits");
  clock.advance(100);
  assert.equal(await stateOf(held), "not_replicated");
  assert.equal(replication.pending, 0);
});

Deno.test("of a message with a key the outcome is shared and kept, unless it was a failure", async () => {
  const { clock, replication, pushes } = setUp();
  const keyed = { ...message(SELF, 1), key: "k" };
  const first = sent(replication, 1, keyed);
  assert.equal(await stateOf(replication.sentBefore(GROUP, 0, keyed)), "waits");
  assert.equal(pushes.length, 0, "the first is on its way");
  clock.advance(3100);
  assert.equal(await stateOf(first), "not_replicated");
  const again = replication.sentBefore(GROUP, 0, keyed);
  pushes[0]?.answer.resolve(false);
  await stateOf(again);
  clock.advance(200);
  assert.deepEqual(pushes.map(({ messages }) => messages[0]?.ageMs), [50, 3200]);
  pushes[1]?.answer.resolve(true);
  assert.equal(await stateOf(again), "held");
  assert.equal(await stateOf(replication.sentBefore(GROUP, 0, keyed)), "held");
  assert.equal(pushes.length, 2);
});

Deno.test("closing gives up what waits", async () => {
  const { clock, replication, pushes } = setUp();
  const held = sent(replication, 1, message(SELF, 1));
  clock.advance(50);
  replication.close();
  replication.close();
  assert.equal(await stateOf(held), "not_replicated");
  pushes[0]?.answer.resolve(true);
  const afterwards = sent(replication, 2, message(SELF, 2));
  assert.equal(await stateOf(afterwards), "not_replicated");
  clock.advance(10_000);
  assert.equal(pushes.length, 1);
});
