/**
 * The stores of a simulated cluster's table of slots and groups: two, of which relays use the first unless something has
 * gone wrong.
 *
 * @module
 */
import type { Group } from "../../backbone/backbone.ts";
import { isNewer, SlotGroups } from "../../backbone/registry/slot_groups.ts";
import type { TableStore } from "../../backbone/registry/table_store.ts";
import { MemoryStore } from "./memory_store.ts";

export class Tables {
  readonly stores: readonly [MemoryStore, MemoryStore] = [new MemoryStore(), new MemoryStore()];
  readonly #groupCount: number;
  /** Machines that use the second store. */
  readonly #astray = new Set<number>();

  constructor(groupCount: number) {
    this.#groupCount = groupCount;
  }

  /** What a machine takes for the store; it is never closed. */
  storeOf(machine: number): TableStore {
    const store = () => this.stores[this.#astray.has(machine) ? 1 : 0];
    return {
      read: (known) => store().read(known),
      write: (groups, base) => store().write(groups, base),
      report: (messages) => store().report(messages),
      close: () => {},
    };
  }

  groupOf(slot: number): Group {
    return this.#current(0).groupOf(slot);
  }

  /** Moves a slot to another group, in one of the stores. */
  move(store: 0 | 1, slot: number, group: Group): void {
    this.stores[store].held = this.#current(store).moved(new Map([[slot, group]]));
  }

  /** From now on a machine uses the second store. */
  lead(machine: number): void {
    this.#astray.add(machine);
  }

  /** Everybody uses the first store again, which answers and has the newest of both. */
  mend(): void {
    this.#astray.clear();
    const [first, second] = [this.#current(0), this.#current(1)];
    this.stores[0].held = isNewer(second, first) ? second : first;
    for (const store of this.stores) store.trouble = undefined;
  }

  #current(store: 0 | 1): SlotGroups {
    return this.stores[store].held ?? SlotGroups.initial(this.#groupCount);
  }
}
