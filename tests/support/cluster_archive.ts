/**
 * The stores of a simulated cluster's archives: one that all relays share, or one on each machine. They survive whatever
 * becomes of the relays; they may be slow, fail, or lose what came last.
 *
 * @module
 */
import {
  type ArchiveStore,
  ArchiveTrouble,
  type KeptSlot,
} from "../../relay/archives/archive_store.ts";
import { messageId } from "../../relay/protocol/message.ts";
import type { ProcessClock } from "./cluster_time.ts";
import { ArchivePlace, MemoryArchive } from "./memory_archive.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** A call takes so long each way at least, in milliseconds. */
const CALL_MS = 0.2;

/** What is kept in one place, and how well that can be used. */
export class Shelf {
  place = new ArchivePlace();
  /** Why it cannot be used. */
  trouble: string | undefined;
  /** What a call takes at most. */
  slowMs = 2;
  #copy = new ArchivePlace();

  /** This is what {@link lose} goes back to. */
  copy(): void {
    this.#copy = copyOf(this.place);
  }

  /** What came since the last copy is gone. */
  lose(): void {
    this.place = this.#copy;
    this.copy();
  }

  /** Of all that is kept. */
  ids(): string[] {
    return [...this.place.copies].flatMap(([slot, { messages }]) =>
      messages.map(({ origin, seq }) => messageId({ slot, origin, seq }))
    );
  }
}

/** All of a cluster. */
export class Archives {
  readonly isShared: boolean;
  readonly shelves: readonly Shelf[];
  readonly #clock: VirtualClock;
  readonly #random: () => number;

  constructor(
    isShared: boolean,
    machines: number,
    clock: VirtualClock,
    random: () => number,
  ) {
    this.isShared = isShared;
    this.shelves = Array.from({ length: isShared ? 1 : machines }, () => new Shelf());
    this.#clock = clock;
    this.#random = random;
  }

  /** What the relay of a process on a machine uses. */
  storeFor(machine: number, process: ProcessClock): ArchiveStore {
    const shelf = this.shelves[this.isShared ? 0 : machine];
    if (!shelf) throw new RangeError(`there is no machine ${machine}`);
    const clocks = { lan: this.#clock, process };
    return new SimulatedArchive(shelf, this.isShared, clocks, this.#random);
  }

  /** Of all that any store has. */
  ids(): string[] {
    return [...new Set(this.shelves.flatMap((shelf) => shelf.ids()))];
  }
}

class SimulatedArchive implements ArchiveStore {
  readonly name = "simulated";
  readonly isShared: boolean;
  readonly #shelf: Shelf;
  readonly #clocks: { readonly lan: VirtualClock; readonly process: ProcessClock };
  readonly #random: () => number;
  /** Slots that it has written: it notices when the store has fewer. */
  readonly #listed = new Set<number>();

  constructor(
    shelf: Shelf,
    isShared: boolean,
    clocks: { readonly lan: VirtualClock; readonly process: ProcessClock },
    random: () => number,
  ) {
    this.isShared = isShared;
    this.#shelf = shelf;
    this.#clocks = clocks;
    this.#random = random;
  }

  open(): ReturnType<ArchiveStore["open"]> {
    return this.#call((store) => store.open());
  }

  /** Copies: what others write while one reads comes to light by standings alone. */
  async *slots(): AsyncGenerator<KeptSlot, void> {
    const all = await this.#call(async (store) => {
      const slots = await Array.fromAsync(store.slots());
      return slots.map((kept) => ({
        ...kept,
        vector: new Map(kept.vector),
        messages: [...kept.messages],
      }));
    });
    for (const kept of all) {
      await this.#call(() => Promise.resolve());
      yield kept;
    }
  }

  standings(slots: readonly number[]): ReturnType<ArchiveStore["standings"]> {
    return this.#call((store) => store.standings(slots));
  }

  /** One that fails may have done any part of it. */
  write(...[updates, nowMs]: Parameters<ArchiveStore["write"]>): ReturnType<ArchiveStore["write"]> {
    for (const { slot } of updates) this.#listed.add(slot);
    const done = Math.floor(this.#random() * (updates.length + 1));
    return this.#call(
      (store) => store.write(updates, nowMs),
      (store) => store.write(updates.slice(0, done), nowMs),
    );
  }

  remember(...kept: Parameters<ArchiveStore["remember"]>): Promise<void> {
    return this.#call(async (store) => {
      await store.remember(...kept);
      if (!this.isShared || this.#shelf.place.copies.size >= this.#listed.size) return;
      this.#listed.clear();
      throw new ArchiveTrouble("it was emptied or set back, and is filled anew");
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * A request is on its way, is done, and is answered. The process may die meanwhile: what it had asked of a store of its
   * own is not done then, and what it had asked of another machine is, if it went out.
   */
  #call<T>(
    run: (store: MemoryArchive) => Promise<T>,
    fail: (store: MemoryArchive) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<T> {
    const { lan, process } = this.#clocks;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const isOut = this.#random() < 0.5;
    const tell = (answer: () => void) => lan.after(this.#delayMs(), () => process.run(answer));
    const work = async () => {
      try {
        const result = await this.#do(run, fail);
        tell(() => resolve(result));
      } catch (error) {
        tell(() => reject(error));
      }
    };
    lan.after(this.#delayMs(), () => {
      if (process.isDead && !(this.isShared && isOut)) return;
      if (this.isShared) void work();
      else process.run(() => void work());
    });
    return promise;
  }

  async #do<T>(
    run: (store: MemoryArchive) => Promise<T>,
    fail: (store: MemoryArchive) => Promise<unknown>,
  ): Promise<T> {
    const { place, trouble } = this.#shelf, store = new MemoryArchive(place, this.isShared);
    if (trouble === undefined) return await run(store);
    await fail(store);
    throw new ArchiveTrouble(trouble);
  }

  #delayMs(): number {
    return CALL_MS + this.#random() * this.#shelf.slowMs / 2;
  }
}

function copyOf({ copies, heardMs, writtenMs }: ArchivePlace): ArchivePlace {
  const copy = new ArchivePlace();
  for (const [slot, kept] of structuredClone(copies)) copy.copies.set(slot, kept);
  for (const [origin, ms] of heardMs) copy.heardMs.set(origin, ms);
  copy.writtenMs = writtenMs;
  return copy;
}
