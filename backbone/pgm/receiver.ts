/**
 * The receiving side of one stream (RFC 3208 §6.2, §6.3): order, repair requests, reassembly.
 *
 * @module
 */
import type { Asked } from "./ack.ts";
import type { Counters } from "./counters.ts";
import type { Discovery } from "./discovery.ts";
import { type Data, LARGEST_NAK, type Spm, type Stream } from "./packet.ts";
import { Reassembler } from "./reassembly.ts";
import type { Holder } from "./receive_memory.ts";
import { LARGEST_SPAN, ReceiveWindow } from "./receive_window.ts";
import { RepairRequests, type RequestsOptions } from "./repair_requests.ts";
import type { Allocate } from "./slab.ts";
import { ahead, before, lengthOf, plus, type SqnRange } from "./serial.ts";
import { Strays } from "./strays.ts";
import { TIMING } from "./timing.ts";

/** Where a stream's messages go. */
export interface ReceiverEvents {
  message(payload: Uint8Array): void;
  /** These packets can no longer be repaired. */
  lost(range: SqnRange): void;
}

export interface ReceiverOptions extends RequestsOptions {
  /** The most payload bytes held out of order. */
  readonly windowBytes: number;
  readonly largestMessage: number;
  /** Memory for what packets bring. Shared by the sessions of a relay: most streams bring little. */
  readonly allocate: Allocate;
  /** Our own GSI: a source that wants to be told how far we are names it. */
  readonly gsi: number;
  readonly counters: Counters;
}

/** The most packets asked for and not there yet: repairs must not flood us in their turn. */
const MOST_AWAITED = 8 * LARGEST_NAK;

/** What a source can have sent SPMs in the time that it is remembered. */
const LARGEST_SPM_JUMP = Math.ceil(TIMING.peerExpiryMs / TIMING.heartbeatFirstMs);

export class Receiver implements Holder {
  readonly stream: Stream;
  /** Where its packets come from; undefined until that is known. */
  address: string | undefined;
  /** When it became known. */
  readonly sinceMs: number;
  readonly #options: ReceiverOptions;
  readonly #events: ReceiverEvents;
  readonly #reassembler: Reassembler;
  #requests: RepairRequests;
  #window: ReceiveWindow;
  #heardMs: number;
  #spmSqn: number | undefined;
  #nla: number | undefined;
  /**
   * Taken for granted until an SPM tells: it may wait behind what a busy source has sent meanwhile, which is then too far
   * ahead to be held.
   */
  #asked: Asked | undefined = { now: true, waitMs: 0 };
  /** When to ask for an SPM, while none came. */
  #spmrMs: number;
  readonly #leaps = new Strays(TIMING.strayMs.ahead);
  readonly #laggards = new Strays(TIMING.strayMs.behind);
  readonly #oldSpms = new Strays(TIMING.strayMs.behind);

  constructor(
    { stream, firstSqn, address, nowMs }: Discovery,
    events: ReceiverEvents,
    options: ReceiverOptions,
  ) {
    this.stream = stream;
    this.address = address;
    this.sinceMs = nowMs;
    this.#options = options;
    this.#events = events;
    this.#heardMs = nowMs;
    this.#spmrMs = nowMs + options.random() * TIMING.spmrBackoffMs;
    this.#reassembler = new Reassembler(options.largestMessage, options.allocate);
    this.#requests = new RepairRequests(options);
    this.#window = this.#newWindow(firstSqn);
  }

  /** When anything of the source was last heard. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** The source's address, once an SPM told it. */
  get nla(): number | undefined {
    return this.#nla;
  }

  /** How the source asks us to acknowledge, or may. */
  get asked(): Asked | undefined {
    return this.#asked;
  }

  /** Everything from this packet to {@link through} was handed on; one past it if that is nothing. */
  get from(): number {
    return this.#window.from;
  }

