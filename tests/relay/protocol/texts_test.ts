import assert from "node:assert/strict";
import { writeOrigin } from "../../../relay/protocol/base64url.ts";
import { Texts } from "../../../relay/protocol/texts.ts";
import { seededRandom } from "../../support/random.ts";

/** Reads texts, and counts how many of them had to be made. */
function setUp() {
  const texts = new Texts(), made: string[] = [];
  const read = (text: string) => {
    const bytes = new TextEncoder().encode(`before${text}behind`);
    return texts.text(bytes, 6, bytes.length - 6, () => {
      made.push(text);
      return text;
    });
  };
  return { texts, read, made };
}

Deno.test("a text that comes again is not made again, unless another took its place", () => {
  const { read, made } = setUp();
  for (const text of ["news", "news", "news2", "", "", "news"]) assert.equal(read(text), text);
  assert.deepEqual(made, ["news", "news2"]);
  const random = seededRandom(1);
  for (let n = 0; n < 10_000; n++) {
    const text = `channel${Math.floor(random() * 2000)}`;
    assert.equal(read(text), text);
  }
});

Deno.test("text beyond ASCII is made each time: its units are not its bytes", () => {
  const { read, made } = setUp();
  for (const text of ["\u0080", "é", "é", "ÿ", "🐟", "\u00c3\u00a9"]) {
    assert.equal(read(text), text);
  }
  assert.equal(made.length, 6);
});

Deno.test("bytes that are no text are not taken for one whose units they are", () => {
  const { texts, read } = setUp();
  for (let n = 0; n < 2000; n++) {
    const text = `${n}©`, bytes = Uint8Array.from(text, (unit) => unit.charCodeAt(0));
    read(text);
    assert.equal(texts.text(bytes, 0, bytes.length, () => "no text"), "no text");
  }
});

Deno.test("origins are told apart, however many there are", () => {
  const { texts } = setUp(), random = seededRandom(2);
  const digit = () => "AZaz09-_".charAt(Math.floor(random() * 8));
  for (let n = 0; n < 2000; n++) {
    const origin = Array.from({ length: 8 }, digit).join(""), bytes = new Uint8Array(9);
    writeOrigin(origin, bytes, 2);
    assert.equal(texts.origin(bytes, 2), origin);
    assert.equal(texts.origin(bytes, 2), origin);
  }
});
