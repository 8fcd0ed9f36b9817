import assert from "node:assert/strict";
import { staticGroups } from "../../backbone/registry/static.ts";
import { Logs } from "../../relay/logs.ts";
import { decodeMessage } from "../../relay/protocol/codec.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Message } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Outcome } from "../../relay/protocol/upstream.ts";
import { Publisher } from "../../relay/publisher.ts";
import { A, B, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SELF = LOG_OPTIONS.self, SLOT = slotOf("a");

/** A publisher over a wire that notes what it is given, or refuses it; custodians hold what a test says. */
function setUp(pull: () => Promise<boolean> = () => Promise.resolve(true)) {
  const sent: string[] = [], messages: Message[] = [], awaited: boolean[] = [];
  const wire = { full: false }, company = { isAlone: true, lives: new Set([A]) };
  const replication = { hasRoom: true, held: Promise.resolve(), asked: [] as number[] };
  const clock = new VirtualClock();
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes: 1_000_000 });
  const publisher = new Publisher({
    clock,
    origin: SELF,
    region: "r",
    table: staticGroups(4),
    logs,
    pull,
    wallMs: () => 0,
    lives: (origin) => company.lives.has(origin),
    isAlone: () => company.isAlone,
    replication: {
      get hasRoom() {
        return replication.hasRoom;
      },
      sent(_group, ordinal, _bytes, message, held) {
        replication.asked.push(ordinal);
        replication.held.then(() => held.resolve(message), (error) => held.reject(error));
      },
    },
    backbone: {
      send(_group, payload, urgency) {
        if (wire.full) return 0;
        awaited.push(urgency === "awaited");
        messages.push(decodeMessage(payload));
        return sent.push(String(messages.at(-1)?.data));
      },
    },
  });
  return { publisher, logs, sent, messages, awaited, wire, company, replication };
}

function refusal(code: string) {
  return (thrown: unknown) => thrown instanceof GroundwaveError && thrown.code === code;
}

/** Of each outcome the level reached or the error's code. */
function codes(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => outcome instanceof GroundwaveError ? outcome.code : outcome.ack);
}

Deno.test("what the backbone refuses has no number, so that no hole is left", async () => {
  const { publisher, logs, sent, wire } = setUp();
  await publisher.publish({ channel: "a", data: "1" });
  wire.full = true;
  await assert.rejects(
    publisher.publish({ channel: "a", data: "refused" }),
    refusal("window_full"),
  );
  wire.full = false;
  const { id } = await publisher.publish({ channel: "a", data: "2" });
  assert.deepEqual(sent, ["1", "2"]);
  assert.equal(id, `${SELF}.${SLOT.toString(36)}.2`);
  assert.equal(logs.vectorOf(SLOT).get(SELF), 2);
  assert.equal(publisher.published, 2);
});

Deno.test("what cannot be promised is refused, and nothing is published", async () => {
  const { publisher, sent, company, replication } = setUp();
  const draft = { channel: "a", data: "x" };
  await assert.rejects(
    publisher.publish({ ...draft, ack: "replicated" }),
    refusal("not_replicated"),
  );
  company.isAlone = false;
  await assert.rejects(publisher.publish({ ...draft, ack: "archived" }), refusal("not_archived"));
  replication.hasRoom = false;
  await assert.rejects(publisher.publish(draft), refusal("window_full"));
  assert.deepEqual(sent, []);
  assert.equal((await publisher.publish({ ...draft, ack: "accepted" })).ack, "accepted");
});

Deno.test("by default a relay promises what its company allows, and waits for it", async () => {
  const { publisher, company, replication, awaited } = setUp();
  const draft = { channel: "a", data: "x" };
  assert.equal((await publisher.publish(draft)).ack, "accepted");
  assert.deepEqual(replication.asked, []);
  company.isAlone = false;
  const held = Promise.withResolvers<void>();
  replication.held = held.promise;
  let answered = false;
  const published = publisher.publish(draft).finally(() => answered = true);
  await publisher.publish({ ...draft, ack: "accepted" });
  assert.deepEqual([replication.asked, answered], [[2], false]);
  assert.deepEqual(awaited, [false, true, false], "custodians are to be quick where it matters");
  held.resolve();
  assert.equal((await published).ack, "replicated");
  replication.held = Promise.reject(new GroundwaveError("not_replicated", "too late"));
  await assert.rejects(publisher.publish(draft), refusal("not_replicated"));
});

Deno.test("of several each is answered for itself, once it is known of all of them", async () => {
  const { publisher, sent, company, replication, wire } = setUp();
  company.isAlone = false;
  const held = Promise.withResolvers<void>();
  replication.held = held.promise;
  let answered = false;
  const outcomes = publisher.publishAll([
    { channel: "a", data: "1", ack: "accepted" },
    { channel: "a", data: "2", ack: "archived" },
    { channel: "b", data: "3" },
  ]).finally(() => answered = true);
  assert.deepEqual(sent, ["1", "3"], "in the same turn");
  await publisher.publishAll([]);
  assert.equal(answered, false);
  held.resolve();
  assert.deepEqual(codes(await outcomes), ["accepted", "not_archived", "replicated"]);
  replication.held = Promise.reject(new GroundwaveError("not_replicated", "too late"));
  const late = publisher.publishAll([{ channel: "a", data: "4" }]);
  assert.deepEqual(codes(await late), ["not_replicated"]);
  wire.full = true;
  const refused = publisher.publishAll([{ channel: "a", data: "5", ack: "accepted" }]);
  assert.deepEqual(codes(await refused), ["window_full"]);
});

