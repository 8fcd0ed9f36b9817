/**
 * The keys of a group of relays, and what its relays share to authenticate.
 *
 * While keys are rotated there are two: the first signs, both verify. A new key is added behind the old one on every
 * relay, then put before it, then the old one is removed.
 *
 * @module
 */
import type { GroupTime } from "./auth_time.ts";

/** The most key id: it has 7 bits on the wire. */
export const LARGEST_KEY_ID = 127;

/** A secret and its name on the wire. */
export interface GroupKey {
  /** 0 to {@link LARGEST_KEY_ID}. */
  readonly id: number;
  /** 16 to 64 bytes. */
  readonly secret: Uint8Array;
}

/**
 * BLAKE2b, of which the tag is the beginning; 10 bytes at least. The bytes may be used again after the call.
 */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** The keys as they are now; the sessions of a relay share them. */
export class KeyRing {
  #keys: readonly [GroupKey, ...GroupKey[]];

  constructor(keys: readonly [GroupKey, ...GroupKey[]]) {
    this.#keys = keys;
  }

  /** The key to sign with. */
  get signing(): GroupKey {
    return this.#keys[0];
  }

  get(id: number): GroupKey | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /** Goes on with other keys. */
  replace(keys: readonly [GroupKey, ...GroupKey[]]): void {
    this.#keys = keys;
  }
}

/** What the sessions of a relay share to authenticate. */
export interface Credentials {
  readonly keys: KeyRing;
  readonly time: GroupTime;
  readonly hash: Hash;
}
