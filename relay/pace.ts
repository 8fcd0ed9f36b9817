/**
 * Keeps this relay from sending faster to a group than its ready custodians take it in, and has them acknowledge what they
 * hold. In the simulator a tagged receiver at half the source's pace loses nothing; the budget alone floods it with repairs
 * on top of the data. Other hearers are not tagged, so that none of them can slow down everybody: what they fall behind by
 * they fetch from a custodian.
 *
 * @module
 */
import { type Backbone, type Group, MOST_TAGGED } from "../backbone/backbone.ts";
import type { Origin } from "./protocol/message.ts";

/** Tags in every group its ready custodians, the best first: one that acknowledges at once is enough. */
export class Pace {
  readonly #backbone: Pick<Backbone, "tag">;
  readonly #groupCount: number;
  /** By group, who is tagged, in order. */
  readonly #tagged = new Map<Group, string>();

  constructor(backbone: Pick<Backbone, "tag">, groupCount: number) {
    this.#backbone = backbone;
    this.#groupCount = groupCount;
  }

  /** Takes the other relays that are ready custodians of each group, best first; changes only what is not so already. */
  follow(ready: (group: Group) => readonly Origin[]): void {
    for (let group = 1; group <= this.#groupCount; group++) this.#tag(group, ready(group));
  }

  #tag(group: Group, ready: readonly Origin[]): void {
    const origins = ready.slice(0, MOST_TAGGED), key = origins.join();
    if ((this.#tagged.get(group) ?? "") === key) return;
    this.#tagged.set(group, key);
    this.#backbone.tag(group, origins);
  }
}
