import assert from "node:assert/strict";
import { ERRORS, GroundwaveError } from "../../../relay/protocol/errors.ts";

/** The table of the public interface: code, HTTP status, WebSocket close code, whether to try again. */
const TABLE = `
  bad_request            400 4500 no
  channel_invalid        400 4500 no
  cursor_invalid         400 4500 no
  encoding_invalid       400 4500 no
  event_reserved         400 4500 no
  unauthorized           401 4501 token
  forbidden              403 4503 no
  not_found              404 -    no
  method_not_allowed     405 -    no
  key_conflict           409 -    no
  too_large              413 4513 no
  unsupported_media_type 415 -    no
  rate_limited           429 4429 yes
  window_full            429 4429 yes
  internal               500 4000 yes
  not_replicated         503 4001 yes
  not_archived           503 4001 yes
  unavailable            503 4001 yes
  draining               503 4001 yes
  slow_reader            503 4008 yes
  token_expired          401 4401 token
`;

Deno.test("the errors are those of the public interface", () => {
  const rows = TABLE.trim().split("\n").map((line) => line.trim().split(/\s+/));
  const actual = Object.entries(ERRORS).map(([code, { status, close, retry }]) => [
    code,
    String(status),
    String(close ?? "-"),
    retry,
  ]);
  assert.deepEqual(actual, rows);
});

Deno.test("close codes under 4500 are those after which it makes sense to come back", () => {
  for (const [code, { close, retry }] of Object.entries(ERRORS)) {
    if (close === undefined || code === "unauthorized") continue;
    assert.equal(close < 4500, retry !== "no", code);
  }
});

Deno.test("an error shows its code and text, and hides its cause", () => {
  const error = new GroundwaveError("draining", "the relay is going down", {
    cause: new Error("secret"),
    retryAfterS: 2,
  });
  assert.equal(
    JSON.stringify(error),
    '{"error":{"code":"draining","message":"the relay is going down"}}',
  );
  assert.equal(error.class.status, 503);
  assert.equal(error.options.retryAfterS, 2);
});

Deno.test("what is no error of the table becomes internal, without its text", () => {
  const known = new GroundwaveError("forbidden", "no");
  assert.equal(GroundwaveError.from(known), known);
  const cause = new TypeError("secret");
  const error = GroundwaveError.from(cause);
  assert.equal(error.code, "internal");
  assert.equal(error.cause, cause);
  assert.ok(!JSON.stringify(error).includes("secret"));
});
