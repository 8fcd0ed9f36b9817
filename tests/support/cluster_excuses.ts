/**
 * What the faults of a {@link Ledger} excuse: promises hold within a budget of faults.
 *
 * @module
 */
import type { Fault, Ledger, Publish } from "./cluster_ledger.ts";
import type { Known } from "./cluster_messages.ts";

/** After a cut has healed, gaps over what was published meanwhile may still come for so long. */
const SETTLE_MS = 9000;

export class Excuses {
  readonly #ledger: Ledger;
  readonly #crashes: readonly Fault[];
  /** Cuts, stopped processes, disagreeing tables: what keeps relays apart that live. */
  readonly #partings: readonly Fault[];
  readonly #overBudgetMs: number;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#crashes = ledger.faults.filter(({ kind }) => kind === "crash");
    this.#partings = ledger.faults.filter(({ kind }) =>
      kind !== "crash" && kind !== "leave" && kind !== "standstill"
    );
    this.#overBudgetMs = this.#lastOverBudget();
  }

  /** Whether a second crash came before the first was made good, after `sinceMs`. */
  overBudget(sinceMs: number): boolean {
    return this.#overBudgetMs >= sinceMs;
  }

  /** Whether relays were kept apart at `atMs`, or shortly before. */
  cutNear(atMs: number): boolean {
    return this.#parted(atMs - SETTLE_MS, atMs);
  }

  /** Whether those who had heard of some relay may be gone, so that nobody can tell what a cursor that names it has missed. */
  forgotten(atMs: number): boolean {
    if (this.overBudget(0) || this.cutNear(atMs)) return true;
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
    return this.#parted(atMs - SETTLE_MS, atMs);
  }

  /** Whether the custodians of the time may not have been reachable, or changed. */
  unreachable(fromMs: number, toMs: number): boolean {
    return this.#parted(fromMs - SETTLE_MS, toMs) ||
      this.#fell(this.#crashes, fromMs - SETTLE_MS, toMs);
  }

  /** Whether a node's process was stopped for part of the time. */
  paused(node: string, fromMs: number, toMs: number): boolean {
    const own = this.#ledger.faults.filter((fault) =>
      (fault.kind === "pause" || fault.kind === "standstill") && fault.node === node
    );
    return this.#fell(own, fromMs, toMs);
  }

  /** Whether a message that was answered `replicated` may be announced as missing at `atMs`. */
  forGap(message: Known, atMs: number): boolean {
    return this.overBudget(message.publish.atMs) || this.cutNear(atMs) ||
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

  #lastOverBudget(): number {
    const { wholeMs } = this.#ledger;
    let lastMs = -Infinity;
    this.#crashes.forEach((crash, i) => {
      const before = this.#crashes[i - 1];
      if (before && !wholeMs.some((ms) => before.fromMs < ms && ms < crash.fromMs)) {
        lastMs = crash.fromMs;
      }
    });
    return lastMs;
  }
}
