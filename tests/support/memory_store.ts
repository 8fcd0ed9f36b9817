/**
 * A store of tables in memory, that fails when a test says so.
 *
 * @module
 */
import { isNewer, type SlotGroups, type Version } from "../../backbone/registry/slot_groups.ts";
import { type Load, StoreTrouble, type TableStore } from "../../backbone/registry/table_store.ts";

/** What any number of relays share. */
export class MemoryStore implements TableStore {
  held: SlotGroups | undefined;
  /** What every call fails with, if anything. */
  trouble: string | undefined;
  /** What every report fails with. */
  full: string | undefined;
  /** Calls wait for this. */
  hanging: Promise<void> = Promise.resolve();
  /** What the next report answers, once. */
  load: Load | undefined;
  readonly reports: ReadonlyMap<number, number>[] = [];
  reads = 0;
  closed = false;

  async read(known: SlotGroups): Promise<SlotGroups | undefined> {
    this.reads += 1;
    await this.#answer();
    const { held } = this;
    return held?.epoch === known.epoch && held.hash === known.hash ? known : held;
  }

  async write(groups: SlotGroups, base?: Version): Promise<boolean> {
    await this.#answer();
    const { held } = this;
    const wins = base
      ? held?.epoch === base.epoch && held.hash === base.hash
      : !held || isNewer(groups, held);
    if (wins) this.held = groups;
    return wins;
  }

  async report(messages: ReadonlyMap<number, number>): Promise<Load | undefined> {
    await this.#answer();
    if (this.full !== undefined) throw new StoreTrouble(this.full);
    this.reports.push(messages);
    const { load } = this;
    this.load = undefined;
    return load;
  }

  close(): void {
    this.closed = true;
  }

  async #answer(): Promise<void> {
    await this.hanging;
    if (this.trouble !== undefined) throw new StoreTrouble(this.trouble);
  }
}
