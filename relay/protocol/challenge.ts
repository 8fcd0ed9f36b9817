/**
 * How each side of a session proves that it has a key of the group: the HMAC-SHA-256 (RFC 2104) over the side that it is
 * and both hellos, in which each has put a random nonce of its own. So no proof of another session, nor the other side's
 * of this one, is worth anything. What follows is neither encrypted nor signed: who can change what travels between two
 * relays once they have greeted each other is not kept out.
 *
 * @module
 */
import { concat } from "./bytes.ts";
import { encodeFrame } from "./frame_writer.ts";
import type { Hello, Proof } from "./frames.ts";
import { SessionError } from "./session_error.ts";

/** Which side of a session: who dials asks. */
export type Role = "asker" | "answerer";

/** A secret and its name on the wire. */
export interface SessionKey {
  readonly id: number;
  readonly secret: Uint8Array;
}

/** The group's keys as they are now: the first signs, all verify. */
export interface SessionKeys {
  readonly signing: SessionKey;
  get(id: number): SessionKey | undefined;
}

/** What it takes to prove and to verify. */
export interface SessionCredentials {
  readonly keys: SessionKeys;
  /** HMAC-SHA-256. */
  readonly hmac: (secret: Uint8Array, bytes: Uint8Array) => Uint8Array;
}

/** Both sides' first words. */
export type Hellos = Readonly<Record<Role, Hello>>;

/** The proof of the side `role`. */
export function prove({ keys, hmac }: SessionCredentials, role: Role, hellos: Hellos): Proof {
  const { id, secret } = keys.signing;
  return { type: "proof", keyId: id, mac: hmac(secret, transcript(role, hellos)) };
}

/** @throws {SessionError} unless the side `role` has a key of ours. */
export function verify(
  { keys, hmac }: SessionCredentials,
  role: Role,
  hellos: Hellos,
  { keyId, mac }: Proof,
): void {
  const key = keys.get(keyId);
  if (!key) throw new SessionError("key", `it has group key ${keyId}, which is not one of ours`);
  if (!same(hmac(key.secret, transcript(role, hellos)), mac)) {
    throw new SessionError("key", `its group key ${keyId} is not ours`);
  }
}

/** Frames say how long they are, so no two pairs of hellos read alike. */
function transcript(role: Role, { asker, answerer }: Hellos): Uint8Array {
  const label = new TextEncoder().encode(`groundwave session ${role}\0`);
  return concat([label, ...encodeFrame(asker), ...encodeFrame(answerer)]);
}

/** Compares in a time that does not tell where they differ. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  let differing = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) differing |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return differing === 0;
}
