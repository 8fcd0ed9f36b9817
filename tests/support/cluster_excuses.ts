/**
 * What the faults of a {@link Ledger} excuse: promises hold within a budget of faults.
 *
 * @module
 */
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Fault, Ledger, Publish } from "./cluster_ledger.ts";
import type { Known } from "./cluster_messages.ts";

/** After a cut has healed, gaps over what was published meanwhile may still come for so long. */
const SETTLE_MS = 9000;

/** An archive that has lost something is whole again so long after somebody wrote to it. */
const FILL_MS = 5000;

const PARTINGS: readonly Fault["kind"][] = ["cut", "pause", "tables"];

export class Excuses {
  readonly #ledger: Ledger;
  readonly #crashes: readonly Fault[];
  /** The same, each from when its machine was not heard any more. */
  readonly #ends: readonly Fault[];
  /** Cuts, stopped processes, disagreeing tables: what keeps relays apart that live. */
  readonly #partings: readonly Fault[];
  /** When a second crash came before the first was made good. */
  readonly #overBudgetMs: readonly number[];
  /** Since when an archive was not sound; Infinity: always. Without any: never. */
  readonly #unsoundMs: number;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#crashes = ledger.faults.filter(({ kind }) => kind === "crash");
    this.#ends = ledger.faults.filter(({ kind }) => kind === "crash" || kind === "silence");
    this.#partings = ledger.faults.filter(({ kind }) => PARTINGS.includes(kind));
    this.#overBudgetMs = this.#allOverBudget();
    const unsound = ledger.faults.filter(({ kind }) => kind === "archive" || kind === "loss");
    this.#unsoundMs = Math.min(
      ledger.kept.length > 0 ? Infinity : -Infinity,
      ...unsound.map(({ fromMs }) => fromMs),
    );
  }

  /** Whether a second crash came before the first was made good, after `sinceMs`. */
  overBudget(sinceMs: number): boolean {
    return this.#overBudgetMs.some((ms) => ms >= sinceMs);
  }

  /**
   * Whether what an archive had of a slot since `sinceMs` may be gone: its store lost something, and all relays crashed
   * before one that wrote to the slot again could notice that, and fill it anew.
   */
  lostByStore(slot: number, sinceMs: number): boolean {
    const losses = this.#ledger.faults.filter(({ kind, fromMs }) =>
      kind === "loss" && fromMs >= sinceMs
    );
    return losses.some(({ fromMs: lostMs }) => {
      const crashMs = this.#overBudgetMs.find((ms) => ms >= lostMs);
      if (crashMs !== undefined && !this.#isFilled(slot, lostMs, crashMs - FILL_MS)) return true;
      return this.#isAfterAll(lostMs);
    });
  }

  /** Whether no relay may have had at `atMs` what an archive kept: all had crashed, and were not whole again. */
  #isAfterAll(atMs: number): boolean {
    const crashMs = this.#overBudgetMs.findLast((ms) => ms < atMs);
    return crashMs !== undefined &&
      !this.#ledger.wholeMs.some((ms) => crashMs < ms && ms < atMs);
  }

  #isFilled(slot: number, fromMs: number, toMs: number): boolean {
    const { publishes, faults } = this.#ledger;
    const isSound = !faults.some((fault) =>
      fault.kind === "archive" && fault.toMs >= fromMs && fault.fromMs <= toMs + FILL_MS
    );
    return isSound &&
      publishes.some(({ channel, answer }) =>
        slotOf(channel) === slot && answer && "id" in answer && answer.atMs > fromMs &&
        answer.atMs < toMs
      );
  }

  /** Whether all crashes so far were made good by an archive. */
  #isArchived(atMs: number): boolean {
    return this.#unsoundMs > atMs;
  }

  /** Whether relays were kept apart at `atMs`, or shortly before. */
  cutNear(atMs: number): boolean {
    return this.#parted(atMs - SETTLE_MS, atMs);
  }

  /** Whether a relay may have served at `atMs`, or shortly before, that could not learn what there is. */
  aloneNear(atMs: number): boolean {
    const silences = this.#ends.filter(({ kind }) => kind === "silence");
    return this.cutNear(atMs) || this.#fell(silences, atMs - SETTLE_MS, atMs);
  }

  /** Whether those who had heard of some relay may be gone, so that nobody can tell what a cursor that names it has missed. */
  forgotten(atMs: number): boolean {
    if ((this.overBudget(0) && !this.#isArchived(atMs)) || this.cutNear(atMs)) return true;
    const { faults, wholeMs } = this.#ledger;
    return faults.some(({ kind, fromMs }) =>
      (kind === "crash" || kind === "leave") &&
      this.#partings.some((parting) =>
        parting.fromMs < fromMs && fromMs < parting.toMs + SETTLE_MS &&
        !wholeMs.some((ms) => parting.toMs < ms && ms < fromMs)
      )
    );
  }

  /** Whether the relay that took it may not have been able to learn what others know. */
  cutOff({ atMs }: Publish): boolean {
    return this.#parted(atMs - SETTLE_MS, atMs) ||
      this.#overBudgetMs.some((ms) => atMs - SETTLE_MS <= ms && ms <= atMs);
  }

  /** Whether the custodians of the time may not have been reachable, or changed. */
  unreachable(fromMs: number, toMs: number): boolean {
    return this.#parted(fromMs - SETTLE_MS, toMs) ||
      this.#fell(this.#ends, fromMs - SETTLE_MS, toMs);
  }

  /** Whether a node's process was stopped for part of the time. */
  paused(node: string, fromMs: number, toMs: number): boolean {
    const own = this.#ledger.faults.filter((fault) =>
      (fault.kind === "pause" || fault.kind === "standstill") && fault.node === node
    );
    return this.#fell(own, fromMs, toMs);
  }

  /** Until when the relay that ran on a node misses nobody, nor is missed: it began behind a cut, and none has seen the other. */
  unseenUntil(node: string, atMs: number): number {
    const started = this.#ledger.starts.findLast((one) => one.node === node && one.atMs <= atMs);
    if (!started) return -Infinity;
    const cuts = this.#partings.filter(({ kind, node: way, fromMs, toMs }) =>
      kind === "cut" && way.split(">").some((end) => `n${end}` === node) &&
      fromMs <= started.atMs && started.atMs <= toMs
    );
    return Math.max(-Infinity, ...cuts.map(({ toMs }) => toMs));
  }

  /** Whether a message that was answered `replicated` may be announced as missing at `atMs`. */
  forGap(message: Known, atMs: number): boolean {
    return (this.overBudget(message.publish.atMs) && !(message.isKept && this.#isArchived(atMs))) ||
      this.cutNear(atMs) ||
      this.isExpired(message, atMs);
  }

  /**
   * Whether retention may have dropped a message by `atMs`: by age with a fifth of tolerance, or by the number of those
   * published later on its channel or about then.
   */
  isExpired({ publish }: Known, atMs: number): boolean {
    const { retention: { maxAgeMs, maxCount }, publishes } = this.#ledger;
    if (atMs - publish.atMs >= maxAgeMs * 0.8) return true;
    const later = publishes.filter((other) =>
      other.channel === publish.channel && other !== publish && other.atMs <= atMs &&
      other.atMs >= publish.atMs - this.#tolerance()
    );
    return later.length >= maxCount;
  }

  #parted(fromMs: number, toMs: number): boolean {
    return this.#fell(this.#partings, fromMs, toMs);
  }

  #fell(faults: readonly Fault[], fromMs: number, toMs: number): boolean {
    return faults.some((fault) => fault.fromMs <= toMs && fault.toMs >= fromMs);
  }

  /** Messages may arrive, and so age, later by as long as relays were apart. */
  #tolerance(): number {
    return SETTLE_MS + Math.max(0, ...this.#partings.map(({ fromMs, toMs }) => toMs - fromMs));
  }

  #allOverBudget(): number[] {
    const { wholeMs } = this.#ledger;
    return this.#crashes.filter((crash, i) => {
      const before = this.#crashes[i - 1];
      return before && !wholeMs.some((ms) => before.fromMs < ms && ms < crash.fromMs);
    }).map(({ fromMs }) => fromMs);
  }
}
