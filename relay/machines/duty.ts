/**
 * What one relay has to do with a group as its custodian, and what it knows of the others.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";

/** What of a relay in view matters here. */
export interface Keeper {
  readonly origin: Origin;
  readonly node: string;
  /** Each hears the other: only such a relay counts as a custodian. */
  readonly mutual: boolean;
  /** The groups of which it says it is a ready custodian. */
  readonly ready: readonly number[];
  /** The groups of which it says that it was one, and may become one again or waits for others to be. */
  readonly kept: readonly number[];
  /** The groups of which it says it has something. */
  readonly holds: readonly number[];
}

/** `entering`: not heard yet. `syncing`: heard, but not all is fetched. `retiring`: kept until others keep it. */
export type Duty =
  | { readonly state: "entering" }
  | Ready
  | {
    readonly state: "syncing";
    readonly sinceMs: number;
    readonly synced: Set<Origin>;
    /** Also with relays that do not say that they hold something of it. */
    readonly everybody: boolean;
    readonly was: Ready | undefined;
  }
  | {
    readonly state: "retiring";
    readonly sinceMs: number;
    readonly heard: boolean;
    readonly was: Ready | undefined;
  };

export interface Ready {
  readonly state: "ready";
  /** Until when others may give places as they did before; long ago where nobody did. */
  readonly newUntilMs: number;
}

/** Since it was ready it has heard the group. */
export function asReady(duty: Duty): Ready | undefined {
  return duty.state === "ready" ? duty : duty.state === "entering" ? undefined : duty.was;
}

export function wasReady(duty: Duty): boolean {
  return duty.state !== "ready" && asReady(duty) !== undefined;
}

export function isUnsynced(duty: Duty, group: number, { origin, holds }: Keeper): boolean {
  return duty.state === "syncing" && (duty.everybody || holds.includes(group)) &&
    !duty.synced.has(origin);
}
