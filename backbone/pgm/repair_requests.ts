/**
 * What a receiver asks to have repaired (RFC 3208 §6.3, the receiver's procedures). Each missing packet goes
 *
 *     BACK-OFF ──NAK sent, or another's heard──▶ WAIT-NCF ──NCF──▶ WAIT-DATA
 *        ▲ └──────────────NCF heard──────────────────────────────────▲ │
 *        └──────────────────── no answer in time ─────────────────────┘
 *
 * until it comes or is given up.
 *
 * @module
 */
import { drawBackoffMs } from "./backoff.ts";
import { RoundTrip } from "./round_trip.ts";
import { TIMING } from "./timing.ts";

type State = "back-off" | "wait-ncf" | "wait-data";

interface Request {
  state: State;
  /** When the state ends. */
  deadlineMs: number;
  readonly sinceMs: number;
  /** When we asked for it; undefined if another did. */
  askedMs: number | undefined;
  tries: number;
}

/** What is to be done now. */
export interface Due {
  /** To be asked for. */
  readonly ask: readonly number[];
  /** To be given up. */
  readonly lost: readonly number[];
}

/** A wait grows with each try to at most so many times itself: a silent source is not worth a flood. */
const LARGEST_GROWTH = 4;

export interface RequestsOptions {
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** About how many receivers the group has. */
  readonly groupSize: () => number;
}

export class RepairRequests {
  readonly #options: RequestsOptions;
  readonly #requests = new Map<number, Request>();
  readonly #roundTrip = new RoundTrip();
  #wakeMs = Infinity;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** A time that is not after the next deadline. */
  nextTimeoutMs(): number {
    return this.#requests.size > 0 ? this.#wakeMs : Infinity;
  }

  has(sqn: number): boolean {
    return this.#requests.has(sqn);
  }

  /** Packets found missing together: one back-off for all, so that one NAK names all. */
  add(sqns: Iterable<number>, nowMs: number): void {
    const deadlineMs = this.#backoff(nowMs);
    for (const sqn of sqns) {
      this.#requests.set(sqn, {
        state: "back-off",
        deadlineMs,
        sinceMs: nowMs,
        askedMs: undefined,
        tries: 0,
      });
    }
  }

  /** The packet came, or is given up. False: it was not missing. */
  remove(sqn: number, nowMs?: number): boolean {
    const request = this.#requests.get(sqn);
    if (request === undefined) return false;
    if (nowMs !== undefined && request.state === "wait-ncf") this.#measure(request, nowMs);
    return this.#requests.delete(sqn);
  }

  /** The source confirmed requests: data is on its way. */
  confirm(sqns: readonly number[], nowMs: number): void {
    for (const sqn of sqns) {
      const request = this.#requests.get(sqn);
      if (request === undefined) continue;
      if (request.state === "wait-ncf") this.#measure(request, nowMs);
      request.state = "wait-data";
      request.deadlineMs = this.#wait(request, nowMs);
    }
  }

  /** Another receiver asked; answers how many of our own requests that spares. */
  suppress(sqns: readonly number[], nowMs: number): number {
    let spared = 0;
    for (const sqn of sqns) {
      const request = this.#requests.get(sqn);
      if (request?.state !== "back-off") continue;
      request.state = "wait-ncf";
      request.askedMs = undefined;
      request.deadlineMs = this.#wait(request, nowMs);
      spared++;
    }
    return spared;
  }

  /**
   * Works off the deadlines that have come.
   *
   * @param most how many to ask for at once; 0: whom to ask is not known yet.
   * @param lacks whether a packet is still to come; requests for others lapse.
   */
  handleTimeout(nowMs: number, most: number, lacks: (sqn: number) => boolean): Due {
    const ask: number[] = [], lost: number[] = [];
    const repeatMs = this.#backoff(nowMs);
    this.#wakeMs = Infinity;
    for (const [sqn, request] of this.#requests) {
      if (nowMs >= request.deadlineMs) {
        if (!lacks(sqn)) {
          this.#requests.delete(sqn);
          continue;
        }
        if (nowMs - request.sinceMs >= TIMING.windowMs) {
          lost.push(sqn);
          continue;
        }
        if (request.state !== "back-off") {
          request.state = "back-off";
          request.tries++;
          request.deadlineMs = repeatMs;
        } else if (ask.length < most) {
          ask.push(sqn);
          request.state = "wait-ncf";
          request.askedMs = nowMs;
          request.deadlineMs = this.#wait(request, nowMs);
        } else request.deadlineMs = repeatMs;
      }
      this.#wakeMs = Math.min(this.#wakeMs, request.deadlineMs);
    }
    return { ask, lost };
  }

  #backoff(nowMs: number): number {
    const { random, groupSize } = this.#options;
    const deadline = nowMs + drawBackoffMs(this.#roundTrip.backoffMs, groupSize(), random());
    this.#wakeMs = Math.min(this.#wakeMs, deadline);
    return deadline;
  }

  #wait({ tries }: Request, nowMs: number): number {
    const deadline = nowMs + this.#roundTrip.waitMs * Math.min(1 + tries / 2, LARGEST_GROWTH);
    this.#wakeMs = Math.min(this.#wakeMs, deadline);
    return deadline;
  }

  #measure({ askedMs, tries }: Request, nowMs: number): void {
    if (askedMs !== undefined && tries === 0) this.#roundTrip.sample(nowMs - askedMs);
  }
}
