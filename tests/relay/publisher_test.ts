import assert from "node:assert/strict";
import { staticGroups } from "../../backbone/registry/static.ts";
import { Logs } from "../../relay/logs.ts";
import { decodeMessage } from "../../relay/protocol/codec.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { Publisher } from "../../relay/publisher.ts";
import { A, LOG_OPTIONS, message } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SELF = LOG_OPTIONS.self, SLOT = slotOf("a");

/** A publisher over a wire that notes what it is given, or refuses it. */
function setUp(pull: () => Promise<unknown> = () => Promise.resolve()) {
  const sent: string[] = [], wire = { full: false };
  const logs = new Logs({ clock: new VirtualClock(), log: LOG_OPTIONS, maxBytes: 1_000_000 });
  const publisher = new Publisher({
    origin: SELF,
    region: "r",
    table: staticGroups(4),
    logs,
    pull,
    wallMs: () => 0,
    backbone: {
      send(_group, payload) {
        return wire.full ? 0 : sent.push(String(decodeMessage(payload).data));
      },
    },
  });
  return { publisher, logs, sent, wire };
}

function refusal(code: string) {
  return (thrown: unknown) => thrown instanceof GroundwaveError && thrown.code === code;
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

Deno.test("what cannot be promised yet is refused, and nothing is published", async () => {
  const { publisher, sent } = setUp();
  const draft = { channel: "a", data: "x" };
  await assert.rejects(
    publisher.publish({ ...draft, ack: "replicated" }),
    refusal("not_replicated"),
  );
  await assert.rejects(publisher.publish({ ...draft, ack: "archived" }), refusal("not_archived"));
  await assert.rejects(publisher.publish({ ...draft, key: "k" }), refusal("bad_request"));
  await assert.rejects(publisher.publish({ ...draft, order: "total" }), refusal("bad_request"));
  assert.deepEqual(sent, []);
});

Deno.test("publishes of a slot keep their order while the first waits for what it answers", async () => {
  const pulled = Promise.withResolvers<void>();
  const { publisher, logs, sent } = setUp(() => pulled.promise);
  const after = { slots: new Map([[SLOT, new Map([[A, 1]])]]), asOfMs: undefined };
  const waiting = [
    publisher.publish({ channel: "a", data: "answer", after }),
    publisher.publish({ channel: "a", data: "next" }),
    publisher.publish({ channel: "{a}other", data: "same slot" }),
  ];
  await publisher.publish({ channel: "b", data: "elsewhere" });
  assert.deepEqual(sent, ["elsewhere"]);
  logs.append({ ...message(A, 1), slot: SLOT });
  pulled.resolve();
  await Promise.all(waiting);
  assert.deepEqual(sent, ["elsewhere", "answer", "next", "same slot"]);
});
