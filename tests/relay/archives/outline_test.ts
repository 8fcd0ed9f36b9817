import assert from "node:assert/strict";
import { encodeOutline, restore } from "../../../relay/archives/outline.ts";
import { encodeMessage } from "../../../relay/protocol/codec.ts";
import type { Message } from "../../../relay/protocol/message.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { A, B, C, message, newLog } from "../../support/slot_log.ts";

const slot = slotOf("a");

function kept(vector: ReadonlyMap<string, number>, ...messages: readonly Message[]) {
  const written = messages.map((one) => ({ bytes: encodeMessage({ ...one, slot }), atMs: 0 }));
  return { slot, vector, messages: written };
}

Deno.test("what followed a message that no archive has does not wait for it after a restart", () => {
  const log = newLog(A);
  const answer = restore(kept(new Map([[B, 1]]), message(B, 1, "a", [[C, 9]])), 0, 0);
  assert.ok(log.merge(answer, 0));
  assert.deepEqual([log.vector.get(B), log.missing()], [1, []]);
});

Deno.test("what was written before the message that it follows comes after it", () => {
  const log = newLog(A), vector = new Map([[B, 1], [C, 1]]);
  const answer = restore(kept(vector, message(B, 1, "a", [[C, 1]]), message(C, 1)), 0, 0);
  assert.ok(log.merge(answer, 0));
  assert.deepEqual([...log.messagesAbove(new Map())].map(({ message }) => message.origin), [C, B]);
});

Deno.test("what another's outline dropped, and this one does not speak of, is a gap for everybody", () => {
  const end = new Map([[B, 4]]), floors = new Map([["a", new Map([[B, 1]])]]);
  const parts = { start: new Map(), beyond: [], messages: [], held: [], idleMs: new Map() };
  const lost = [{ origin: B, from: 3, to: 3 }];
  const outline = encodeOutline({ ...parts, slot, lost, floors, end });
  const all = restore({ ...kept(end, message(B, 2), message(B, 4)), outline }, 0, 0);
  assert.deepEqual(all.floors, floors);
  const holed = restore({ ...kept(end, message(B, 4)), outline }, 0, 0);
  assert.deepEqual(holed.floors, new Map([["a", new Map([[B, 2]])], ["", new Map([[B, 2]])]]));
});

Deno.test("a slot of very many channels comes back", () => {
  const count = 200_000, end = new Map([[B, count]]), floors = new Map();
  for (let n = 1; n <= count; n++) floors.set(`{a}${n}`, new Map([[B, n]]));
  const parts = { start: new Map(), beyond: [], messages: [], held: [], lost: [] };
  const outline = encodeOutline({ ...parts, slot, floors, end, idleMs: new Map() });
  assert.equal(restore({ ...kept(end), outline }, 0, 0).floors.size, count);
});
