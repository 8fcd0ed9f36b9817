/**
 * Group keys for tests.
 *
 * @module
 */
import { hash } from "../../backbone/group_key.ts";
import { type Credentials, type GroupKey, KeyRing } from "../../backbone/pgm/auth_keys.ts";
import { GroupTime } from "../../backbone/pgm/auth_time.ts";

/** The time at which the virtual clock is 0. */
export const WALL_MS = 1_700_000_000_000;

/** A key whose secret is its id, or another byte, over and over. */
export function groupKey(id: number, byte = id): GroupKey {
  return { id, secret: new Uint8Array(32).fill(byte) };
}

/** What a relay with these keys has; its clock is as far ahead as said. */
export function credentials(
  keys: readonly [GroupKey, ...GroupKey[]] = [groupKey(1)],
  aheadMs = 0,
): Credentials {
  return { keys: new KeyRing(keys), time: new GroupTime(WALL_MS + aheadMs, 0), hash };
}
