/**
 * What the relay's thread and the thread that waits for the disk say to each other.
 *
 * @module
 */
import type { Origin, Vector } from "../protocol/message.ts";
import type { KeptSlot, KeptStanding, Opening, SlotUpdate } from "./archive_store.ts";

/** What is asked of the file, one call after the other. */
export type SqliteCall =
  | { readonly type: "open"; readonly path: string }
  /** Answered with some slots, and asked again until there are none. */
  | { readonly type: "slots" }
  | { readonly type: "standings"; readonly slots: readonly number[] }
  | { readonly type: "write"; readonly updates: readonly SlotUpdate[]; readonly nowMs: number }
  | {
    readonly type: "remember";
    readonly heardMs: ReadonlyMap<Origin, number>;
    readonly sinceMs: number;
    readonly nowMs: number;
    readonly stoppedMs: number;
  }
  | { readonly type: "close" };

/** What each kind of call is answered with. */
export interface SqliteResults {
  readonly open: Opening;
  readonly slots: readonly KeptSlot[];
  readonly standings: readonly KeptStanding[];
  readonly write: readonly Vector[];
  readonly remember: undefined;
  readonly close: undefined;
}

/** The answer to a call, or why there is none, as SQLite says it. */
export type SqliteAnswer =
  | { readonly result: SqliteResults[SqliteCall["type"]] }
  | { readonly failed: string };
