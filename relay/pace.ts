/**
 * Keeps this relay from sending faster to a group than the relays that hear it take in. In the simulator a receiver at
 * half the source's pace loses nothing that way; the budget alone floods it with repairs on top of the data.
 *
 * @module
 */
import { type Backbone, type Group, MOST_TAGGED } from "../backbone/backbone.ts";
import type { Origin } from "./protocol/message.ts";

/** What of a peer matters here. */
export interface Hearer {
  readonly origin: Origin;
  readonly groups: readonly Group[];
}

/** Tags in every group the relays that say they hear it: there are no custodians yet to be the only ones. */
export class Pace {
  readonly #backbone: Pick<Backbone, "tag">;
  readonly #groupCount: number;
  /** By group, who is tagged, in order. */
  readonly #tagged = new Map<Group, string>();

  /** @param groupCount how many groups there are; a peer may say that it hears others. */
  constructor(backbone: Pick<Backbone, "tag">, groupCount: number) {
    this.#backbone = backbone;
    this.#groupCount = groupCount;
  }

  /** Takes the peers in view; changes only what is not so already. */
  follow(peers: readonly Hearer[]): void {
    const hearers = new Map<Group, Origin[]>([...this.#tagged.keys()].map((group) => [group, []]));
    for (const { origin, groups } of peers) {
      for (const group of groups) {
        if (group > this.#groupCount) continue;
        const origins = hearers.get(group);
        if (origins) origins.push(origin);
        else hearers.set(group, [origin]);
      }
    }
    for (const [group, origins] of hearers) this.#tag(group, origins.sort().slice(0, MOST_TAGGED));
  }

  #tag(group: Group, origins: readonly Origin[]): void {
    const key = origins.join();
    if (this.#tagged.get(group) === key) return;
    if (key === "") this.#tagged.delete(group);
    else this.#tagged.set(group, key);
    this.#backbone.tag(group, origins);
  }
}