  /** Everything up to this packet has come, or was given up. */
  get through(): number {
    return plus(this.#window.next, -1);
  }

  /** The memory of what is held out of order or missing, and of a message that is not whole yet. */
  get bytesHeld(): number {
    return this.#window.bytes + this.#reassembler.bytes;
  }

  /** Gives up the oldest gap; without one, the message that is not whole yet. */
  giveUpOldest(): void {
    if (before(this.#window.lead, this.#window.next)) this.#interrupt();
    else this.#window.giveUpGap();
  }

  /**
   * What came before `position` is had by other means, and everything from it on is wanted. If the stream was heard from
   * a later packet on, what lies between is asked for; it is lost if that packet was handed on already.
   */
  startAt(position: number, nowMs: number): void {
    const { first } = this.#window;
    if (!before(position, first)) return;
    const missing = this.#window.beginAt(position);
    if (missing) return this.#requests.add(missing, nowMs);
    const range = { from: position, to: plus(first, -1) };
    this.#options.counters.tpdus_lost += lengthOf(range);
    this.#events.lost(range);
  }

  /** A time that is not after the next one at which {@link handleTimeout} has something to do. */
  nextTimeoutMs(): number {
    const spmrMs = this.#nla === undefined ? this.#spmrMs : Infinity;
    return Math.min(this.#requests.nextTimeoutMs(), spmrMs, this.#heardMs + TIMING.peerExpiryMs);
  }

  handleSpm(spm: Spm, nowMs: number): void {
    const { trail, lead } = spm, end = plus(lead, 1);
    if (before(end, trail) || !this.#isNewer(spm, nowMs) || !this.#fits(lead, end, nowMs)) {
      this.#options.counters.dropped_spm++;
      return;
    }
    this.#heardMs = nowMs;
    this.#spmSqn = spm.sqn;
    if (this.#nla === undefined) this.#requests.resume(nowMs);
    this.#nla = spm.nla;
    this.#asked = spm.tagged.find(({ gsi }) => gsi === this.#options.gsi);
    this.#follow(trail, lead, nowMs);
  }

  handleData(data: Data, nowMs: number): void {
    const { sqn, trail } = data;
    if (before(sqn, trail)) {
      this.#options.counters.dropped_length++;
      return;
    }
    // A repair does not say where the stream is.
    const fits = data.type === "odata" ? this.#fits(sqn, sqn, nowMs) : this.#isNear(sqn);
    if (!fits) {
      this.#options.counters.dropped_stray++;
      return;
    }
    this.#heardMs = nowMs;
    this.#follow(trail, plus(sqn, -1), nowMs);
    if (!this.#window.lacks(sqn)) {
      this.#options.counters.duplicates++;
    } else if (this.#window.take(sqn, data)) {
      if (data.type === "rdata") this.#requests.repaired(sqn, nowMs);
      else if (this.#requests.remove(sqn, nowMs)) this.#requests.reordered(nowMs);
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

  /**
   * Whether a packet that says the stream is at `lead` fits what is known of it: not if it leaps. Only behind or far ahead
   * of what is known, again and again, and the stream is begun again where those packets began.
   *
   * @param from where to begin by this packet.
   */
  #fits(lead: number, from: number, nowMs: number): boolean {
    const jump = ahead(lead, this.#window.lead);
    if (jump >= 0 && jump <= LARGEST_SPAN) {
      this.#leaps.clear();
      this.#laggards.clear();
      return true;
    }
    const first = (jump > 0 ? this.#leaps : this.#laggards).note(from, nowMs);
    if (first !== undefined) this.#beginAgain(first, lead);
    // What is a little behind may still be missing.
    return this.#isNear(lead);
  }

  #isNear(sqn: number): boolean {
    return Math.abs(ahead(sqn, this.#window.lead)) <= LARGEST_SPAN;
  }

  /** Whether an SPM is newer than the last: by a plausible number, or because all others are older. */
  #isNewer({ sqn }: Spm, nowMs: number): boolean {
    const jump = this.#spmSqn === undefined ? 1 : ahead(sqn, this.#spmSqn);
    const isNewer = jump > 0 && jump <= LARGEST_SPM_JUMP;
    if (isNewer) this.#oldSpms.clear();
    return isNewer || this.#oldSpms.note(sqn, nowMs) !== undefined;
  }

  /** What was known is wrong: the stream is at `lead`, and was at `first` when that began to show. */
  #beginAgain(first: number, lead: number): void {
    const { next } = this.#window;
    const skipped = ahead(first, next);
    if (skipped > LARGEST_SPAN) this.#giveUp({ from: next, to: plus(first, -1) });
    // Unless it was given up already for what does not exist, what came in order stays had.
    const at = skipped <= LARGEST_SPAN && ahead(next, lead) <= 1 ? next : first;
    this.#requests = new RepairRequests(this.#options);
    this.#window = this.#newWindow(at);
    this.#spmSqn = this.#nla = undefined;
    this.#options.counters.streams_begun_again++;
  }

  #newWindow(firstSqn: number): ReceiveWindow {
    const { counters, windowBytes } = this.#options;
    const reassembler = this.#reassembler;
    return new ReceiveWindow(firstSqn, windowBytes, {
      deliver: (tpdu) => {
        if (!reassembler.add(tpdu, this.#events.message)) counters.messages_broken++;
      },
      lost: (range) => this.#giveUp(range),
    });
  }

  /** The next packets, these, do not come. */
  #giveUp(range: SqnRange): void {
    const { counters } = this.#options;
    // What came from behind until now came in its turn: to begin there would be to deliver it again.
    this.#laggards.clear();
    this.#interrupt();
    this.#requests.forget(range);
    counters.tpdus_lost += lengthOf(range);
    this.#events.lost(range);
  }

  #interrupt(): void {
    if (!this.#reassembler.interrupt()) this.#options.counters.messages_broken++;
  }

  /**
   * Drawn anew each time: whoever heard the same request must not repeat it at the same time. The longer a source is
   * silent, the more seldom: it may not be there, or never have been.
   */
  #awaitSpm(nowMs: number): void {
    const waitMs = Math.max(TIMING.waitMs.first, nowMs - this.#heardMs);
    this.#spmrMs = nowMs + waitMs * (1 + this.#options.random());
  }

  /** The stream reaches from `trail` to `lead`. What is behind of what is known says nothing. */
  #follow(trail: number, lead: number, nowMs: number): void {
    if (before(lead, this.#window.lead)) return;
    this.#window.advance(trail);
    const missing = this.#window.expose(lead);
    if (missing.length > 0) this.#requests.add(missing, nowMs);
  }
}
