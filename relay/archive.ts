/**
 * Keeps a copy of the logs in a store, so that they and all cursors go on from it after a restart of every relay at once.
 *
 * A store of this relay's own gets everything as soon as it is in a log. In one that relays share each writes what it
 * published at once, and the first ready custodian of a group every 2 s whatever is missing there, and the outlines.
 *
 * @module
 */
import { within } from "../backbone/within.ts";
import { ArchiveCopies } from "./archive_copies.ts";
import { load } from "./archive_load.ts";
import { ArchiveWaiters } from "./archive_waiters.ts";
import { ArchiveWriter, type ArchiveWriterOptions } from "./archive_writer.ts";
import { ArchiveTrouble } from "./archives/archive_store.ts";
import { REMEMBER_MS } from "./origins.ts";
import { GroundwaveError } from "./protocol/errors.ts";
import { type Origin, parseMessageId } from "./protocol/message.ts";
import { SLOT_COUNT } from "./protocol/slot.ts";
import {
  type Draft,
  type Outcome,
  outcomeOf,
  type Published,
  type Upstream,
} from "./protocol/upstream.ts";
import type { RelayLog } from "./options.ts";

export interface ArchiveOptions
  extends Omit<ArchiveWriterOptions, "copies" | "waiters" | "keptMs"> {
  /** Whether this relay is the first ready custodian of a slot. */
  readonly leads: (slot: number) => boolean;
  /** Has this relay hear all messages of some slots. */
  readonly follow: (slots: Iterable<number>) => Promise<unknown>;
  readonly log: RelayLog;
}

/** What nobody waits for is written together, this often. */
const BATCH_MS = 100;
/** What somebody waits for: whatever comes while one write is under way goes with the next. */
const URGENT_MS = 1;
/** Before a store that failed is tried again. */
const RETRY_MS = 1000;
const ROUND_MS = 2000;

/** Known origins are written again after so long: what a cursor may name is an hour short of what is remembered. */
const HEARD_MS = 600_000;

/** A relay that ends writes what is left for no longer than this. */
const FLUSH_MS = 2000;

