import assert from "node:assert/strict";
import { DIGITS } from "../../../relay/protocol/base64url.ts";
import {
  type Cursor,
  encodeCursor,
  MAX_CURSOR_CHARS,
  mergeCursors,
  parseCursor,
} from "../../../relay/protocol/cursor.ts";
import { GroundwaveError } from "../../../relay/protocol/errors.ts";
import { messageId, type Vector } from "../../../relay/protocol/message.ts";
import { seededRandom } from "../../support/random.ts";
import {
  AS_OF_MS,
  cursor,
  int,
  pick,
  type Random,
  randomNumber,
  randomOrigin,
  randomSlots,
} from "./samples.ts";

const MINUTE_MS = 60_000;

/** Slots whose origins come from a few, in any order, some at 0; now and then of one that was cut. */
function randomCursor(random: Random, maxSlots: number): Cursor {
  const origins = Array.from({ length: 1 + int(random, 6) }, () => randomOrigin(random));
  const vector = (): Vector =>
    new Map(
      origins.toSorted(() => random() - 0.5).slice(int(random, origins.length)).map((origin) => [
        origin,
        randomNumber(random),
      ]),
    );
  const cut = new Set(origins.filter(() => random() < 0.3));
  return {
    slots: new Map(randomSlots(random, maxSlots).map((slot) => [slot, vector()])),
    asOfMs: pick(random, [undefined, AS_OF_MS + int(random, 1e6) * MINUTE_MS]),
    ...cut.size > 0 && random() < 0.5 ? { cut } : {},
  };
}

function isCursorInvalid(error: unknown): boolean {
  return error instanceof GroundwaveError && error.code === "cursor_invalid";
}

Deno.test("any cursor comes back as it went", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const random = seededRandom(seed);
    const went = randomCursor(random, pick(random, [1, 1, 3, 40]));
    const text = encodeCursor(went);
    assert.match(text, /^[A-Za-z0-9_-]+$/, `seed ${seed}`);
    assert.ok(text.length <= MAX_CURSOR_CHARS, `seed ${seed}`);
    assert.deepEqual(parseCursor(text), went, `seed ${seed}`);
    // A cursor that was read is written the same: tables follow the order of the slots.
    assert.equal(encodeCursor(parseCursor(text)), text, `seed ${seed}`);
  }
});

Deno.test("the text is what it was since version 1", () => {
  assert.equal(encodeCursor(cursor({})), "1AA");
  assert.equal(encodeCursor(cursor({ 0: { AAAAAAAA: 0 } })), "1ABAAAAAAAABA");
  assert.equal(
    encodeCursor(cursor({ 12182: { q83vASNF: 77 } }, AS_OF_MS)),
    "1h01WBq83vASNFt5XtC",
  );
  assert.equal(
    encodeCursor(
      cursor({
        3: { AAAAAAAA: 1, BBBBBBBB: 2 },
        4: { AAAAAAAA: 3, BBBBBBBB: 4 },
        9: { BBBBBBBB: 5 },
      }),
    ),
    "1ACAAAAAAAABBBBBBBBHBCBDEIBBF",
  );
});

Deno.test("version 2 names first whose positions were left out", () => {
  const cut = new Set(["CCCCCCCC", "BBBBBBBB"]);
  const text = encodeCursor({ ...cursor({ 0: { AAAAAAAA: 5 } }), cut });
  assert.equal(text, "2CCCCCCCCCBBBBBBBBABAAAAAAAABF");
  assert.deepEqual([...parseCursor(text).cut ?? []], [...cut]);
  assert.deepEqual(parseCursor("2AABAAAAAAAABF"), cursor({ 0: { AAAAAAAA: 5 } }));
});

Deno.test("a cursor of one slot and one origin is about 22 characters", () => {
  assert.ok(encodeCursor(cursor({ 16383: { q83vASNF: 1_000_000 } }, AS_OF_MS)).length <= 22);
});

Deno.test("a slot's origins at 0 stay named", () => {
  const text = encodeCursor(cursor({ 5: { q83vASNF: 0 } }));
  assert.deepEqual(parseCursor(text).slots.get(5), new Map([["q83vASNF", 0]]));
});

Deno.test("asOf is rounded down to minutes, and kept within what can be written", () => {
  const asOf = (ms: number) => parseCursor(encodeCursor(cursor({}, ms))).asOfMs;
  assert.equal(asOf(AS_OF_MS + MINUTE_MS - 1), AS_OF_MS);
  assert.equal(asOf(0), Date.UTC(2025, 0, 1));
  assert.ok((asOf(Number.MAX_SAFE_INTEGER) ?? 0) > AS_OF_MS);
});

Deno.test("a thousand channels fit", () => {
  const slots = new Map(
    Array.from({ length: 1000 }, (_, at) => [at * 16, new Map([["q83vASNF", at]])]),
  );
  const text = encodeCursor({ slots, asOfMs: AS_OF_MS });
  assert.deepEqual(parseCursor(text).slots, slots);
});

Deno.test("a message id is a cursor at its place", () => {
  const id = messageId({ origin: "q83vASNF", slot: 361, seq: 7 });
  assert.deepEqual(parseCursor(id), cursor({ 361: { q83vASNF: 7 } }));
});

