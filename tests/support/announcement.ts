/**
 * What a relay says of itself, where a test cares for little of it.
 *
 * @module
 */
import type { Announcement } from "../../relay/protocol/announcement.ts";
import { SESSION_VERSION } from "../../relay/protocol/frames.ts";

export function announcement(origin: string, more: Partial<Announcement> = {}): Announcement {
  return {
    origin,
    version: SESSION_VERSION,
    node: `node ${origin}`,
    region: "local",
    host: "127.0.0.1",
    port: 1,
    groups: [],
    holds: [],
    ready: [],
    kept: [],
    hears: [],
    tableEpoch: 0,
    tableHash: 0,
    load: 0,
    timeMs: 0,
    solicit: false,
    leaving: false,
    ...more,
  };
}
