/**
 * What the backbone bench measures: one sender and its receivers, by ours and by OpenPGM in turn.
 *
 * @module
 */
import {
  type Flags,
  groundwave,
  type Peer,
  type Place,
  PORT,
  type Tally,
  transfer,
} from "../../tests/interop/peers.ts";
import type { Host } from "../lan/host.ts";

/** One load. */
export interface Load {
  readonly name: string;
  readonly count: number;
  /** Payload bytes. */
  readonly size: number;
  /** Messages a second; 0 as fast as they go. */
  readonly rate: number;
  /** Of what arrives at each receiver, in percent. */
  readonly loss: number;
}

/** How one implementation did. Of several receivers the worst counts. */
export interface Figures {
  readonly messages_per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Messages that did not arrive, of all receivers. */
  readonly missing: number;
}

/** A load, and how it went. */
export interface Row extends Load {
  readonly groundwave: Figures;
  /** Null where libpgm or a lab cannot be had. */
  readonly openpgm: Figures | null;
}

/** Where it is measured. */
export interface Field {
  /** The sender's and then one for each receiver. */
  readonly places: readonly Place[];
  /** Of these, the hosts that can be made to lose: none on loopback. */
  readonly lossy: readonly Host[];
  /** Group and port. */
  readonly place: Flags;
}

/** When a receiver that lacks something gives up. */
const LIMIT_S = 60;

/** One run of a load. */
export async function measure(
  { places, lossy, place }: Field,
  peer: Peer,
  { count, size, rate, loss }: Load,
): Promise<Figures> {
  for (const host of lossy) host.lose(loss, PORT);
  const receivers = places.slice(1).map(() => peer);
  // An even stream leaves receivers time enough.
  const paced = peer === groundwave && rate === 0;
  const what = { sender: peer, receivers, count, size, rate, seconds: LIMIT_S, paced, place };
  return worst(await transfer(places, what), count);
}

function worst(tallies: readonly Tally[], count: number): Figures {
  return {
    messages_per_s: Math.min(...tallies.map(({ messages_per_s }) => messages_per_s)),
    p50_ms: Math.max(...tallies.map(({ p50_us }) => p50_us / 1000)),
    p99_ms: Math.max(...tallies.map(({ p99_us }) => p99_us / 1000)),
    missing: tallies.reduce((sum, { received }) => sum + count - received, 0),
  };
}

/** The median of each figure over several runs; what is missing adds up. */
export function summary(runs: readonly Figures[]): Figures {
  return {
    messages_per_s: median(runs.map(({ messages_per_s }) => messages_per_s)),
    p50_ms: median(runs.map(({ p50_ms }) => p50_ms)),
    p99_ms: median(runs.map(({ p99_ms }) => p99_ms)),
    missing: runs.reduce((sum, { missing }) => sum + missing, 0),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}
