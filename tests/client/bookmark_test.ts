import assert from "node:assert/strict";
import { encodeCursor, parseCursor } from "../../relay/protocol/cursor.ts";
import { messageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import { Bookmark, meet } from "../../src/client/bookmark.ts";
import { seededRandom } from "../support/random.ts";
import { seeds } from "../support/soak.ts";

const A = "AAAAAAAA", B = "BBBBBBBB", SLOT = slotOf("news"), AS_OF_MS = Date.UTC(2026, 0, 1);

const id = (origin: string, seq: number) => messageId({ origin, slot: SLOT, seq });
const text = (vector: Record<string, number>) =>
  encodeCursor({ slots: new Map([[SLOT, new Map(Object.entries(vector))]]), asOfMs: AS_OF_MS });
const vectorOf = (bookmark: Bookmark) =>
  Object.fromEntries(bookmark.cursor?.slots.get(SLOT) ?? new Map());

Deno.test("the cursor is the relay's, moved on by each message", () => {
  const bookmark = new Bookmark("news");
  assert.equal(bookmark.text, undefined);
  bookmark.replace(text({ [A]: 3 }));
  assert.equal(bookmark.take(id(A, 4)), true);
  assert.equal(bookmark.take(id(B, 1)), true);
  assert.deepEqual(vectorOf(bookmark), { [A]: 4, [B]: 1 });
  assert.equal(bookmark.cursor?.asOfMs, AS_OF_MS);
  assert.equal(bookmark.text, text({ [A]: 4, [B]: 1 }));
});

Deno.test("a message is taken once, whatever rewinds the stream", () => {
  const bookmark = new Bookmark("news");
  bookmark.replace(text({ [A]: 3 }));
  assert.equal(bookmark.take(id(A, 3)), false);
  assert.equal(bookmark.take(id(A, 5)), true);
  bookmark.replace(text({ [A]: 1 }));
  assert.deepEqual(vectorOf(bookmark), { [A]: 5 });
  for (const seq of [1, 2, 3, 4, 5]) assert.equal(bookmark.take(id(A, seq)), false);
  // A gap takes the origin out of the cursor, and still nothing comes twice.
  bookmark.replace(text({ [B]: 0 }));
  assert.deepEqual(vectorOf(bookmark), { [B]: 0 });
  assert.equal(bookmark.take(id(A, 5)), false);
  assert.equal(bookmark.take(id(A, 6)), true);
});

Deno.test("what a caller has been given before it came is not given again", () => {
  const bookmark = new Bookmark("news");
  bookmark.skip(`${id(A, 2)},${id(B, 7)}`);
  assert.equal(bookmark.take(id(A, 2)), false);
  assert.equal(bookmark.take(id(B, 8)), true);
  assert.throws(() => bookmark.skip("nonsense"), { code: "cursor_invalid" });
});

Deno.test("from where bookmarks meet, a stream misses nothing for any of them", () => {
  for (const seed of seeds(200, 5000)) {
    const random = seededRandom(seed);
    const vectors = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
      const named = ["origin-A", "origin-B", "origin-C"].filter(() => random() < 0.7);
      return new Map(named.map((origin) => [origin, Math.floor(random() * 5)]));
    });
    const slots = vectors.map((vector) => new Map([[Math.floor(random() * 2), vector]]));
    const met = meet(slots.map((slots, i) => ({ slots, asOfMs: i + 1 })));
    assert.equal(met.asOfMs, 1);
    for (const cursor of slots) {
      for (const [slot, vector] of cursor) {
        for (const [origin, seq] of met.slots.get(slot) ?? []) {
          assert.ok(seq <= (vector.get(origin) ?? 0), `seed ${seed}`);
        }
        for (const origin of vector.keys()) {
          assert.ok(met.slots.get(slot)?.has(origin), `seed ${seed}: ${origin} is still named`);
        }
      }
    }
    assert.deepEqual(parseCursor(encodeCursor(met)).slots, met.slots);
  }
});

Deno.test("what the relay had to leave out stands where it was seen; of what was not nobody can tell", () => {
  const bookmark = new Bookmark("news"), [c, d] = ["CCCCCCCC", "DDDDDDDD"];
  bookmark.replace(text({ [A]: 3, [B]: 1 }));
  bookmark.take(id(B, 2));
  const slots = new Map([[SLOT, new Map([[A, 4], [d, 1]])]]);
  bookmark.replace(encodeCursor({ slots, asOfMs: AS_OF_MS, cut: new Set([B, c, d]) }));
  assert.deepEqual([...bookmark.cursor?.slots.get(SLOT) ?? []], [[A, 4], [B, 2], [d, 1]]);
  assert.deepEqual(bookmark.cursor?.cut, new Set([c]));
  assert.deepEqual(parseCursor(bookmark.text ?? "").cut, new Set([c]));
  bookmark.take(id(c, 7));
  bookmark.replace(text({ [A]: 4 }));
  assert.equal(bookmark.cursor?.cut?.size, 0);
});

Deno.test("where bookmarks meet, nobody can tell what one of them cannot", () => {
  const at = (slot: number, vector: Record<string, number>, ...cut: string[]) => ({
    slots: new Map([[slot, new Map(Object.entries(vector))]]),
    asOfMs: undefined,
    cut: new Set(cut),
  });
  const met = meet([at(1, { [A]: 1, [B]: 5 }), at(1, { [A]: 2 }, A, B), at(2, { [B]: 5 }, B)]);
  assert.deepEqual(met.slots, new Map([[1, new Map([[A, 1]])], [2, new Map([[B, 5]])]]));
  assert.deepEqual(met.cut, new Set([B]));
});
