/**
 * What a channel, an event and a key may be called.
 *
 * @module
 */
import { GroundwaveError } from "./errors.ts";

/** Bytes of a channel's name at most. */
export const MAX_CHANNEL_BYTES = 512;

/** Bytes of an event's name, and of an idempotency key, at most. */
export const MAX_NAME_BYTES = 256;

const RESERVED_EVENTS: ReadonlySet<string> = new Set(["gap", "stale", "fresh", "error"]);
const RESERVED_PREFIX = "groundwave.";

/** @throws {GroundwaveError} `channel_invalid` unless `name` is 1 to 512 bytes of text without control characters. */
export function checkChannel(name: string): void {
  if (isName(name, MAX_CHANNEL_BYTES)) return;
  throw new GroundwaveError(
    "channel_invalid",
    `a channel's name is 1 to ${MAX_CHANNEL_BYTES} bytes of UTF-8 without control characters`,
  );
}

/**
 * @throws {GroundwaveError} `event_reserved` for the names that only a relay may use, `bad_request` unless `name` is 1 to 256
 * bytes of text without control characters.
 */
export function checkEvent(name: string): void {
  if (!isName(name, MAX_NAME_BYTES)) {
    throw new GroundwaveError(
      "bad_request",
      `an event's name is 1 to ${MAX_NAME_BYTES} bytes of UTF-8 without control characters`,
    );
  }
  if (RESERVED_EVENTS.has(name) || name.startsWith(RESERVED_PREFIX)) {
    throw new GroundwaveError("event_reserved", `the event name ${name} is reserved`);
  }
}

/** @throws {GroundwaveError} `bad_request` unless the idempotency key is 1 to 256 bytes of text without control characters. */
export function checkKey(key: string): void {
  if (isName(key, MAX_NAME_BYTES)) return;
  throw new GroundwaveError(
    "bad_request",
    `an idempotency key is 1 to ${MAX_NAME_BYTES} bytes of UTF-8 without control characters`,
  );
}

/** Whether `text` is well-formed, 1 to `maxBytes` bytes of UTF-8, without C0, DEL and C1. One pass, as every publish makes it. */
export function isName(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return false;
  let bytes = 0;
  let surrogates = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return false;
    if (unit >= 0xd800 && unit < 0xe000) {
      surrogates = true;
      bytes += 2; // a pair is four bytes
    } else {
      bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    }
  }
  return bytes > 0 && bytes <= maxBytes && (!surrogates || text.isWellFormed());
}
