/** Cursors that do not fit: what they lose, and what they say of it. */
import assert from "node:assert/strict";
import {
  cutIn,
  encodeCursor,
  MAX_CURSOR_CHARS,
  MAX_CUT_ORIGINS,
  mergeCursors,
  parseCursor,
} from "../../../relay/protocol/cursor.ts";
import { messageId } from "../../../relay/protocol/message.ts";
import { seededRandom } from "../../support/random.ts";
import { AS_OF_MS, cursor, int, randomOrigin, randomSlots } from "./samples.ts";

Deno.test("an origin that was cut is anywhere in the slots that are named without it", () => {
  const went = {
    ...cursor({ 1: { AAAAAAAA: 5 }, 2: { BBBBBBBB: 1 } }),
    cut: new Set(["AAAAAAAA"]),
  };
  assert.deepEqual([1, 2, 3].map((slot) => [...cutIn(went, slot)]), [[], ["AAAAAAAA"], []]);
});

Deno.test("what does not fit loses the origins that are named first, but for the very first", async (test) => {
  await test.step("in one slot", () => {
    const origins = Array.from({ length: 1000 }, (_, at) => `o${String(at).padStart(7, "0")}`);
    const vector = new Map(origins.map((origin) => [origin, 1000]));
    const text = encodeCursor({ slots: new Map([[7, vector]]), asOfMs: AS_OF_MS });
    assert.ok(text.length <= MAX_CURSOR_CHARS && text.length > MAX_CURSOR_CHARS - 130);
    const { slots, cut } = parseCursor(text), kept = [...slots.get(7)?.keys() ?? []];
    assert.deepEqual(kept, [...origins.slice(0, 1), ...origins.slice(1 - kept.length)]);
    // Of the others as many as there is room for are said to be cut.
    assert.deepEqual(
      [...cut ?? []],
      origins.slice(1 - kept.length - MAX_CUT_ORIGINS, 1 - kept.length),
    );
  });

  await test.step("by the order in the slot that names most", () => {
    const gone = Array.from(
      { length: 99 },
      (_, at) => [`o${String(at).padStart(7, "0")}`, 40] as const,
    );
    const busy = new Map([["q83vASNF", 1], ...gone, ["LiveLive", 9]]);
    const quiet = new Map([["q83vASNF", 1], ["LiveLive", 9]]);
    const slots = new Map(Array.from({ length: 40 }, (_, at) => [at, at % 2 ? busy : quiet]));
    const { cut } = parseCursor(encodeCursor({ slots, asOfMs: AS_OF_MS }));
    assert.deepEqual([...cut ?? []], gone.slice(0, cut?.size).map(([origin]) => origin));
  });

  await test.step("slot by slot where the serving relay's alone is too much", () => {
    const vector = new Map([["q83vASNF", 2 ** 30], ["gone4ago", 2 ** 50]]);
    const slots = new Map(Array.from({ length: 1000 }, (_, at) => [at * 16, vector]));
    const kept = parseCursor(encodeCursor({ slots, asOfMs: AS_OF_MS }));
    assert.equal(kept.slots.size, 1000);
    const left = [...kept.slots.values()];
    assert.ok(left.every((vector) => !vector.has("gone4ago")));
    assert.ok(left.filter((vector) => vector.has("q83vASNF")).length > 700);
  });

  await test.step("until nothing is left to lose", () => {
    const slots = new Map(
      Array.from({ length: 16384 }, (_, slot) => [slot, new Map([["q83vASNF", 1]])]),
    );
    assert.throws(() => encodeCursor({ slots, asOfMs: AS_OF_MS }), RangeError);
  });
});

Deno.test("whatever does not fit, each position is named or said to be cut, as few as need be", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seededRandom(seed);
    const origins = Array.from({ length: 40 + int(random, 100) }, () => randomOrigin(random));
    const cut = new Set(seed % 3 === 0 ? [randomOrigin(random)] : []);
    const slots = new Map(
      randomSlots(random, 150).map((slot) => {
        const here = origins.filter(() => random() < 0.9);
        return [slot, new Map(here.map((origin) => [origin, int(random, 1000)]))];
      }),
    );
    const went = { slots, asOfMs: AS_OF_MS, cut };
    const text = encodeCursor(went), back = parseCursor(text);
    assert.ok(text.length <= MAX_CURSOR_CHARS, `seed ${seed}`);
    assert.deepEqual([...back.slots.keys()].sort(), [...slots.keys()].sort(), `seed ${seed}`);
    for (const [slot, vector] of slots) {
      const kept = back.slots.get(slot) ?? new Map(), lost = cutIn(back, slot);
      for (const [origin, seq] of vector) {
        if (lost.has(origin)) assert.ok(!kept.has(origin), `seed ${seed}`);
        else assert.equal(kept.get(origin), seq, `seed ${seed}: ${origin} in ${slot}`);
      }
      for (const origin of kept.keys()) assert.ok(vector.has(origin), `seed ${seed}`);
      for (const origin of cut) assert.ok(lost.has(origin), `seed ${seed}`);
    }
    if ((back.cut?.size ?? 0) > cut.size) {
      assert.ok(text.length > MAX_CURSOR_CHARS - 300, `seed ${seed}`);
    }
    assert.equal(encodeCursor(back), text, `seed ${seed}`);
  }
});

Deno.test("of too many that were cut, merged or not, the longest gone are forgotten", () => {
  const names = Array.from({ length: 300 }, (_, at) => `o${String(at).padStart(7, "0")}`);
  const some = (from: number, to: number) => ({
    ...cursor({ 1: { AAAAAAAA: 1 } }),
    cut: new Set(names.slice(from, to)),
  });
  const text = encodeCursor(mergeCursors(some(0, 200), some(100, 300)));
  assert.deepEqual([...parseCursor(text).cut ?? []], names.slice(-MAX_CUT_ORIGINS));
});

Deno.test("what was cut in one cursor and is named by another or an id is where that says", () => {
  const text = encodeCursor({ ...cursor({ 361: { AAAAAAAA: 1 } }), cut: new Set(["q83vASNF"]) });
  const id = messageId({ origin: "q83vASNF", slot: 361, seq: 7 });
  const merged = parseCursor(`${text},${id}`);
  assert.deepEqual(merged.slots.get(361), new Map([["AAAAAAAA", 1], ["q83vASNF", 7]]));
  assert.deepEqual(cutIn(merged, 361), new Set());
});
