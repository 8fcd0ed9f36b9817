/**
 * All slot logs of one relay: made on demand, woken when due, kept within one bound of bytes.
 *
 * @module
 */
import type { Clock } from "../backbone/clock.ts";
import { type LogOptions, SlotLog } from "./protocol/log/log.ts";
import type { Message, Vector } from "./protocol/message.ts";
import { NOWHERE } from "./protocol/vector.ts";

export interface LogsOptions {
  readonly clock: Clock;
  readonly log: LogOptions;
  /** Bound of what all logs retain together, in bytes. */
  readonly maxBytes: number;
  /** Whether a slot is heard and not synced yet: what its messages wait for is on its way, and none is given up. */
  readonly joining?: (slot: number) => boolean;
  /** A log was changed, or let go. */
  readonly changed?: (slot: number) => void;
}

/** Due logs are woken together at multiples of this: no hold or expiry needs to be more exact. */
const WAKE_QUANTUM_MS = 100;
/** Those of slots that are not synced yet are looked at again after so many. */
const JOIN_QUANTA = 3;

/** When full, so much is freed at once that looking through all logs is paid rarely. */
const FREE_TO = 7 / 8;
/** At each look all of the oldest part of the whole time that is held goes, in whatever slot it is. */
const FREE_STEP = 1 / 32;

interface Slot {
  readonly log: SlotLog;
  /** Added to the version of the log, which begins anew with each log of a slot. */
  readonly version: number;
  /** The wake-up it is listed under, in quanta; undefined when it needs none. */
  wakeAt: number | undefined;
  bytes: number;
}

/** The logs by slot. */
export class Logs {
  readonly #options: LogsOptions;
  readonly #slots = new Map<number, Slot>();
  readonly #wakes = new Map<number, Set<number>>();
  readonly #cancels = new Map<number, () => void>();
  /** Above every version that a log let go has had. */
  #version = 0;
  #bytes = 0;
  #closed = false;

  constructor(options: LogsOptions) {
    this.#options = options;
  }

  /** What all logs retain, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many slots have a log. */
  get count(): number {
    return this.#slots.size;
  }

  /** The log of a slot if there is one. */
  peek(slot: number): SlotLog | undefined {
    return this.#slots.get(slot)?.log;
  }

  /** The log of a slot, made if need be. */
  of(slot: number): SlotLog {
    return this.#slot(slot).log;
  }

  /** Where a slot's log stands: nowhere without one. */
  vectorOf(slot: number): Vector {
    return this.peek(slot)?.vector ?? NOWHERE;
  }

  /** Rises with whatever a peer that had all before could pull from a slot, whatever became of its log in between. */
  versionOf(slot: number): number {
    const { log, version = 0 } = this.#slots.get(slot) ?? {};
    return version + (log?.version ?? 0);
  }

  /** The slots that have a log. */
  slots(): readonly number[] {
    return [...this.#slots.keys()];
  }

  /**
   * Appends to the message's slot what arrived in the LAN `ageMs` ago, and sees to what follows: wake-ups and the bound of
   * bytes.
   */
  append(
    message: Message,
    ageMs = 0,
    nowMs = this.#options.clock.nowMs(),
  ): ReturnType<SlotLog["append"]> {
    const slot = this.#slot(message.slot);
    const result = slot.log.append(message, nowMs, ageMs);
    if (result !== "duplicate") this.#settle(slot, message.slot);
    return result;
  }

  /** Sees to wake-ups and the bound after a log was changed by other means than {@link append}; lets it go if it is idle. */
  touched(number: number): void {
    const slot = this.#slots.get(number);
    if (!slot || this.#closed) return;
    if (slot.log.idle) this.#letGo(slot, number);
    else this.#settle(slot, number);
  }

  /** Cancels every timer. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
    this.#wakes.clear();
  }

  #slot(number: number): Slot {
    let slot = this.#slots.get(number);
    if (!slot) {
      const log = new SlotLog(number, this.#options.log);
      slot = { log, version: this.#version, wakeAt: undefined, bytes: 0 };
      this.#slots.set(number, slot);
    }
    return slot;
  }

  #settle(slot: Slot, number: number): void {
    this.#options.changed?.(number);
    this.#account(slot);
    if (this.#bytes > this.#options.maxBytes) this.#free();
    const dueMs = slot.log.nextWakeMs();
    if (dueMs === undefined) return;
    this.#wakeAt(slot, number, Math.ceil(dueMs / WAKE_QUANTUM_MS));
  }

  #wakeAt(slot: Slot, number: number, quantum: number): void {
    if (slot.wakeAt !== undefined && slot.wakeAt <= quantum) return;
    if (slot.wakeAt !== undefined) this.#wakes.get(slot.wakeAt)?.delete(number);
    slot.wakeAt = quantum;
    let due = this.#wakes.get(quantum);
    if (!due) {
      due = new Set();
      this.#wakes.set(quantum, due);
      const inMs = quantum * WAKE_QUANTUM_MS - this.#options.clock.nowMs();
      this.#cancels.set(
        quantum,
        this.#options.clock.after(Math.max(0, inMs), () => this.#wake(quantum)),
      );
    }
    due.add(number);
  }

  #wake(quantum: number): void {
    const due = this.#wakes.get(quantum) ?? [];
    this.#wakes.delete(quantum);
    this.#cancels.delete(quantum);
    for (const number of due) {
      const slot = this.#slots.get(number);
      if (!slot) continue;
      slot.wakeAt = undefined;
      if (this.#options.joining?.(number)) {
        this.#wakeAt(slot, number, quantum + JOIN_QUANTA);
        continue;
      }
      slot.log.tick(this.#options.clock.nowMs());
      this.touched(number);
    }
  }

  #letGo(slot: Slot, number: number): void {
    this.#bytes -= slot.bytes;
    this.#version = Math.max(this.#version, slot.version + slot.log.version + 1);
    this.#slots.delete(number);
    this.#options.changed?.(number);
  }

  #account(slot: Slot): void {
    const bytes = slot.log.bytes;
    this.#bytes += bytes - slot.bytes;
    slot.bytes = bytes;
  }

  /** Drops the oldest entries of the whole process until there is room again. */
  #free(): void {
    const targetBytes = this.#options.maxBytes * FREE_TO, nowMs = this.#options.clock.nowMs();
    for (let freed = true; freed && this.#bytes > targetBytes;) {
      const oldestMs = this.#oldestMs();
      freed = this.#dropUntil(oldestMs + (nowMs - oldestMs) * FREE_STEP, targetBytes);
    }
  }

  /** Drops what arrived at `ms` or before, but no more than must be; false if there was nothing. */
  #dropUntil(ms: number, targetBytes: number): boolean {
    let freed = false;
    for (const [number, slot] of this.#slots) {
      while (this.#bytes > targetBytes && (slot.log.oldestMs ?? Infinity) <= ms) {
        if (slot.log.dropOldest() === 0) break;
        this.#account(slot);
        this.#options.changed?.(number);
        freed = true;
      }
    }
    return freed;
  }

  #oldestMs(): number {
    let oldestMs = Infinity;
    for (const { log } of this.#slots.values()) {
      oldestMs = Math.min(oldestMs, log.oldestMs ?? Infinity);
    }
    return oldestMs;
  }
}
