/**
 * Which multicast groups this relay hears: those somebody here is interested in, and for a while after.
 *
 * @module
 */
import type { Backbone, Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";

export interface GroupsOptions {
  readonly backbone: Pick<Backbone, "join" | "leave">;
  readonly clock: Clock;
  /** How long a group without interest is still heard, so that what its readers left can be resumed here. */
  readonly lingerMs: number;
  /** A group is heard from now on: fetches what its slots missed before. */
  readonly entered: (group: Group) => Promise<void>;
  /** A group is not heard any more. */
  readonly left: (group: Group) => void;
}

interface Membership {
  interest: number;
  /** Resolves when the group is heard and its logs are synced. */
  ready: Promise<void>;
  cancelLeave: (() => void) | undefined;
}

/** Joins with the first interest in a group; leaves when the last has been gone for the linger time. */
export class Groups {
  readonly #options: GroupsOptions;
  readonly #memberships = new Map<Group, Membership>();

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /** The groups heard now, ascending. */
  get heard(): readonly Group[] {
    return [...this.#memberships.keys()].sort((a, b) => a - b);
  }

  hears(group: Group): boolean {
    return this.#memberships.has(group);
  }

  /** Shows interest in a group; resolves when it is heard and synced. Each call needs one {@link release}. */
  acquire(group: Group): Promise<void> {
    let membership = this.#memberships.get(group);
    if (!membership) {
      membership = { interest: 0, ready: this.#enter(group), cancelLeave: undefined };
      this.#memberships.set(group, membership);
    }
    membership.interest += 1;
    membership.cancelLeave?.();
    membership.cancelLeave = undefined;
    return membership.ready;
  }

  /** Gives up one interest. */
  release(group: Group): void {
    const membership = this.#memberships.get(group);
    if (!membership || membership.interest === 0) return;
    membership.interest -= 1;
    if (membership.interest > 0) return;
    membership.cancelLeave = this.#options.clock.after(this.#options.lingerMs, () => {
      this.#forget(group);
    });
  }

  /** Leaves every group and cancels every timer. */
  close(): void {
    for (const [group, membership] of [...this.#memberships]) {
      membership.cancelLeave?.();
      this.#forget(group);
    }
  }

  async #enter(group: Group): Promise<void> {
    try {
      await this.#options.backbone.join(group);
      await this.#options.entered(group);
    } catch (error) {
      // The next interest tries again from the start.
      this.#forget(group);
      throw error;
    }
  }

  #forget(group: Group): void {
    if (!this.#memberships.delete(group)) return;
    this.#options.backbone.leave(group);
    this.#options.left(group);
  }
}
