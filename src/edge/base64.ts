/**
 * Base64 with padding (RFC 4648 §4), in which binary data travels through JSON and SSE.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";

/** Bytes per call of `String.fromCharCode`, whose arguments go over the stack. */
const CHUNK = 0x8000;

export function toBase64(bytes: Uint8Array): string {
  let latin1 = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    latin1 += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(latin1);
}

/** The bytes of canonical text; anything else is refused. @throws {GroundwaveError} `encoding_invalid`. */
export function fromBase64(text: unknown): Uint8Array<ArrayBuffer> {
  const latin1 = typeof text === "string" ? decoded(text) : undefined;
  // `atob` forgives spaces, missing padding and stray bits; what `btoa` would not have written is refused.
  if (latin1 === undefined || btoa(latin1) !== text) {
    throw new GroundwaveError("encoding_invalid", "data is not base64 (RFC 4648 §4, padded)");
  }
  const bytes = new Uint8Array(latin1.length);
  for (let at = 0; at < latin1.length; at++) bytes[at] = latin1.charCodeAt(at);
  return bytes;
}

function decoded(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
