/**
 * Relays that vanished without a goodbye and are looked for.
 *
 * @module
 */
import type { Origin } from "../protocol/message.ts";

/** A relay that vanished without a goodbye and does not answer: it may live on behind a cut. */
export interface Unreachable {
  readonly origin: Origin;
  readonly node: string;
  /** When it was last heard, in monotonic milliseconds. */
  readonly heardMs: number;
}

/** More are not looked for: the oldest loss is given up first. */
const MAX_MISSING = 1024;

/** What has to be known of one. */
interface Lost {
  readonly peer: { readonly origin: Origin; readonly node: string };
  /** Last heard by multicast. */
  readonly heardMs: number;
}

/** The relays looked for, in the order of their loss. */
export class Missing<T extends Lost> {
  readonly #members = new Map<Origin, T>();

  get(origin: Origin): T | undefined {
    return this.#members.get(origin);
  }

  values(): Iterable<T> {
    return this.#members.values();
  }

  list(): readonly Unreachable[] {
    return [...this.#members.values()].map(({ peer: { origin, node }, heardMs }) => {
      return { origin, node, heardMs };
    });
  }

  add(member: T): void {
    this.#members.set(member.peer.origin, member);
    const [oldest] = this.#members.keys();
    if (oldest !== undefined && this.#members.size > MAX_MISSING) this.#members.delete(oldest);
  }

  delete(origin: Origin): void {
    this.#members.delete(origin);
  }

  /** Who has the name of one that is looked for has taken its place. */
  replace(node: string): void {
    for (const [lost, { peer }] of this.#members) {
      if (peer.node === node) this.#members.delete(lost);
    }
  }

  /**
   * Gives up those last heard at `ms` or before, if more are left than are missing: machines that are taken away without a
   * goodbye must not make a minority of the rest, one a year.
   */
  giveUp(ms: number, left: number): void {
    for (const [origin, { heardMs }] of this.#members) {
      if (heardMs <= ms && left > this.#members.size) this.#members.delete(origin);
    }
  }
}
