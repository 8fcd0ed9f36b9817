/**
 * Tagged receivers of a source that sends as fast as its budget allows from its first packet on: slow ones, and such as
 * never answer, come late, or come again. Nothing is lost for those that are there, whatever the budget.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { gsiText } from "../../../backbone/pgm/gsi.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const SOURCE = 1, HERE = 2, THERE = 3;

/** Bytes a second, as the budget counts them: 40, 160 and 640 full packets a millisecond. */
const RATES = [100_000_000, 400_000_000, 1_600_000_000];

/** Receivers by what their sockets hold, in bytes and in full packets; both take 20 packets a millisecond. */
const INTAKES: Record<string, Partial<PgmNodeOptions>> = {
  "a default buffer": { bufferBytes: 212_992, intake: { msEach: 0.05, buffer: 92 } },
  "a raised buffer": { bufferBytes: 8 << 20, intake: { msEach: 0.05, buffer: 3_640 } },
};

/** A source that never rests, and receivers that it tags before its first packet. */
class Torrent {
  readonly #clock = new VirtualClock();
  readonly #network = new SimulatedNetwork(this.#clock);
  readonly #options: Partial<PgmNodeOptions>;
  readonly source: PgmNode;
  #sent = 0;
  /** The longest time without a packet of data, in milliseconds. */
  longestPauseMs = 0;

  constructor(rate: number, intake: Partial<PgmNodeOptions>) {
    this.#options = intake;
    this.source = this.#node(SOURCE, { rate });
    this.source.tag([HERE, THERE]);
  }

  /** A receiver that is there from now on. */
  receiver(gsi: number): PgmNode {
    return this.#node(gsi, this.#options);
  }

  /** The same, and as fast as any source. */
  fastReceiver(gsi: number): PgmNode {
    return this.#node(gsi, {});
  }

  send(forMs: number): void {
    for (let ms = 0, sinceMs = 0; ms < forMs; ms++) {
      const { odata_sent } = this.source.counters;
      while (this.source.send(numbered(this.#sent + 1))) this.#sent++;
      this.#clock.advance(1);
      sinceMs = this.source.counters.odata_sent > odata_sent ? 0 : sinceMs + 1;
      this.longestPauseMs = Math.max(this.longestPauseMs, sinceMs);
    }
  }

  /** Until everything has arrived that still can. */
  rest(): void {
    this.#clock.advance(20 * TIMING.windowMs);
  }

  /** Checks that a receiver has everything from its first message on, and that the source knows. */
  checkWhole(receiver: PgmNode): void {
    const numbers = receiver.received(gsiText(SOURCE)).map(numberOf), [first = 0] = numbers;
    equal(receiver.lost, 0);
    equal(numbers.length, this.#sent + 1 - first, "nothing is missing");
    const acknowledged = this.source.acknowledged.filter(({ by }) => by === receiver.gsi).at(-1);
    equal(acknowledged?.from, first);
    equal(acknowledged?.through, this.#sent);
  }

  #node(gsi: number, more: Partial<PgmNodeOptions>): PgmNode {
    const random = seededRandom(gsi);
    return new PgmNode({ clock: this.#clock, network: this.#network, random, gsi, ...more });
  }
}

function numbered(number: number): Uint8Array {
  const payload = new Uint8Array(1_400);
  new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer).getUint32(0);
}

for (const rate of RATES) {
  for (const [name, intake] of Object.entries(INTAKES)) {
    const where = `at ${rate / 1_000_000} MB/s, ${name}`;

    Deno.test(`slow: who is tagged before the first packet holds the source from the start, ${where}`, () => {
      const torrent = new Torrent(rate, intake), { source } = torrent;
      const receivers = [torrent.receiver(HERE), torrent.receiver(THERE)];
      torrent.send(300);
      const { odata_sent } = source.counters;
      ok(odata_sent > 300 * 20 / 2, `${odata_sent} packets: the source waits for nothing`);
      ok(odata_sent < 300 * 20 + 1_000, `${odata_sent} packets: the source is not held`);
      equal(source.counters.rdata_sent, 0, "nothing overflows");
      torrent.rest();
      receivers.forEach((receiver) => torrent.checkWhole(receiver));
      equal(source.counters.tags_lapsed, 0);
    });

    Deno.test(`silent: who never answers is waited for once, and nobody else loses by that, ${where}`, () => {
      const torrent = new Torrent(rate, intake), { source } = torrent;
      const receiver = torrent.receiver(HERE);
      torrent.send(TIMING.stallMs + 300);
      ok(torrent.longestPauseMs <= TIMING.stallMs + 1, `${torrent.longestPauseMs} ms`);
      equal(source.counters.tags_lapsed, 1);
      ok(source.counters.odata_sent > 300 * 20 / 2);
      torrent.rest();
      torrent.checkWhole(receiver);
    });

    Deno.test(`late: who comes in the midst of it holds the source from then on, ${where}`, () => {
      const torrent = new Torrent(rate, intake);
      const receiver = torrent.fastReceiver(HERE);
      torrent.send(TIMING.stallMs + 100);
      const late = torrent.receiver(THERE);
      torrent.send(300);
      torrent.rest();
      torrent.checkWhole(receiver);
      torrent.checkWhole(late);
    });

    for (const absentMs of [50, 2 * TIMING.stallMs]) {
      Deno.test(`again: who was gone for ${absentMs} ms goes on where it begins, ${where}`, () => {
        const torrent = new Torrent(rate, intake);
        const receiver = torrent.fastReceiver(HERE), before = torrent.receiver(THERE);
        torrent.send(100);
        before.kill();
        torrent.send(absentMs);
        const after = torrent.receiver(THERE);
        torrent.send(300);
        torrent.rest();
        torrent.checkWhole(receiver);
        torrent.checkWhole(after);
      });
    }
  }
}
