import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { originText, readOrigin, writeOrigin } from "../../../relay/protocol/base64url.ts";
import { VarintReader, writeVarint } from "../../../relay/protocol/varint.ts";
import { seededRandom } from "../../support/random.ts";
import { randomBytes, randomNumber, randomOrigin } from "./samples.ts";

Deno.test("an origin's text is the base64url of its bytes", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 1000; i++) {
    const origin = randomOrigin(random);
    const bytes = new Uint8Array(10);
    writeOrigin(origin, bytes, 2);
    assert.equal(Buffer.from(bytes.subarray(2, 8)).toString("base64url"), origin);
    assert.equal(readOrigin(bytes, 2), origin);
    assert.equal(originText(bytes.subarray(2, 8)), origin);
  }
  assert.throws(() => originText(randomBytes(random, 5)), RangeError);
});

Deno.test("numbers come back as they went, in 1 to 11 digits", () => {
  const random = seededRandom(2);
  for (let i = 0; i < 2000; i++) {
    const value = randomNumber(random);
    const text = writeVarint(value);
    const reader = new VarintReader(`x${text}A`, 1);
    assert.equal(reader.varint(Number.MAX_SAFE_INTEGER), value);
    assert.equal(reader.varint(0), 0);
    assert.ok(reader.done);
    if (value > 0) assert.throws(() => new VarintReader(text, 0).varint(value - 1), RangeError);
  }
  assert.deepEqual([0, 31, 32, 1023, 1024].map(writeVarint), ["A", "f", "gB", "_f", "ggB"]);
});
