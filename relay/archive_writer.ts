/**
 * Writes what the copies in an archive lack: one batch after the other, so that whatever becomes due while one is written
 * goes with the next.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import type { ArchiveCopies, Room, Scope } from "./archive_copies.ts";
import type { ArchiveWaiters } from "./archive_waiters.ts";
import type { ArchiveStore, SlotUpdate } from "./archives/archive_store.ts";
import { lostOf } from "./archives/outline.ts";
import type { Logs } from "./logs.ts";
import type { Origins } from "./origins.ts";
import type { Origin, Range } from "./protocol/message.ts";

export interface ArchiveWriterOptions {
  readonly clock: Clock;
  /** Wall-clock milliseconds. */
  readonly wallMs: () => number;
  /** What the archive's clock shows. */
  readonly keptMs: () => number;
  readonly self: Origin;
  readonly store: ArchiveStore;
  readonly logs: Logs;
  readonly origins: Origins;
  readonly copies: ArchiveCopies;
  readonly waiters: ArchiveWaiters;
  /** Whether a relay is in view. */
  readonly lives: (origin: Origin) => boolean;
}

/** So much at once at most, so that a publisher does not wait for others' backlog. */
const BATCH: Room & { readonly slots: number } = {
  slots: 1024,
  messages: 4096,
  bytes: 4 * 1024 * 1024,
};

export class ArchiveWriter {
  readonly #options: ArchiveWriterOptions;
  /** Slots whose copies may lack something; true: the outline too. */
  readonly #due = new Map<number, boolean>();
  /** What was due did not go at once. */
  #isMore = false;
  #written = 0;

  constructor(options: ArchiveWriterOptions) {
    this.#options = options;
  }

  /** How many slots are due. */
  get slotsDue(): number {
    return this.#due.size;
  }

  /** Messages written since the start. */
  get written(): number {
    return this.#written;
  }

  /** Whether somebody waits for what is due, or more was due than went at once. */
  get isUrgent(): boolean {
    return this.#isMore || this.#options.waiters.slots().some((slot) => this.#due.has(slot));
  }

  /** The copy of a slot may lack something; `whole`: its outline too. */
  due(slot: number, whole: boolean): void {
    this.#due.set(slot, whole || (this.#due.get(slot) ?? false));
  }

  /**
   * Writes what is due, as much as goes at once; with `isAll` not only what somebody waits for.
   * @throws {ArchiveTrouble} if it cannot be written; it stays due.
   */
  async write(isAll: boolean): Promise<void> {
    const { clock, keptMs, logs, copies } = this.#options;
    const due = this.#takeDue(isAll);
    try {
      await this.#look(due);
      const time = { nowMs: clock.nowMs(), keptMs: keptMs() };
      const room = { ...BATCH }, updates: SlotUpdate[] = [], lost = new Map<number, Lost>();
      for (const [slot, whole] of due) {
        if (room.messages <= 0 || room.bytes <= 0) {
          this.#isMore = true;
          this.due(slot, whole);
          continue;
        }
        const { update, isAll: isDone } = copies.update(slot, this.#scope(slot, whole), room, time);
        if (!isEmpty(update)) updates.push(update);
        if (update.outline) lost.set(slot, logs.peek(slot)?.lost() ?? []);
        if (isDone) continue;
        this.#isMore = true;
        this.due(slot, whole);
      }
      if (updates.length > 0) await this.#commit(updates, lost);
    } catch (error) {
      for (const [slot, whole] of due) this.due(slot, whole);
      throw error;
    }
  }

  /** Of a shared store only what this relay may write. */
  #takeDue(isAll: boolean): ReadonlyMap<number, boolean> {
    const { store, self, copies, waiters } = this.#options, due = new Map<number, boolean>();
    const slots = isAll || this.#isMore ? this.#due.keys() : waiters.slots();
    this.#isMore = false;
    for (const slot of slots) {
      const whole = this.#due.get(slot);
      if (whole === undefined) continue;
      if (due.size === BATCH.slots) {
        this.#isMore = true;
        break;
      }
      this.#due.delete(slot);
      const isOurs = whole || !store.isShared || copies.lacks(slot, self);
      if (isOurs || waiters.origins(slot).size > 0) due.set(slot, whole);
    }
    return due;
  }

  async #commit(updates: readonly SlotUpdate[], lost: ReadonlyMap<number, Lost>): Promise<void> {
    const { store, wallMs, copies, waiters } = this.#options;
    const vectors = await store.write(updates, wallMs());
    for (const [n, { slot, base, messages, outline, forgotten }] of updates.entries()) {
      const vector = vectors[n] ?? new Map();
      copies.stands(slot, vector, lost.get(slot));
      const isBehind = [...base].some(([origin, seq]) =>
        (vector.get(origin) ?? 0) < seq && !forgotten.includes(origin)
      );
      // What was there is gone: all of it comes again.
      if (isBehind) this.due(slot, outline !== undefined);
      else this.#written += messages.length;
      waiters.settle(slot, (place) => copies.has(place));
    }
  }

  /** Finds out where copies stand that others write to as well, unless all that matters is what this relay writes. */
  async #look(due: ReadonlyMap<number, boolean>): Promise<void> {
    const { store, self, copies, waiters } = this.#options;
    if (!store.isShared) return;
    const isAwaited = (slot: number) =>
      [...waiters.origins(slot)].some((origin) => origin !== self);
    const slots = [...due].filter(([slot, whole]) =>
      whole || !copies.knows(slot) || isAwaited(slot)
    ).map(([slot]) => slot);
    if (slots.length === 0) return;
    const standings = await store.standings(slots);
    for (const [n, slot] of slots.entries()) {
      const { vector = new Map(), ...more } = standings[n] ?? {};
      copies.stands(slot, vector, lostOf({ slot, ...more }));
      waiters.settle(slot, (place) => copies.has(place));
      // Its origin writes it, and nobody says when it has.
      if (isAwaited(slot)) this.due(slot, false);
    }
  }

  #scope(slot: number, whole: boolean): Scope {
    const { store, self, lives, origins, clock, waiters } = this.#options;
    const awaited = waiters.origins(slot);
    return {
      whole,
      writes: (origin) => whole || origin === self || awaited.has(origin),
      owns: (origin) => store.isShared && origin === self,
      follows: (origin) => store.isShared && origin !== self && lives(origin),
      forgets: (origin) => !store.isShared || !origins.knows(origin, clock.nowMs()),
    };
  }
}

type Lost = readonly Range[];

function isEmpty({ messages, outline, forgotten }: SlotUpdate): boolean {
  return messages.length === 0 && !outline && forgotten.length === 0;
}