/** The driver of an `ArchiveStore`. */
export class Archive {
  readonly #options: ArchiveOptions;
  readonly #copies: ArchiveCopies;
  readonly #waiters: ArchiveWaiters;
  readonly #writer: ArchiveWriter;
  /** In a shared store: slots changed since the last round, and those that this relay led then. */
  readonly #changed = new Set<number>();
  #led: ReadonlySet<number> = new Set();
  readonly #beganMs: number;
  /** By how much the archive's clock is behind the wall's. */
  #stoppedMs = 0;
  #loaded = false;
  #follows = false;
  #trouble: string | undefined;
  #remembered = { size: 0, atMs: -Infinity };
  #roundAtMs = 0;
  #batchAtMs = 0;
  #running: Promise<void> | undefined;
  #wakeAtMs = Infinity;
  #cancel = () => {};
  #closed = false;
  #failures = 0;

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#beganMs = options.clock.nowMs();
    this.#copies = new ArchiveCopies(options.logs);
    this.#waiters = new ArchiveWaiters(options.clock);
    this.#writer = new ArchiveWriter({
      ...options,
      keptMs: () => options.wallMs() - this.#stoppedMs,
      copies: this.#copies,
      waiters: this.#waiters,
    });
  }

  /** What is wrong with the store, for people; undefined while it can be used. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Messages written and writes failed since the start, slots that wait to be written, publishers that wait for it. */
  get counters() {
    const { written, slotsDue } = this.#writer;
    return { written, failures: this.#failures, slotsDue, waiting: this.#waiters.size };
  }

  /**
   * Brings into the logs what is kept, and keeps them from now on.
   * @throws {ArchiveTrouble} if a store of its own cannot be read; what cannot be written now, or is shared, is tried again.
   */
  async start(): Promise<void> {
    await this.#run();
    if (!this.#loaded && this.#trouble !== undefined && !this.#options.store.isShared) {
      throw new ArchiveTrouble(this.#trouble);
    }
  }

  /** A log was changed. */
  changed(slot: number): void {
    const { isShared } = this.#options.store;
    if (isShared) this.#changed.add(slot);
    this.#writer.due(slot, !isShared);
    if (this.#loaded && this.#trouble === undefined) this.#wake(BATCH_MS);
  }

  /** Publishes by `upstream`, and answers `archived` only when the message is kept. */
  async publish(draft: Draft, upstream: Pick<Upstream, "publish">): Promise<Published> {
    if (draft.ack !== "archived") return await upstream.publish(draft);
    if (this.#trouble !== undefined) throw unarchivable(this.#trouble);
    if (!this.#waiters.hasRoom) throw unarchivable("too many publishes wait for it");
    const { id, channel } = await upstream.publish({ ...draft, ack: "accepted" });
    const place = parseMessageId(id);
    if (!place) throw new TypeError("a publish was answered by no id");
    if (!this.#copies.has(place)) {
      const kept = this.#waiters.wait(place);
      this.changed(place.slot);
      this.#wake(URGENT_MS);
      await kept;
    }
    return { id, channel, ack: "archived" };
  }

  /** The same for several, each for itself. */
  publishAll(
    drafts: readonly Draft[],
    upstream: Pick<Upstream, "publish" | "publishAll">,
  ): Promise<readonly Outcome[]> {
    if (!drafts.some(({ ack }) => ack === "archived")) return upstream.publishAll(drafts);
    return Promise.all(drafts.map((draft) => outcomeOf(this.publish(draft, upstream))));
  }

  /** Writes what is left, if that can be done soon. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    const flush = async () => {
      await this.#running;
      while (this.#writer.slotsDue > 0 && this.#trouble === undefined) await this.#attempt();
      return this.#writer.slotsDue === 0;
    };
    const { clock, log, store } = this.#options;
    const isAll = await within(clock, FLUSH_MS, flush());
    if (!isAll) log("warn", "the archive lacks what came last", { archive: store.name });
    this.#waiters.close();
    await store.close();
  }

  #wake(inMs: number): void {
    const { clock } = this.#options, atMs = clock.nowMs() + inMs;
    if (this.#closed || this.#running || atMs >= this.#wakeAtMs) return;
    this.#cancel();
    this.#wakeAtMs = atMs;
    this.#cancel = clock.after(inMs, () => {
      this.#wakeAtMs = Infinity;
      void this.#run();
    });
  }

  #run(): Promise<void> {
    return this.#running = this.#attempt().finally(() => {
      this.#running = undefined;
      if (this.#trouble !== undefined) this.#wake(RETRY_MS);
      else if (this.#writer.isUrgent) this.#wake(URGENT_MS);
      else this.#wake(this.#writer.slotsDue > 0 ? BATCH_MS : ROUND_MS);
    });
  }

  /** Does what is due; says what is wrong once, and again when it changes or is over. */
  async #attempt(): Promise<void> {
    const { log, store } = this.#options;
    try {
      if (!this.#loaded) {
        this.#stoppedMs = await load(this.#options, this.#copies, this.#beganMs);
        this.#loaded = true;
      }
      if (this.#options.clock.nowMs() >= this.#roundAtMs) await this.#round();
      await this.#writeDue();
      if (this.#trouble !== undefined) {
        log("info", "the archive is written again", { archive: store.name });
      }
      this.#trouble = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#failures += 1;
      if (store.isShared) this.#distrust();
      if (reason === this.#trouble) return;
      this.#trouble = reason;
      if (this.#closed) return;
      log("error", "the archive cannot be used", { archive: store.name, reason });
    }
  }

  async #writeDue(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const isAll = nowMs >= this.#batchAtMs || this.#closed;
    if (isAll) this.#batchAtMs = nowMs + BATCH_MS;
    await this.#writer.write(isAll);
  }

  async #round(): Promise<void> {
    const { clock, store, logs, leads } = this.#options;
    await this.#remember();
    if (store.isShared) {
      const led = new Set([...logs.slots(), ...this.#changed].filter(leads));
      for (const slot of led) {
        if (this.#changed.has(slot) || !this.#led.has(slot)) this.#writer.due(slot, true);
      }
      this.#changed.clear();
      this.#led = led;
    } else void this.#follow();
    this.#roundAtMs = clock.nowMs() + ROUND_MS;
  }

  /** What only this relay may write it has to hear. */
  async #follow(): Promise<void> {
    if (this.#follows) return;
    this.#follows = true;
    try {
      await this.#options.follow(Array(SLOT_COUNT).keys());
    } catch (error) {
      this.#follows = false;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log("warn", "cannot hear all groups for the archive", { reason });
    }
  }

  /** Also when there is nothing new: that is how a store that is gone, or has begun anew, is noticed. */
  async #remember(): Promise<void> {
    const { store, origins, clock, wallMs, self } = this.#options;
    const nowMs = clock.nowMs(), { size } = origins;
    const isDue = size !== this.#remembered.size || nowMs - this.#remembered.atMs >= HEARD_MS;
    if (!isDue && !store.isShared) return;
    const heardMs = new Map<Origin, number>();
    for (const { origin, ageMs } of isDue ? origins.list(nowMs) : []) {
      heardMs.set(origin, wallMs() - ageMs);
    }
    heardMs.set(self, wallMs());
    await store.remember(heardMs, wallMs() - REMEMBER_MS, wallMs(), this.#stoppedMs);
    if (isDue) this.#remembered = { size, atMs: nowMs };
  }

  /** A shared store that failed may have lost anything. */
  #distrust(): void {
    this.#copies.clear();
    this.#led = new Set();
    for (const slot of this.#options.logs.slots()) this.#writer.due(slot, false);
  }
}

function unarchivable(why: string): GroundwaveError {
  const message = `the archive: ${why}; nothing was published`;
  return new GroundwaveError("not_archived", message, { retryAfterS: 1 });
}
