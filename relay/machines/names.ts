/**
 * Which relay has which name. A name outlives the restarts of its relay, an origin does not: who came last under a name has
 * taken the place of those before. An announcement may be late, and then its relay is none that came last.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";

/** More are not remembered, so that forged announcements cannot fill the memory: the oldest go. */
const MAX_REMEMBERED = 4096;

export class Names {
  readonly #newest = new Map<string, Origin>();
  readonly #seen = new Set<Origin>();

  /** Who came last under a name. */
  newest(node: string): Origin | undefined {
    return this.#newest.get(node);
  }

  /** A relay was heard that was not in view: whether it is the one that came last under its name. */
  came(node: string, origin: Origin): boolean {
    const newest = this.#newest.get(node);
    if (newest !== undefined && this.#seen.has(origin)) return newest === origin;
    this.#newest.set(node, origin);
    this.#seen.add(origin);
    bound(this.#newest);
    bound(this.#seen);
    return true;
  }
}

function bound(remembered: Map<string, Origin> | Set<Origin>): void {
  const [oldest] = remembered.keys();
  if (oldest !== undefined && remembered.size > MAX_REMEMBERED) remembered.delete(oldest);
}
