/**
 * The sending side of one stream (RFC 3208 §5): data, SPMs, NCFs and repairs.
 *
 * Poll {@link Source.pollTransmit} until it answers undefined after every other call, and again when
 * {@link Source.nextTimeoutMs} has come.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import type { Counters } from "./counters.ts";
import type { Acked } from "./ack.ts";
import { Deque } from "./deque.ts";
import { Delivered, type Ordinals } from "./delivered.ts";
import {
  encodeData,
  encodeNak,
  encodePacked,
  encodeRepair,
  encodeSpm,
  FRAGMENT_OVERHEAD,
} from "./encode.ts";
import { FlowControl } from "./flow.ts";
import { DATA_BYTES, LARGEST_NAK, type Stream } from "./packet.ts";
import { packable } from "./packing.ts";
import { RepairPressure } from "./pressure.ts";
import { ahead, plus } from "./serial.ts";
import { Slabs } from "./slab.ts";
import { SpmSchedule } from "./spm_schedule.ts";
import { TIMING } from "./timing.ts";
import { type Payloads, TransmitWindow } from "./transmit_window.ts";
import type { Urgency } from "./urgency.ts";

/** What a payload takes beside its bytes while it waits: an object and its place. Otherwise the empty would have no bound. */
const WAITING_BYTES = 128;

export interface SourceOptions {
  readonly stream: Stream;
  /** The addresses in SPM and NCF, IPv4 as a number. */
  readonly sourceNla: number;
  readonly groupNla: number;
  readonly firstSqn: number;
  /** The largest packet, in bytes; what is added to it on its way to the socket comes on top. */
  readonly largestTpdu: number;
  readonly windowBytes: number;
  /** The most memory for what waits to be sent; more is refused. */
  readonly queueBytes: number;
  /** Whether payloads may share packets: receivers that are not ours would take them for one. */
  readonly pack: boolean;
  readonly budget: Budget;
  readonly counters: Counters;
}

export class Source {
  readonly #options: SourceOptions;
  readonly #window: TransmitWindow;
  /** Packets leave the window in the order they were made. */
  readonly #slabs = new Slabs();
  readonly #queue = new Deque<Uint8Array>();
  #queueBytes = 0;
  /** Payloads taken since the start: the last one's ordinal. */
  #taken = 0;
  /** The ordinal of the last of them that is not said again. */
  #once = 0;
  /** How much of the payload at the front went out as fragments, and the first of them. */
  #fragmentsTo = 0;
  #fragmentsFrom = 0;

  readonly #flow: FlowControl;
  readonly #delivered: Delivered;
  readonly #pressure = new RepairPressure();
  readonly #confirm = new Set<number>();
  readonly #repair = new Set<number>();

