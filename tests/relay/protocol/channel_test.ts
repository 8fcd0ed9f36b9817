import assert from "node:assert/strict";
import { checkChannel, checkEvent, checkKey } from "../../../relay/protocol/channel.ts";
import { checkData, MAX_DATA_BYTES } from "../../../relay/protocol/data.ts";
import { type ErrorCode, GroundwaveError } from "../../../relay/protocol/errors.ts";

function refuses(check: () => void, code: ErrorCode, text: string): void {
  const matches = (error: unknown) => error instanceof GroundwaveError && error.code === code;
  assert.throws(check, matches, JSON.stringify(text));
}

const CONTROLS = ["\0", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f"];
const LONE_SURROGATES = ["\ud83d", "\ude00", "\ude00\ud83d", "a\ud83db"];

Deno.test("channels are 1 to 512 bytes of text without control characters", () => {
  const good = [
    "a",
    " ",
    "news/{tag}.x",
    "\xa0",
    "é",
    "日本語",
    "😀",
    "\ufeff",
    ".",
    "..",
    "a".repeat(512),
    "é".repeat(256),
    "😀".repeat(128),
  ];
  const bad = ["", "a".repeat(513), "é".repeat(257), "語".repeat(171), "😀".repeat(129)];
  for (const name of good) assert.doesNotThrow(() => checkChannel(name), JSON.stringify(name));
  for (const name of [...bad, ...CONTROLS, ...LONE_SURROGATES]) {
    refuses(() => checkChannel(name), "channel_invalid", name);
    if (name !== "") refuses(() => checkChannel(`a${name}`), "channel_invalid", name);
  }
});

Deno.test("events are 1 to 256 bytes without control characters, and not the relay's own", () => {
  for (const name of ["tick", "message", "gaps", "Gap", "groundwave", "é".repeat(128)]) {
    assert.doesNotThrow(() => checkEvent(name), name);
  }
  for (const name of ["gap", "stale", "fresh", "error", "groundwave.", "groundwave.base64"]) {
    refuses(() => checkEvent(name), "event_reserved", name);
  }
  for (const name of ["", "a\r", "a".repeat(257), ...CONTROLS, ...LONE_SURROGATES]) {
    refuses(() => checkEvent(name), "bad_request", name);
  }
});

Deno.test("keys are 1 to 256 bytes without control characters", () => {
  assert.doesNotThrow(() => checkKey("a".repeat(256)));
  for (const key of ["", "a".repeat(257), ...CONTROLS, ...LONE_SURROGATES]) {
    refuses(() => checkKey(key), "bad_request", key);
  }
});

Deno.test("data is at most 1 MiB, in bytes, and well-formed", () => {
  const good = [
    "",
    "\0\r\n\ufeff",
    "a".repeat(MAX_DATA_BYTES),
    "é".repeat(MAX_DATA_BYTES / 2),
    "😀".repeat(MAX_DATA_BYTES / 4),
    new Uint8Array(MAX_DATA_BYTES),
  ];
  const large = [
    "a".repeat(MAX_DATA_BYTES + 1),
    "é".repeat(MAX_DATA_BYTES / 2) + "a",
    "語".repeat(349526),
    "😀".repeat(MAX_DATA_BYTES / 4) + "a",
    new Uint8Array(MAX_DATA_BYTES + 1),
  ];
  for (const data of good) assert.doesNotThrow(() => checkData(data));
  for (const data of large) refuses(() => checkData(data), "too_large", `${data.length} units`);
  for (const data of LONE_SURROGATES) refuses(() => checkData(data), "encoding_invalid", data);
});
