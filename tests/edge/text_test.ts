/**
 * How bytes, escapes and parameters are read from text.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fromBase64, toBase64 } from "../../src/edge/base64.ts";
import { Query, rawPath } from "../../src/edge/query.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("base64 comes back as it went, at every length", () => {
  const random = seededRandom(1);
  for (const length of [...Array(100).keys(), 0x7fff, 0x8000, 0x8001, 100_000]) {
    const bytes = Uint8Array.from({ length }, () => random() * 256);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  }
});

Deno.test("base64 that is not canonical is refused", () => {
  for (
    const text of [
      "A",
      "AA",
      "AAA",
      "AA=",
      "AAE",
      "AAF=",
      "A===",
      "AA==AA==",
      "AA A",
      "AA-_",
      "é",
      7,
      null,
    ]
  ) {
    assert.throws(() => fromBase64(text), { code: "encoding_invalid" }, String(text));
  }
});

Deno.test("a query is read as forms are, strictly", () => {
  const query = new Query("http://h/p?a=1&b=x%20y+z&&a=2&flag&c=d=e&%C3%A9=%F0%9F%90%9F");
  assert.deepEqual(query.channels(1), []);
  assert.throws(() => query.one("a"), { code: "bad_request" });
  assert.equal(query.one("b"), "x y z");
  assert.equal(query.one("flag"), "");
  assert.equal(query.one("c"), "d=e");
  assert.equal(query.one("é"), "🐟");
  assert.equal(query.one("nothing"), undefined);
  for (const bad of ["a=%", "a=%zz", "a=%ff", "%c3=a", "a=%ED%A0%80"]) {
    assert.throws(() => new Query(`http://h/p?${bad}`), { code: "bad_request" }, bad);
  }
});

Deno.test("channels of a query count once", () => {
  const query = new Query("http://h/p?channel=a&channel=b&channel=a");
  assert.deepEqual(query.channels(2), ["a", "b"]);
  assert.throws(() => query.channels(1), { code: "bad_request" });
});

Deno.test("the path is what stands between host and query", () => {
  assert.equal(rawPath("http://h/a%2Fb/../c?d=/e"), "/a%2Fb/../c");
  assert.equal(rawPath("http://h:80"), "/");
  assert.equal(rawPath("http://h:80?x=/y"), "/");
  assert.equal(rawPath("http://h//x"), "//x");
});