  readonly #spms = new SpmSchedule();
  /** When the last data was sent. */
  #dataMs = -Infinity;
  /** When the last payload came for whose acknowledgement somebody waits, and whether the last SPM says that. */
  #awaitedMs = -Infinity;
  #saysAwaited = false;
  /** What holds the rest back, if anything does. */
  #blockedMs = Infinity;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#window = new TransmitWindow(options.windowBytes, options.firstSqn);
    this.#flow = new FlowControl(options.counters);
    this.#delivered = new Delivered(this.#window);
  }

  /** The memory of what waits to be sent; 0 if nothing does. */
  get bytesWaiting(): number {
    return this.#queueBytes;
  }

  /** The sequence number that the next packet will have. */
  get position(): number {
    return plus(this.#window.lead, 1);
  }

  /** See `PgmSession.send`. */
  send(payload: Uint8Array, urgency: Urgency, nowMs: number): number {
    const bytes = payload.length + WAITING_BYTES;
    if (this.#queueBytes + bytes > this.#options.queueBytes) {
      this.#options.counters.sends_refused++;
      return 0;
    }
    this.#queue.push(payload);
    this.#queueBytes += bytes;
    this.#spms.begin(nowMs);
    if (urgency === "awaited") this.#await(nowMs);
    if (urgency !== "repeated") this.#once = this.#taken + 1;
    return ++this.#taken;
  }

  /** Takes a request for repairs. Each number is confirmed and repaired once per linger time. */
  handleNak(sqns: readonly number[], nowMs: number): void {
    this.#options.counters.naks_received++;
    this.#options.counters.nak_sqns_received += sqns.length;
    this.#window.expire(nowMs);
    const waiting = this.#repair.size;
    for (const sqn of sqns) {
      if (ahead(sqn, this.#window.lead) > 0) {
        this.#options.counters.dropped_nak++;
        continue;
      }
      const sent = this.#window.get(sqn);
      if (sent === undefined) {
        // Too late: the confirmation stops the others, and an SPM tells the trail.
        if (this.#confirm.size < LARGEST_NAK) this.#confirm.add(sqn);
        this.#spms.hasten(nowMs);
      } else if (nowMs - sent.requestedMs >= TIMING.lingerMs) {
        sent.requestedMs = nowMs;
        this.#confirm.add(sqn);
        this.#repair.add(sqn);
      }
    }
    this.#pressure.asked(this.#repair.size - waiting, nowMs);
  }

  /** Takes a request for an SPM. */
  handleSpmr(nowMs: number): void {
    this.#spms.hasten(nowMs);
  }

  /** Names the receivers that hold this source to its window: see {@link FlowControl.tag}. They learn it by an SPM. */
  tag(gsis: readonly number[], nowMs: number): void {
    this.#flow.tag(gsis, this.#window.lead);
    this.#delivered.keep(gsis);
    this.#spms.hasten(nowMs);
  }

  /** A receiver acknowledged. Answers the payloads that it has, if it is tagged and they are not those it had before. */
  handleAck(gsi: number, acked: Acked, window: number): Ordinals | undefined {
    const isKnown = this.#flow.acked(gsi, { ...acked, window }, this.#window.lead);
    return isKnown ? this.#delivered.note(gsi, acked) : undefined;
  }

  /** Who is to acknowledge at once has to know it, before the data if there is time. */
  #await(nowMs: number): void {
    this.#awaitedMs = nowMs;
    if (!this.#saysAwaited) this.#spms.hasten(nowMs);
  }

  /** Says goodbye in as many SPMs as it takes, beginning now. */
  close(nowMs: number): void {
    this.#spms.sayGoodbye(nowMs);
  }

  /** When to poll again without any other call. */
  nextTimeoutMs(): number {
    return Math.min(this.#spms.dueMs, this.#blockedMs);
  }

  /** The next packet to send to the group. */
  pollTransmit(nowMs: number): Uint8Array | undefined {
    this.#blockedMs = Infinity;
    if (nowMs >= this.#spms.dueMs) return this.#spm(nowMs);
    if (this.#confirm.size > 0) {
      const ncf = this.#ncf(nowMs);
      if (ncf) return ncf;
    }
    if (this.#repair.size > 0) {
      const repair = this.#rdata(nowMs);
      if (repair) return repair;
    }
    return this.#queue.length > 0 ? this.#odata(nowMs) : undefined;
  }

  #spm(nowMs: number): Uint8Array {
    this.#window.expire(nowMs);
    const { stream, sourceNla: nla, budget, counters } = this.#options;
    const { trail, lead } = this.#window;
    const isAwaited = this.#saysAwaited = nowMs - this.#awaitedMs < TIMING.awaitedMs;
    const tagged = this.#flow.ask({ lead, restMs: nowMs - this.#dataMs, isAwaited });
    const packet = encodeSpm(stream, { ...this.#spms.next(nowMs), trail, lead, nla, tagged });
    counters.spm_sent++;
    budget.charge(packet.length);
    return packet;
  }

  #ncf(nowMs: number): Uint8Array | undefined {
    const sqns = [...this.#confirm].slice(0, LARGEST_NAK);
    for (const sqn of sqns) this.#confirm.delete(sqn);
    const { stream, sourceNla, groupNla, budget, counters } = this.#options;
    // Under a flood of NAKs confirmations go first: they cost what repairs need.
    if (!budget.takeRepair(DATA_BYTES + 4 * sqns.length, nowMs)) return undefined;
    counters.ncf_sent++;
    return encodeNak(stream, "ncf", { sqns, sourceNla, groupNla });
  }

  #rdata(nowMs: number): Uint8Array | undefined {
    const { budget, counters } = this.#options;
    for (const sqn of this.#repair) {
      const sent = this.#window.get(sqn);
      if (sent && !budget.takeRepair(sent.packet.length, nowMs)) {
        this.#blockedMs = budget.repairReadyMs(nowMs);
        return undefined;
      }
      this.#repair.delete(sqn);
      if (!sent) continue;
      counters.rdata_sent++;
      return encodeRepair(sent.packet, this.#window.trail);
    }
    return undefined;
  }

  #odata(nowMs: number): Uint8Array | undefined {
    const { budget, counters } = this.#options;
    if (!this.#window.makeRoom(this.#options.largestTpdu, nowMs)) {
      this.#blockedMs = Math.min(this.#blockedMs, this.#window.roomMs());
      return undefined;
    }
    if (nowMs < this.#pressure.untilMs) {
      this.#blockedMs = Math.min(this.#blockedMs, this.#pressure.untilMs);
      return undefined;
    }
    if (!this.#flow.allows(this.#window.lead, nowMs)) {
      this.#blockedMs = Math.min(this.#blockedMs, this.#flow.retryMs);
      return undefined;
    }
    if (!budget.allowsData(nowMs)) {
      this.#blockedMs = Math.min(this.#blockedMs, budget.dataReadyMs(nowMs));
      return undefined;
    }
    const isRepeated = this.#once <= this.#taken - this.#queue.length;
    const packet = this.#encodeNext();
    budget.charge(packet.length);
    this.#window.add(packet, this.#payloadsSent(), nowMs);
    counters.odata_sent++;
    this.#pressure.sent();
    this.#spms.dataSent(nowMs, isRepeated);
    this.#dataMs = nowMs;
    return packet;
  }

  #encodeNext(): Uint8Array {
    const payload = this.#queue.at(0);
    if (payload === undefined) throw new Error("nothing waits");
    const { pack, largestTpdu } = this.#options;
    if (payload.length > largestTpdu - DATA_BYTES) return this.#encodeFragment(payload);
    const count = pack ? packable(largestTpdu, (index) => this.#queue.at(index)?.length) : 1;
    const payloads: Uint8Array[] = [];
    while (payloads.length < count) payloads.push(this.#shift());
    this.#options.counters.messages_sent += count;
    const { stream } = this.#options;
    const sqn = plus(this.#window.lead, 1), { trail } = this.#window;
    return count > 1
      ? encodePacked(stream, { sqn, trail, payloads }, this.#slabs.allocate)
      : encodeData(stream, { sqn, trail, payload }, this.#slabs.allocate);
  }

  #payloadsSent(): Payloads {
    const done = this.#taken - this.#queue.length;
    return { begun: this.#fragmentsTo > 0 ? done + 1 : done, done };
  }

  #encodeFragment(payload: Uint8Array): Uint8Array {
    const sqn = plus(this.#window.lead, 1), { trail } = this.#window;
    const offset = this.#fragmentsTo;
    if (offset === 0) this.#fragmentsFrom = sqn;
    const end = offset + this.#options.largestTpdu - FRAGMENT_OVERHEAD;
    const part = payload.subarray(offset, end);
    const fragment = { first: this.#fragmentsFrom, offset, length: payload.length };
    this.#fragmentsTo += part.length;
    if (this.#fragmentsTo === payload.length) {
      this.#fragmentsTo = 0;
      this.#shift();
      this.#options.counters.messages_sent++;
    }
    const data = { sqn, trail, payload: part, fragment };
    return encodeData(this.#options.stream, data, this.#slabs.allocate);
  }

  #shift(): Uint8Array {
    const payload = this.#queue.shift();
    if (payload === undefined) throw new Error("nothing waits");
    this.#queueBytes -= payload.length + WAITING_BYTES;
    return payload;
  }
}
