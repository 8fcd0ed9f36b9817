/**
 * The receiving side of one stream (RFC 3208 §6.2, §6.3): order, repair requests, reassembly.
 *
 * @module
 */
import type { Counters } from "./counters.ts";
import type { Data, Spm, Stream } from "./packet.ts";
import { LARGEST_NAK } from "./packet.ts";
import { Reassembler } from "./reassembly.ts";
import { ReceiveWindow } from "./receive_window.ts";
import { RepairRequests, type RequestsOptions } from "./repair_requests.ts";
import { ahead, before, plus } from "./serial.ts";
import { TIMING } from "./timing.ts";

/** Where a stream's messages go. */
export interface ReceiverEvents {
  message(payload: Uint8Array): void;
  lost(count: number): void;
}

export interface ReceiverOptions extends RequestsOptions {
  /** The most payload bytes held out of order. */
  readonly windowBytes: number;
  readonly largestMessage: number;
  readonly counters: Counters;
}

/** The most packets asked for and not there yet: repairs must not flood us in their turn. */
const MOST_AWAITED = 8 * LARGEST_NAK;

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #requests: RepairRequests;
  readonly #window: ReceiveWindow;
  #heardMs: number;
  #spmSqn: number | undefined;
  #nla: number | undefined;
  /** When to ask for an SPM, while none came. */
  #spmrMs: number;

  /**
   * @param stream what it hears.
   * @param firstSqn where to begin: nothing before it is missed.
   */
  constructor(
    readonly stream: Stream,
    firstSqn: number,
    events: ReceiverEvents,
    options: ReceiverOptions,
    nowMs: number,
  ) {
    this.#options = options;
    this.#heardMs = nowMs;
    this.#requests = new RepairRequests(options);
    this.#spmrMs = nowMs + options.random() * TIMING.spmrBackoffMs;
    const reassembler = new Reassembler(options.largestMessage);
    const { counters } = options;
    this.#window = new ReceiveWindow(firstSqn, options.windowBytes, {
      deliver: (tpdu) => {
        if (!reassembler.add(tpdu, events.message)) counters.messages_broken++;
      },
      lost: (count) => {
        if (!reassembler.interrupt()) counters.messages_broken++;
        counters.tpdus_lost += count;
        events.lost(count);
      },
    });
  }

  /** When anything of the source was last heard. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The source's address, once an SPM told it. */
  get nla(): number | undefined {
    return this.#nla;
  }

  /** Payload bytes held out of order. */
  get bytes(): number {
    return this.#window.bytes;
  }

  /** A time that is not after the next one at which {@link handleTimeout} has something to do. */
  nextTimeoutMs(): number {
    const spmrMs = this.#nla === undefined ? this.#spmrMs : Infinity;
    return Math.min(this.#requests.nextTimeoutMs(), spmrMs, this.#heardMs + TIMING.peerExpiryMs);
  }

  handleSpm(spm: Spm, nowMs: number): void {
    const isNew = this.#spmSqn === undefined || before(this.#spmSqn, spm.sqn);
    if (!isNew || ahead(spm.trail, plus(spm.lead, 1)) > 0) {
      this.#options.counters.dropped_spm++;
      return;
    }
    this.#heardMs = nowMs;
    this.#spmSqn = spm.sqn;
    this.#nla = spm.nla;
    this.#window.advance(spm.trail);
    this.#expose(spm.lead, nowMs);
  }

  handleData(data: Data, nowMs: number): void {
    const { sqn } = data;
    if (ahead(data.trail, sqn) > 0) {
      this.#options.counters.dropped_length++;
      return;
    }
    this.#heardMs = nowMs;
    this.#window.advance(data.trail);
    this.#expose(plus(sqn, -1), nowMs);
    if (!this.#window.lacks(sqn)) {
      this.#options.counters.duplicates++;
    } else if (this.#window.take(sqn, data)) {
      const late = this.#requests.remove(sqn, nowMs) && data.type === "odata";
      if (late) this.#requests.reordered(nowMs);
    } else {
      this.#options.counters.dropped_full++;
      if (!this.#requests.has(sqn)) this.#requests.add([sqn], nowMs);
    }
  }

  /** The source confirmed requests, by whomever. */
  handleNcf(sqns: readonly number[], nowMs: number): void {
    this.#heardMs = nowMs;
    this.#requests.confirm(sqns, nowMs);
  }

  /** Another receiver asked the source. */
  handleNak(sqns: readonly number[], nowMs: number): void {
    this.#options.counters.naks_suppressed += this.#requests.suppress(sqns, nowMs);
  }

  /** Another receiver asked for an SPM: the answer will do for both. */
  handleSpmr(nowMs: number): void {
    this.#awaitSpm(nowMs);
  }

  /** Works off the deadlines that have come; answers whether to ask for an SPM, and the packets to ask for. */
  handleTimeout(nowMs: number): { readonly spmr: boolean; readonly ask: readonly number[] } {
    // RFC 3208 §6.2: without an SPM it is not known whom to ask.
    const most = this.#nla === undefined ? 0 : MOST_AWAITED;
    const { ask, lost } = this.#requests.handleTimeout(
      nowMs,
      most,
      (sqn) => this.#window.lacks(sqn),
    );
    for (const sqn of lost) {
      this.#requests.remove(sqn);
      this.#window.giveUp(sqn);
    }
    const spmr = this.#nla === undefined && nowMs >= this.#spmrMs;
    if (spmr) this.#awaitSpm(nowMs);
    return { spmr, ask };
  }

  /** Drawn anew each time: whoever heard the same request must not repeat it at the same time. */
  #awaitSpm(nowMs: number): void {
    this.#spmrMs = nowMs + TIMING.waitMs.first * (1 + this.#options.random());
  }

  #expose(lead: number, nowMs: number): void {
    const missing = this.#window.expose(lead);
    if (missing.length > 0) this.#requests.add(missing, nowMs);
  }
}