Deno.test("cursors and ids that come together are merged by maximum", () => {
  const first = encodeCursor(cursor({ 361: { q83vASNF: 7, AAAAAAAA: 9 } }, AS_OF_MS));
  const second = encodeCursor(
    cursor({ 361: { q83vASNF: 8, AAAAAAAA: 2 }, 5: { AAAAAAAA: 1 } }, AS_OF_MS - MINUTE_MS),
  );
  const id = messageId({ origin: "BBBBBBBB", slot: 361, seq: 3 });
  assert.deepEqual(
    parseCursor(`${first},${second}, ${id} ${id}`),
    cursor(
      { 361: { q83vASNF: 8, AAAAAAAA: 9, BBBBBBBB: 3 }, 5: { AAAAAAAA: 1 } },
      AS_OF_MS - MINUTE_MS,
    ),
  );
});

Deno.test("merging changes neither cursor", () => {
  const a = cursor({ 1: { AAAAAAAA: 1 } }), b = cursor({ 1: { AAAAAAAA: 2 } }, AS_OF_MS);
  const merged = mergeCursors(a, b);
  assert.deepEqual(merged, b);
  assert.deepEqual(a, cursor({ 1: { AAAAAAAA: 1 } }));
  assert.deepEqual(mergeCursors(b, a), b);
});

Deno.test("what is no cursor is refused", async (test) => {
  const id = "q83vASNF.a1.7";
  const cases: Record<string, string> = {
    "nothing": "",
    "separators alone": ", ,",
    "a version alone": "1",
    "an unknown version": "3AA",
    "a cut origin cut off": "2BAAAAAAA",
    "a cut origin twice": "2CAAAAAAAAAAAAAAAAAA",
    "257 cut origins": "2hI" + Array.from({ length: 257 }, (_, at) => 1e7 + at).join("") + "AA",
    "cut origins alone": "2BAAAAAAAA",
    "a character outside base64url": "1A+",
    "a character beyond ASCII": "1ABAAAAAAAé",
    "a number cut off": "1Ag",
    "a number with a needless digit": "1gAA",
    "a number of 12 digits": `1A${"_".repeat(11)}A`,
    "an origin cut off": "1ABAAAAAAA",
    "an origin with a space": "1ABAAAA AAAABA",
    "an origin twice": "1ACAAAAAAAAAAAAAAAABAA",
    "more origins than fit": "1Agggggg",
    "a slot without its seq": "1ABAAAAAAAAB",
    "a slot over 16383": `1AAgggB`,
    "a slot over 16383, by steps": "1AA____B",
    "the slot after the last": `${encodeCursor(cursor({ 16383: {} }))}B`,
    "an index outside the table": "1ABAAAAAAAAABBA",
    "more indexes than origins": "1ABAAAAAAAAACAAAA",
    "a seq over 2^53 - 1": "1ABAAAAAAAAB" + "g".repeat(10) + "I",
    "an id without origin": ".a1.7",
    "an id of seq 0": "q83vASNF.a1.0",
    "an id of slot 16384": "q83vASNF.cn4.1",
    "an id with a needless zero": "q83vASNF.a1.07",
    "an id with capitals": "q83vASNF.A1.7",
    "an id with a part too many": "q83vASNF.a1.7.1",
    "a good and a bad one": `${id},x`,
    "a tab between": `${id}\t${id}`,
    "65 ids": new Array(65).fill(id).join(","),
    "over 6 KiB in one": `1A${"A".repeat(MAX_CURSOR_CHARS)}`,
    "over 8 KiB in all": new Array(60).fill(id).join(" ".repeat(200)),
  };
  assert.doesNotThrow(() => parseCursor(new Array(64).fill(id).join(",")));
  for (const [name, text] of Object.entries(cases)) {
    await test.step(name, () => {
      assert.throws(() => parseCursor(text), isCursorInvalid);
    });
  }
});

Deno.test("a cursor cut off anywhere is refused, or is that of fewer slots", () => {
  const went = cursor({ 3: { AAAAAAAA: 1000, BBBBBBBB: 2 }, 900: { AAAAAAAA: 3 } }, AS_OF_MS);
  const text = encodeCursor(went);
  for (let length = 0; length < text.length; length++) {
    try {
      const { slots } = parseCursor(text.slice(0, length));
      assert.ok(slots.size < 2);
      for (const [slot, vector] of slots) assert.deepEqual(vector, went.slots.get(slot));
    } catch (error) {
      assert.ok(isCursorInvalid(error), `at ${length}: ${error}`);
    }
  }
});

Deno.test("spoilt and random text gives a cursor or cursor_invalid", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const text = seed % 3 === 0
      ? pick(random, ["1", "2"]) +
        Array.from({ length: int(random, 60) }, () => DIGITS.charAt(int(random, 64))).join("")
      : spoilt(random, encodeCursor(randomCursor(random, 4)));
    try {
      const read = parseCursor(text);
      assert.deepEqual(parseCursor(encodeCursor(read)), read, `seed ${seed}`);
    } catch (error) {
      assert.ok(isCursorInvalid(error), `seed ${seed}: ${error}`);
    }
  }
});

function spoilt(random: Random, text: string): string {
  const at = int(random, text.length);
  return text.slice(0, at) + pick(random, [...DIGITS, "", ".", ",", "\0", "é"]) +
    text.slice(at + 1);
}
