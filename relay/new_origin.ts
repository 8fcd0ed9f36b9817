/**
 * The name that a relay draws at each start.
 *
 * @module
 */
import { originText } from "./protocol/base64url.ts";
import type { Origin } from "./protocol/message.ts";

/** 48 random bits. Two relays alike in a million starts: one chance in 560. */
export function newOrigin(): Origin {
  return originText(crypto.getRandomValues(new Uint8Array(6)));
}
