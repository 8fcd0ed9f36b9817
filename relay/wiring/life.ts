/**
 * What the steps of wiring a relay share. They are three, each with parts that need those before it at once; who needs
 * something of a later step gets at it when it is used, which is after the relay has started.
 *
 * @module
 */
import type { RelayOptions } from "../options.ts";
import type { Origin } from "../protocol/message.ts";

/** Of one life of a relay. */
export type LifeOptions = RelayOptions & { readonly origin: Origin };

/** Sees to it that a part is closed in the end, the last made first. */
export type Own = <T extends { close(): void | Promise<void> }>(part: T) => T;
