/**
 * An archive in memory, for tests: it may fail, be slow, or lose all it has.
 *
 * @module
 */
import {
  type ArchiveStore,
  ArchiveTrouble,
  type KeptMessage,
  type KeptOutline,
  type KeptSlot,
  type KeptStanding,
  type Opening,
  type SlotUpdate,
} from "../../relay/archives/archive_store.ts";
import type { Origin, Seq, Vector } from "../../relay/protocol/message.ts";

interface Copy {
  readonly vector: Map<Origin, Seq>;
  messages: KeptMessage[];
  outline: KeptOutline | undefined;
}

/** What survives the stores that are opened on it. */
export class ArchivePlace {
  readonly copies = new Map<number, Copy>();
  readonly heardMs = new Map<Origin, number>();
  writtenMs: number | undefined;
  /** What the archive's clock showed: by itself where relays share it, else the wall's time less this. */
  keptMs: number | undefined;
  stoppedMs = 0;
  /** Why it cannot be used. */
  trouble: string | undefined;
  /** Why it cannot be written. */
  full: string | undefined;
  /** Why it may lose what it keeps. */
  risk: string | undefined;

  /** The ids in a slot's copy, in order. */
  ids(slot: number): string[] {
    return this.copies.get(slot)?.messages.map(({ origin, seq }) => `${origin}.${seq}`) ?? [];
  }
}

export class MemoryArchive implements ArchiveStore {
  readonly name = "memory";
  readonly isShared: boolean;
  readonly #place: ArchivePlace;

  constructor(place: ArchivePlace, isShared = false) {
    this.#place = place;
    this.isShared = isShared;
  }

  open(): Promise<Opening> {
    return this.#use(() => ({
      writtenMs: this.#place.writtenMs,
      keptMs: this.#keptMs(),
      heardMs: new Map(this.#place.heardMs),
      ...(this.#place.risk && { risk: this.#place.risk }),
    }));
  }

  async *slots(): AsyncGenerator<KeptSlot, void> {
    for (const [slot, { vector, messages, outline }] of this.#place.copies) {
      await this.#use(() => {});
      yield { slot, vector, messages, ...(outline && { outline: outline.bytes }) };
    }
  }

  standings(slots: readonly number[]): Promise<readonly KeptStanding[]> {
    return this.#use(() =>
      slots.map((slot) => {
        const { vector, outline } = this.#place.copies.get(slot) ?? {};
        return { vector: new Map(vector), ...(outline && { outline: outline.bytes }) };
      })
    );
  }

  write(updates: readonly SlotUpdate[], nowMs: number): Promise<readonly Vector[]> {
    return this.#use(() => {
      this.#checkRoom();
      this.#place.writtenMs = nowMs;
      return updates.map((update) => this.#write(update));
    });
  }

  remember(
    heardMs: ReadonlyMap<Origin, number>,
    sinceMs: number,
    nowMs: number,
    stoppedMs: number,
  ): Promise<void> {
    return this.#use(() => {
      this.#checkRoom();
      this.#place.writtenMs = nowMs;
      this.#place.keptMs = Math.max(this.#place.keptMs ?? 0, nowMs - stoppedMs);
      this.#place.stoppedMs = stoppedMs;
      for (const [origin, ms] of heardMs) this.#place.heardMs.set(origin, ms);
      for (const [origin, ms] of this.#place.heardMs) {
        if (ms < sinceMs) this.#place.heardMs.delete(origin);
      }
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #use<T>(run: () => T): Promise<T> {
    await Promise.resolve();
    if (this.#place.trouble !== undefined) throw new ArchiveTrouble(this.#place.trouble);
    return run();
  }

  #keptMs(): number | undefined {
    const { writtenMs, keptMs, stoppedMs } = this.#place;
    return this.isShared || writtenMs === undefined ? keptMs : writtenMs - stoppedMs;
  }

  #checkRoom(): void {
    if (this.#place.full !== undefined) throw new ArchiveTrouble(this.#place.full);
  }

  #write({ slot, base, messages, vector, outline, forgotten }: SlotUpdate): Vector {
    const { copies } = this.#place;
    const copy: Copy = copies.get(slot) ?? { vector: new Map(), messages: [], outline: undefined };
    if ([...base].some(([origin, seq]) => (copy.vector.get(origin) ?? 0) < seq)) {
      return new Map(copy.vector);
    }
    copies.set(slot, copy);
    const stand = (origin: Origin, seq: Seq) =>
      copy.vector.set(origin, Math.max(seq, copy.vector.get(origin) ?? 0));
    for (const message of messages) {
      const { origin, seq } = message;
      const isLate = seq <= (base.get(origin) ?? 0);
      if (!isLate && seq <= (copy.vector.get(origin) ?? 0)) continue;
      copy.messages.push(message);
      stand(origin, seq);
    }
    for (const [origin, seq] of vector) stand(origin, seq);
    if (outline) {
      copy.outline = outline;
      copy.messages = copy.messages.filter(({ origin, seq, channel }) => {
        const floor = outline.floors.get(channel) ?? outline.floors.get("");
        return seq > (floor?.get(origin) ?? 0);
      });
    }
    for (const origin of forgotten) copy.vector.delete(origin);
    if (copy.vector.size === 0) copies.delete(slot);
    return new Map(copy.vector);
  }
}
