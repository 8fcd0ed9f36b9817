/**
 * Sends what the channels of an endpoint have, some packets of each in turn, and wakes the endpoint for their deadlines.
 *
 * @module
 */
import type { Channel } from "./channel.ts";
import type { Clock } from "./clock.ts";
import type { DatagramSocket } from "./udp.ts";

/** Packets that a channel sends in its turn: many of one length cost little more than one. */
const PACKETS_PER_TURN = 16;

export class Transmitter {
  readonly #socket: DatagramSocket;
  readonly #clock: Clock;
  readonly #wake: (nowMs: number) => void;
  /** All channels: who sent last is last. A budget that allows a packet now and then goes round, too. */
  readonly #channels = new Set<Channel>();
  /** Those that may have something to send; served in turn. */
  readonly #busy = new Set<Channel>();
  /** While packets are under way, no more are begun: payloads wait and then share packets, and groups take turns. */
  #isSending = false;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  /** @param wake called when the deadline of a channel, or one {@link arm}ed, may have come. */
  constructor(socket: DatagramSocket, clock: Clock, wake: (nowMs: number) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Does what a channel asks for after a call. */
  serve(channel: Channel, nowMs: number): void {
    this.#channels.add(channel);
    this.#busy.add(channel);
    this.#transmit(nowMs);
    this.#armFor(channel);
  }

  /** Does what any channel may ask for as time passes. */
  serveAll(nowMs: number): void {
    for (const channel of this.#channels) this.#busy.add(channel);
    this.#transmit(nowMs);
    for (const channel of this.#channels) this.#armFor(channel);
  }

  /** Wakes the endpoint at `atMs`, or before. Timers are moved forward only: waking for nothing is cheaper than moving them with each packet. */
  arm(atMs: number): void {
    if (atMs === Infinity || (this.#timer && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => {
      this.#timer = undefined;
      this.#wake(this.#clock.nowMs());
    });
    this.#timer = { atMs, cancel };
  }

  /** Sends nothing more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#channels.clear();
    this.#busy.clear();
  }

  #transmit(nowMs: number): void {
    for (const channel of this.#busy) {
      if (this.#isSending) return;
      this.#busy.delete(channel);
      const packets = take(channel, nowMs);
      if (packets.length === 0) continue;
      // Its next turn comes after everybody else's.
      this.#busy.add(channel);
      this.#channels.delete(channel);
      this.#channels.add(channel);
      this.#dispatch(channel, packets);
    }
  }

  async #dispatch({ target }: Channel, packets: readonly Uint8Array[]): Promise<void> {
    this.#isSending = true;
    await this.#socket.sendAll(packets, target);
    this.#isSending = false;
    if (this.#busy.size > 0) this.#resume();
  }

  /** A send ended while others waited for it. */
  #resume(): void {
    const waited = [...this.#busy];
    this.#transmit(this.#clock.nowMs());
    for (const channel of waited) this.#armFor(channel);
  }

  /** Wakes us for a channel's next deadline. What waits for a send to end needs no timer: {@link #resume} comes back to it. */
  #armFor(channel: Channel): void {
    if (!this.#busy.has(channel)) this.arm(channel.nextTimeoutMs());
  }
}

function take({ session }: Channel, nowMs: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  while (packets.length < PACKETS_PER_TURN) {
    const packet = session.pollTransmit(nowMs);
    if (packet === undefined) break;
    packets.push(packet);
  }
  return packets;
}
