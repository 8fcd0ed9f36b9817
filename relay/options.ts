/**
 * What a relay is started with.
 *
 * @module
 */
import type { Backbone, BackboneEvents } from "../backbone/backbone.ts";
import type { BackboneOptions } from "../backbone/options.ts";
import type { TableStore } from "../backbone/registry/table_store.ts";
import type { ArchiveStore } from "./archives/archive_store.ts";
import type { Origin } from "./protocol/message.ts";
import type { PeerTransport } from "./transport.ts";

/** Says what happened, for an operator. */
export type RelayLog = (
  level: "info" | "warn" | "error",
  message: string,
  fields?: Readonly<Record<string, string | number | boolean>>,
) => void;

export interface RelayOptions extends
  Pick<
    BackboneOptions,
    | "interface"
    | "groupBase"
    | "groupCount"
    | "groupPort"
    | "credentials"
    | "clock"
    | "random"
    | "openSocket"
  > {
  /** Name for people. */
  readonly id: string;
  readonly region: string;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  readonly log: RelayLog;
  /** PGM in UDP if absent. */
  readonly openBackbone?: (options: BackboneOptions, events: BackboneEvents) => Promise<Backbone>;
  /** TCP if absent. */
  readonly transport?: PeerTransport;
  /** Drawn from the system's randomness if absent. */
  readonly origin?: Origin;
  /** Where the cluster keeps its table of slots and groups, this relay's to close; slot modulo pool if absent. */
  readonly tableStore?: TableStore;
  /** Where a copy of the logs is kept, this relay's to close; nowhere if absent. */
  readonly archive?: ArchiveStore;
  /** {@link RETENTION} if absent. */
  readonly retention?: Retention;
}

/** How much of a channel a relay keeps. */
export interface Retention {
  readonly maxCount: number;
  readonly maxAgeMs: number;
}

/** INTERFACE "Limits". A group is heard as long after its last reader as its messages are kept. */
export const RETENTION: Retention = { maxCount: 1000, maxAgeMs: 300_000 };