Deno.test("in total order a message follows what its log has of others, each position once", async () => {
  const { publisher, logs, messages, wire } = setUp();
  const send = (order?: "total") =>
    publisher.publish({ channel: "a", data: "x", ...order && { order } });
  const append = (seq: number, origin = A) =>
    void logs.append({ ...message(origin, seq), slot: SLOT });
  append(1);
  append(1, B);
  wire.full = true;
  await assert.rejects(send("total"));
  wire.full = false;
  await send("total");
  await send("total");
  append(2);
  await send();
  await send("total");
  const stated = messages.map(({ after }) => [...after ?? []]);
  assert.deepEqual(stated, [[[A, 1], [B, 1]], [], [], [[A, 2]]]);
});

Deno.test("publishes of a slot keep their order while the first waits for what it answers", async () => {
  const pulled = Promise.withResolvers<boolean>();
  const { publisher, logs, sent } = setUp(() => pulled.promise);
  const after = { slots: new Map([[SLOT, new Map([[A, 1]])]]), asOfMs: undefined };
  const waiting = [
    publisher.publishAll([{ channel: "a", data: "answer", after }]),
    publisher.publish({ channel: "a", data: "next" }),
    publisher.publish({ channel: "{a}other", data: "same slot" }),
  ];
  await publisher.publish({ channel: "b", data: "elsewhere" });
  assert.deepEqual(sent, ["elsewhere"]);
  logs.append({ ...message(A, 1), slot: SLOT });
  pulled.resolve(true);
  await Promise.all(waiting);
  assert.deepEqual(sent, ["elsewhere", "answer", "next", "same slot"]);
});

Deno.test("publishes that wait in one slot look together for what they answer", async () => {
  let looks = 0;
  const looked = Promise.withResolvers<boolean>();
  const { publisher, sent } = setUp(() => {
    looks += 1;
    return looked.promise;
  });
  const answers = [1, 2, 3].map((seq) => ({
    ...{ channel: "a", data: String(seq) },
    after: { slots: new Map([[SLOT, new Map([[A, seq]])]]), asOfMs: undefined },
  }));
  const published = publisher.publishAll(answers);
  assert.equal(looks, 3, "all at once: whoever looks makes one of them");
  looked.resolve(true);
  await published;
  assert.deepEqual(sent, ["1", "2", "3"]);
});

Deno.test("a stated position is cut to what exists, unless a relay that may know of it has not answered", async () => {
  const pulled = { complete: true };
  const { publisher, logs, messages } = setUp(() => Promise.resolve(pulled.complete));
  logs.append({ ...message(A, 1), slot: SLOT });
  const stated = new Map([[A, 9], [B, 2], [SELF, 5]]);
  const after = { slots: new Map([[SLOT, stated]]), asOfMs: undefined };
  await publisher.publish({ channel: "a", data: "x", after });
  pulled.complete = false;
  await publisher.publish({ channel: "a", data: "x", after });
  assert.deepEqual(messages.map((one) => [...one.after ?? []]), [
    [[A, 1]],
    [[A, 9], [B, 2], [SELF, 1]],
  ]);
});

Deno.test("what died with its relay is looked for once, while the view stays as it is", async () => {
  let pulls = 0;
  const { publisher, logs, messages } = setUp(() => Promise.resolve(++pulls > 0));
  logs.append({ ...message(B, 1), slot: SLOT });
  const publish = async (stated: Record<string, number>) => {
    const slots = new Map([[SLOT, new Map(Object.entries(stated))]]);
    await publisher.publish({ channel: "a", data: "x", after: { slots, asOfMs: undefined } });
    return [pulls, [...messages.at(-1)?.after ?? []]];
  };
  assert.deepEqual(await publish({ [B]: 3 }), [1, [[B, 1]]]);
  assert.deepEqual(await publish({ [B]: 9 }), [1, [[B, 1]]]);
  assert.deepEqual(await publish({ [A]: 3 }), [2, []]);
  assert.deepEqual(await publish({ [A]: 3 }), [3, []], "who lives may have published it since");
  logs.append({ ...message(B, 2), slot: SLOT });
  assert.deepEqual(await publish({ [B]: 3 }), [3, [[B, 2]]]);
  publisher.viewChanged();
  assert.deepEqual(await publish({ [B]: 3 }), [4, [[B, 2]]]);
});

Deno.test("a position that is held here exists: what follows it must not overtake it", async () => {
  const { publisher, logs, messages } = setUp();
  const missing = new Map([["stranger", 1]]);
  logs.append({ ...message(A, 1), slot: SLOT, after: missing });
  logs.append({ ...message(A, 2), slot: SLOT });
  assert.equal(logs.vectorOf(SLOT).get(A) ?? 0, 0);
  const after = { slots: new Map([[SLOT, new Map([[A, 9]])]]), asOfMs: undefined };
  await publisher.publish({ channel: "a", data: "answer", after });
  assert.deepEqual([...messages[0]?.after ?? []], [[A, 2]]);
});
