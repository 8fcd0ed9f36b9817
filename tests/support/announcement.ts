/**
 * What a relay says of itself, where a test cares for little of it.
 *
 * @module
 */
import type { Announcement } from "../../relay/protocol/frames.ts";

export function announcement(origin: string, more: Partial<Announcement> = {}): Announcement {
  return {
    origin,
    node: `node ${origin}`,
    region: "local",
    host: "127.0.0.1",
    port: 1,
    groups: [],
    tableEpoch: 0,
    solicit: false,
    ...more,
  };
}
