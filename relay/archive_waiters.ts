/**
 * Publishers that wait for their messages to be archived, for 3 s at most.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import type { MessagePlace, Origin } from "./protocol/message.ts";

interface Waiter extends MessagePlace {
  readonly untilMs: number;
  readonly kept: PromiseWithResolvers<void>;
}

/** A message that is not archived by then may still be. */
const WAIT_MS = 3000;

/** More do not wait; a publisher is refused beyond. */
const MAX_WAITING = 100_000;

export class ArchiveWaiters {
  readonly #clock: Clock;
  /** Oldest first, as all wait equally long. */
  readonly #bySlot = new Map<number, Set<Waiter>>();
  readonly #byTime = new Set<Waiter>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#byTime.size;
  }

  get hasRoom(): boolean {
    return this.size < MAX_WAITING;
  }

  /** Resolves when {@link settle} finds it kept. @throws {GroundwaveError} `not_archived` */
  wait(place: MessagePlace): Promise<void> {
    const kept = Promise.withResolvers<void>();
    const waiter = { ...place, untilMs: this.#clock.nowMs() + WAIT_MS, kept };
    const others = this.#bySlot.get(place.slot);
    if (others) others.add(waiter);
    else this.#bySlot.set(place.slot, new Set([waiter]));
    this.#byTime.add(waiter);
    this.#arm();
    return kept.promise;
  }

  /** Where something is waited for. */
  slots(): readonly number[] {
    return [...this.#bySlot.keys()];
  }

  /** Whose messages are waited for in a slot. */
  origins(slot: number): ReadonlySet<Origin> {
    return new Set([...this.#bySlot.get(slot) ?? []].map(({ origin }) => origin));
  }

  /** Ends the waits of a slot for what is kept. */
  settle(slot: number, isKept: (place: MessagePlace) => boolean): void {
    for (const waiter of this.#bySlot.get(slot) ?? []) {
      if (!isKept(waiter)) continue;
      this.#remove(waiter);
      waiter.kept.resolve();
    }
  }

  /** Gives up whatever waits. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#expire(Infinity);
  }

  #arm(): void {
    const [oldest] = this.#byTime;
    if (!oldest || this.#cancel) return;
    this.#cancel = this.#clock.after(oldest.untilMs - this.#clock.nowMs(), () => {
      this.#cancel = undefined;
      this.#expire(this.#clock.nowMs());
      this.#arm();
    });
  }

  #expire(nowMs: number): void {
    for (const waiter of this.#byTime) {
      if (waiter.untilMs > nowMs) return;
      this.#remove(waiter);
      waiter.kept.reject(late());
    }
  }

  #remove(waiter: Waiter): void {
    this.#byTime.delete(waiter);
    const others = this.#bySlot.get(waiter.slot);
    others?.delete(waiter);
    if (others?.size === 0) this.#bySlot.delete(waiter.slot);
  }
}

function late(): GroundwaveError {
  return new GroundwaveError(
    "not_archived",
    "the archive did not confirm it in time; it may still be kept: retry with the same key",
    { retryAfterS: 1 },
  );
}
