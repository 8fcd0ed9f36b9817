/**
 * What a relay draws from the system's randomness: names at each start and of what it makes, and what nobody may guess.
 *
 * @module
 */
import { originText } from "./protocol/base64url.ts";
import { NONCE_BYTES } from "./protocol/frames.ts";
import type { Origin } from "./protocol/message.ts";

/** 48 random bits. Two relays alike in a million starts: one chance in 560. */
export function newOrigin(): Origin {
  return originText(crypto.getRandomValues(new Uint8Array(6)));
}

/** What no session before was begun with. */
export function newNonce(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
}

/** What a store is known again by. */
export function newToken(): string {
  return crypto.randomUUID();
}
