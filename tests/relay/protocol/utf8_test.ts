import assert from "node:assert/strict";
import { decodeUtf8 } from "../../../relay/protocol/utf8.ts";

const LENGTHS = [0, 1, 63, 255, 256, 1000];

Deno.test("text of any length comes back as it was, a byte order mark included", () => {
  for (const length of LENGTHS) {
    for (const end of ["", "~", "\0", "\x7f", "é", "\u{20000}", "\ufeff"]) {
      const text = "a".repeat(length) + end;
      assert.equal(decodeUtf8(new TextEncoder().encode(text)), text);
      assert.equal(decodeUtf8(new TextEncoder().encode(end + text)), end + text);
    }
  }
});

Deno.test("a part of the bytes is read, and nothing beside it", () => {
  for (const length of LENGTHS) {
    const bytes = new TextEncoder().encode(`é${"a".repeat(length)}é`);
    assert.equal(decodeUtf8(bytes, 2, 2 + length), "a".repeat(length));
  }
});

Deno.test("what is not UTF-8 is refused, however long it is", () => {
  for (const length of LENGTHS) {
    for (const wrong of [[0x80], [0xc3], [0xed, 0xa0, 0x80], [0xff]]) {
      assert.throws(() => decodeUtf8(Uint8Array.of(...Array(length).fill(0x61), ...wrong)));
    }
  }
});
