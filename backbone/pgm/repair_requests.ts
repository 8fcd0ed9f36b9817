/**
 * What a receiver asks to have repaired (RFC 3208 §6.3, the receiver's procedures). Each missing packet goes
 *
 *     BACK-OFF ──NAK sent, or another's heard──▶ WAIT-NCF ──NCF──▶ WAIT-DATA
 *        ▲ └──────────────NCF heard──────────────────────────────────▲ │
 *        └────────── no answer in time, or later repairs came ────────┘
 *
 * until it comes or is given up.
 *
 * @module
 */
import { drawBackoffMs } from "./backoff.ts";
import { GroupSize } from "./group_size.ts";
import { type Overtaken, RepairOrder } from "./repair_order.ts";
import { RoundTrip } from "./round_trip.ts";
import { before, lengthOf, plus, type SqnRange } from "./serial.ts";
import { TIMING } from "./timing.ts";

type State = "back-off" | "wait-ncf" | "wait-data";

interface Request {
  state: State;
  /** When the state ends. */
  deadlineMs: number;
  readonly sinceMs: number;
  /** When we asked for it; undefined if another did. */
  askedMs: number | undefined;
  /** Our own NAK for it was not heard yet: the network brings us what we send, too. */
  echo: boolean;
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

/** So few receivers need no back-off: that some of them ask for the same costs less than waiting. */
const FEW = 3.5;
/** Without back-off, what is found missing within this time of a NAK goes into one. */
const GATHER_MS = 1;
/** How long overtaken packets are remembered: whoever asks at once then asks for what is only late (RFC 8985 §3.2). */
const REORDERING_MS = 10_000;

/**
 * Of so many, the oldest, the deadlines are kept; the others have their turn when those are there or given up. One packet
 * can claim that tens of thousands are missing: to look at all of them every few milliseconds would take all our time.
 */
const MOST_WATCHED = 1_024;

export interface RequestsOptions {
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** Whether our own NAKs come back to us, and look like those of others. */
  readonly echoes: boolean;
}

export class RepairRequests {
  readonly #options: RequestsOptions;
  readonly #requests = new Map<number, Request>();
  readonly #order = new RepairOrder();
  /** From NAK to NCF: the network alone. From NAK to RDATA: what the source has to repair before it, too. */
  readonly #toNcf = new RoundTrip();
  readonly #toData = new RoundTrip();
  readonly #groupSize = new GroupSize();
  #reorderedMs = -Infinity;
  #askedMs = -Infinity;
  #wakeMs = Infinity;
  /** Some that are due have to wait until others are there, or until it is known whom to ask. */
  #isHeldBack = false;

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
        echo: false,
        tries: 0,
      });
    }
  }

  /** The packet came, or is given up. False: it was not missing. */
  remove(sqn: number, nowMs?: number): boolean {
    const request = this.#requests.get(sqn);
    if (request === undefined) return false;
    if (nowMs !== undefined && request.state !== "back-off") {
      measure(this.#toData, request, nowMs);
    }
    this.#order.forget(sqn);
    if (nowMs !== undefined) this.resume(nowMs);
    return this.#requests.delete(sqn);
  }

  /** More may be asked for than the last time. */
  resume(nowMs: number): void {
    if (!this.#isHeldBack) return;
    this.#wakeMs = Math.min(this.#wakeMs, Math.max(nowMs, this.#askedMs + GATHER_MS));
  }

  /** The repair of a packet came. What was asked for before and is overtaken is asked for again. */
  repaired(sqn: number, nowMs: number): void {
    for (const overtaken of this.#order.repaired(sqn)) this.#askAgain(overtaken, nowMs);
    this.remove(sqn, nowMs);
  }

  /** These packets are given up. */
  forget(range: SqnRange): void {
    if (lengthOf(range) <= this.#requests.size) {
      for (let sqn = range.from; !before(range.to, sqn); sqn = plus(sqn, 1)) this.remove(sqn);
      return;
    }
    for (const sqn of this.#requests.keys()) {
      if (!before(sqn, range.from) && !before(range.to, sqn)) this.remove(sqn);
    }
  }

  /** A packet that was missing came by itself: others may, too. */
  reordered(nowMs: number): void {
    this.#reorderedMs = nowMs;
  }

  /** The source confirmed requests: data is on its way. */
  confirm(sqns: readonly number[], nowMs: number): void {
    for (const sqn of sqns) {
      const request = this.#requests.get(sqn);
      if (request === undefined) continue;
      if (request.state === "wait-ncf") measure(this.#toNcf, request, nowMs);
      if (request.state === "back-off") this.#order.ask(sqn, nowMs);
      request.state = "wait-data";
      request.deadlineMs = this.#wait(this.#toData, request, nowMs);
    }
  }

  /** Somebody asked, perhaps ourselves; answers how many of our own requests that spares. */
  suppress(sqns: readonly number[], nowMs: number): number {
    let spared = 0, own = false;
    for (const sqn of sqns) {
      const request = this.#requests.get(sqn);
      if (request?.echo) {
        own = true;
        request.echo = false;
      }
      if (request?.state !== "back-off") continue;
      request.state = "wait-ncf";
      request.askedMs = undefined;
      this.#order.ask(sqn, nowMs);
      request.deadlineMs = this.#wait(this.#toNcf, request, nowMs);
      spared++;
    }
    if (!own) this.#groupSize.heardOther();
    return spared;
  }

  /**
   * Works off the deadlines that have come.
   *
   * @param most how many may be asked for and not there yet; 0: whom to ask is not known yet.
   * @param lacks whether a packet is still to come; requests for others lapse.
   */
  handleTimeout(nowMs: number, most: number, lacks: (sqn: number) => boolean): Due {
    const ask: number[] = [], lost: number[] = [];
    const repeatMs = this.#backoff(nowMs);
    this.#wakeMs = Infinity;
    this.#isHeldBack = false;
    let awaited = 0, watched = 0;
    for (const [sqn, request] of this.#requests) {
      if (nowMs >= request.deadlineMs) {
        if (!lacks(sqn)) {
          this.remove(sqn);
          continue;
        }
        if (nowMs - request.sinceMs >= TIMING.windowMs) {
          lost.push(sqn);
          continue;
        }
        if (request.state === "back-off" && awaited >= most) {
          // To look at it again and again would take our time for nothing: see {@link resume}.
          this.#isHeldBack = true;
          this.#wakeMs = Math.min(this.#wakeMs, request.sinceMs + TIMING.windowMs);
          break;
        }
        if (this.#expire(request, nowMs, repeatMs)) {
          ask.push(sqn);
          this.#order.ask(sqn, nowMs);
        }
      }
      if (request.state !== "back-off") awaited++;
      this.#wakeMs = Math.min(this.#wakeMs, request.deadlineMs);
      if (++watched >= MOST_WATCHED) break;
    }
    if (ask.length > 0) {
      this.#askedMs = nowMs;
      this.#groupSize.asked();
    }
    return { ask, lost };
  }

  /** A state ends. True: ask now. */
  #expire(request: Request, nowMs: number, repeatMs: number): boolean {
    if (request.state === "back-off") {
      request.state = "wait-ncf";
      request.askedMs = nowMs;
      request.echo = this.#options.echoes;
      request.deadlineMs = this.#wait(this.#toNcf, request, nowMs);
      return true;
    }
    request.tries++;
    request.deadlineMs = repeatMs;
    request.state = "back-off";
    return false;
  }

  #askAgain({ sqn, askedMs }: Overtaken, nowMs: number): void {
    const request = this.#requests.get(sqn);
    if (request === undefined || request.state === "back-off") return;
    request.state = "back-off";
    request.tries++;
    // Sooner the source would take it for another's request of the same loss.
    request.deadlineMs = Math.max(nowMs, askedMs + TIMING.lingerMs, this.#askedMs + GATHER_MS);
    this.#wakeMs = Math.min(this.#wakeMs, request.deadlineMs);
  }

  #backoff(nowMs: number): number {
    const receivers = this.#groupSize.estimate;
    const atOnce = receivers <= FEW && nowMs - this.#reorderedMs > REORDERING_MS;
    const deadline = atOnce
      ? Math.max(nowMs, this.#askedMs + GATHER_MS)
      : nowMs + drawBackoffMs(this.#toNcf.backoffMs, receivers, this.#options.random());
    this.#wakeMs = Math.min(this.#wakeMs, deadline);
    return deadline;
  }

  #wait(trip: RoundTrip, { tries }: Request, nowMs: number): number {
    const deadline = nowMs + trip.waitMs * Math.min(1 + tries / 2, LARGEST_GROWTH);
    this.#wakeMs = Math.min(this.#wakeMs, deadline);
    return deadline;
  }
}

function measure(trip: RoundTrip, { askedMs, tries }: Request, nowMs: number): void {
  if (askedMs !== undefined && tries === 0) trip.sample(nowMs - askedMs);
}
