/**
 * Which slots somebody here follows, and so which groups are heard: all that messages of these slots may come from, while
 * slots move between groups as well.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import type { Groups } from "./groups.ts";

export interface InterestOptions {
  readonly clock: Clock;
  readonly groups: Pick<Groups, "acquire" | "release">;
  readonly table: Pick<GroupTable, "groupsOf" | "onChange">;
}

/** Before a group that slots were moved to is joined again where that failed. */
const RETRY_MS = 1000;

interface Follower {
  readonly slots: ReadonlySet<number>;
  readonly held: Set<Group>;
}

/** Holds an interest in {@link Groups} for each follower of slots. */
export class Interest {
  readonly #options: InterestOptions;
  readonly #followers = new Set<Follower>();
  readonly #stop: () => void;
  #cancelRetry: (() => void) | undefined;

  constructor(options: InterestOptions) {
    this.#options = options;
    this.#stop = options.table.onChange((slots) => this.#moved(slots));
  }

  /**
   * Follows slots; resolves when their groups are heard and synced with how to stop that, which is to be called once.
   * Rejects, and follows nothing, if one of the groups cannot be joined.
   */
  async follow(slots: Iterable<number>): Promise<() => void> {
    const follower: Follower = { slots: new Set(slots), held: new Set() };
    this.#followers.add(follower);
    try {
      // Nobody waits for all of them: one that fails must not leave others that succeed later.
      const entered = await Promise.allSettled(this.#adjust(follower));
      for (const result of entered) if (result.status === "rejected") throw result.reason;
      return () => this.#leave(follower);
    } catch (error) {
      this.#leave(follower);
      throw error;
    }
  }

  /** Follows tables no longer. Idempotent. */
  close(): void {
    this.#stop();
    this.#cancelRetry?.();
  }

  #leave(follower: Follower): void {
    this.#followers.delete(follower);
    for (const group of follower.held) this.#options.groups.release(group);
    follower.held.clear();
  }

  /** Holds what the follower's slots need now, and nothing else; the answers tell when what is new is heard and synced. */
  #adjust({ slots, held }: Follower): Promise<void>[] {
    const { groups, table } = this.#options;
    const wanted = new Set<Group>();
    for (const slot of slots) for (const group of table.groupsOf(slot)) wanted.add(group);
    const fresh = [...wanted.difference(held)];
    for (const group of held.difference(wanted)) {
      held.delete(group);
      groups.release(group);
    }
    return fresh.map(async (group) => {
      held.add(group);
      try {
        await groups.acquire(group);
      } catch (error) {
        // Nobody holds what could not be joined.
        held.delete(group);
        throw error;
      }
    });
  }

  #moved(slots: readonly number[]): void {
    const concerned = [...this.#followers].filter((follower) =>
      slots.some((slot) => follower.slots.has(slot))
    );
    void this.#readjust(concerned);
  }

  async #readjust(followers: readonly Follower[]): Promise<void> {
    const present = followers.filter((follower) => this.#followers.has(follower));
    const entered = await Promise.allSettled(present.flatMap((one) => this.#adjust(one)));
    if (entered.every(({ status }) => status === "fulfilled")) return;
    this.#cancelRetry ??= this.#options.clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      void this.#readjust([...this.#followers]);
    });
  }
}
