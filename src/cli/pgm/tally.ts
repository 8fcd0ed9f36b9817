/**
 * What `pgm recv` finds in what it hears.
 *
 * @module
 */
import { Latencies } from "./latencies.ts";
import { readStamp } from "./stamp.ts";

/** More senders than can be heard at once are forgotten, the earliest first. */
const MOST_SENDERS = 1_000;

/** The figures of one run, as `--json` shows them. */
export interface Report {
  readonly received: number;
  readonly bytes: number;
  readonly duplicates: number;
  readonly lost: number;
  readonly naks: number;
  readonly elapsed_s: number;
  readonly messages_per_s: number;
  readonly p50_us: number | null;
  readonly p99_us: number | null;
}

export class Tally {
  /** The counter that each sender's next payload should have. */
  readonly #next = new Map<string, number>();
  readonly #latencies = new Latencies();
  #received = 0;
  #bytes = 0;
  #duplicates = 0;
  #lost = 0;
  #firstUs: number | undefined;
  #lastUs = 0;

  /** Messages that came or were passed over. */
  get accounted(): number {
    return this.#received + this.#lost;
  }

  /** Takes a payload that came at `nowUs`, in microseconds since the epoch. */
  add(sender: string, payload: Uint8Array, nowUs: number): void {
    this.#received++;
    this.#bytes += payload.length;
    this.#firstUs ??= nowUs;
    this.#lastUs = nowUs;
    const stamp = readStamp(payload);
    if (stamp === undefined) return;
    this.#latencies.add(nowUs - stamp.wallUs);
    this.#count(sender, stamp.counter);
  }

  report(naks: number): Report {
    const elapsed = (this.#lastUs - (this.#firstUs ?? this.#lastUs)) / 1e6;
    return {
      received: this.#received,
      bytes: this.#bytes,
      duplicates: this.#duplicates,
      lost: this.#lost,
      naks,
      elapsed_s: round(elapsed, 6),
      messages_per_s: elapsed > 0 ? round((this.#received - 1) / elapsed, 1) : 0,
      p50_us: this.#latencies.quantile(0.5),
      p99_us: this.#latencies.quantile(0.99),
    };
  }

  /** PGM promises order: what comes late after all counts as lost where it was missed, and as a duplicate where it came. */
  #count(sender: string, counter: number): void {
    const next = this.#next.get(sender);
    if (next !== undefined && counter < next) {
      this.#duplicates++;
      return;
    }
    this.#lost += counter - (next ?? counter);
    this.#next.set(sender, counter + 1);
    const [earliest] = this.#next.keys();
    if (this.#next.size > MOST_SENDERS && earliest !== undefined) this.#next.delete(earliest);
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
