/**
 * Runs the staleness machine: tells readers when this relay cannot know whether they have everything, and when it can again.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import type { Clock } from "../backbone/clock.ts";
import { type Sight, Staleness } from "./machines/staleness.ts";
import type { RelayLog } from "./options.ts";

export interface FreshnessOptions {
  readonly clock: Clock;
  /** Fetches what the relays in view have beyond this one; false if one of them does not answer. */
  readonly sync: () => Promise<boolean>;
  /** Whether a message of a group that came at `ms` or before still waits for what it must follow. */
  readonly waits: (group: Group, ms: number) => boolean;
  /** The readers of a group are to be told. */
  readonly tell: (group: Group, stale: boolean) => void;
  readonly log: RelayLog;
}

interface Synced {
  readonly groups: ReadonlySet<Group>;
  readonly begunMs: number;
  readonly endedMs: number;
}

/** The driver of {@link Staleness}. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #staleness = new Staleness();
  #syncing = false;
  /** The sync whose messages may wait in the logs still: then the readers of these groups do not have them. */
  #synced: Synced | undefined;

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  /** The groups whose readers were told `stale`. */
  get staleGroups(): readonly Group[] {
    return this.#staleness.staleGroups;
  }

  /** Undefined: it is not heard, or still being entered. */
  isStale(group: Group): boolean | undefined {
    return this.#staleness.isStale(group);
  }

  /** Whether what a group missed that is heard now is still on its way. */
  isJoining(group: Group): boolean {
    return this.#staleness.isJoining(group, this.#options.clock.nowMs());
  }

  /** A group is heard from now on; `synced`: everybody in view has shown what it holds. */
  entered(group: Group, synced: boolean): void {
    this.#staleness.handleEntered(group, synced, this.#options.clock.nowMs());
    this.#tell();
    // Readers whose slot was moved here are as stale as they were where it came from.
    if (!this.isStale(group)) this.#options.tell(group, false);
  }

  /** It is not heard any more. */
  left(group: Group): void {
    this.#staleness.handleLeft(group);
  }

  /** Takes what this relay sees now. To be called a few times a second. */
  follow(sight: Sight): void {
    this.#staleness.handleSight(sight, this.#options.clock.nowMs());
    this.#settle();
    this.#tell();
    // What waits in a group that is still joining waits on: a sync begun before does not settle it.
    const isSynced = (group: Group) => this.#synced?.groups.has(group);
    if (!this.#syncing && !this.#staleness.unsynced.every(isSynced)) void this.#sync();
  }

  async #sync(): Promise<void> {
    const begunMs = this.#options.clock.nowMs(), groups = new Set(this.#staleness.unsynced);
    this.#syncing = true;
    const answered = await this.#options.sync();
    this.#syncing = false;
    if (!answered) return;
    for (const group of groups) this.#staleness.handleFetched(group);
    this.#synced = { groups, begunMs, endedMs: this.#options.clock.nowMs() };
    this.#settle();
    this.#tell();
  }

  #settle(): void {
    if (!this.#synced) return;
    const { groups, begunMs, endedMs } = this.#synced;
    let waiting = false;
    for (const group of this.#staleness.unsynced) {
      if (!groups.has(group)) continue;
      if (this.#options.waits(group, endedMs)) waiting = true;
      else this.#staleness.handleSynced(group, begunMs);
    }
    if (!waiting) this.#synced = undefined;
  }

  #tell(): void {
    const told = { stale: 0, fresh: 0 };
    for (let output; (output = this.#staleness.pollOutput());) {
      told[output.type] += 1;
      this.#options.tell(output.group, output.type === "stale");
    }
    if (told.stale > 0) {
      this.#options.log("warn", "cannot tell whether readers have everything", {
        groups: told.stale,
      });
    }
    if (told.fresh > 0) {
      this.#options.log("info", "readers have everything again", { groups: told.fresh });
    }
  }
}
