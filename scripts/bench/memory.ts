/**
 * What slots, messages and channels cost the logs of a relay in memory, as a program of its own:
 * `deno run --v8-flags=--expose-gc`. It prints {@link MemoryFigures}.
 *
 * @module
 */
import { systemClock } from "../../backbone/clock.ts";
import { Logs } from "../../relay/logs.ts";
import { encodeMessage, MessageDecoder } from "../../relay/protocol/codec.ts";
import { SLOT_COUNT, slotOf } from "../../relay/protocol/slot.ts";

const MILLION = 1_000_000, MEGABYTE = 1024 * 1024;
/** The data of a message. */
const DATA = "one";

/** Bytes, but for the last. */
export interface MemoryFigures {
  /** A slot that was read, and has nothing. */
  readonly idle_slot: number;
  /** A message of three bytes in a channel that has others. */
  readonly message: number;
  /** What a channel that has one message takes beside that. */
  readonly idle_channel: number;
  /** A million channels of one message, in megabytes. */
  readonly million_channels_mb: number;
}

function measure(): MemoryFigures {
  const names = Array.from({ length: MILLION }, (_, n) => `channel${n}`);
  const beforeBytes = heap();
  const idle = newLogs();
  for (let slot = 0; slot < SLOT_COUNT; slot++) readOnce(idle, slot);
  const idleBytes = heap() - beforeBytes;
  const few = filled((n) => names[n % SLOT_COUNT] ?? "");
  const fewBytes = heap() - beforeBytes - idleBytes;
  const many = filled((n) => names[n] ?? "");
  const manyBytes = heap() - beforeBytes - idleBytes - fewBytes;
  // They have to be there still, or there was nothing to measure.
  if (idle.count + few.bytes + many.bytes === 0) throw new Error("nothing was kept");
  return {
    idle_slot: idleBytes / SLOT_COUNT,
    message: fewBytes / MILLION,
    idle_channel: (manyBytes - fewBytes) / (MILLION - SLOT_COUNT),
    million_channels_mb: manyBytes / MEGABYTE,
  };
}

function newLogs(): Logs {
  const retention = { maxCount: 1000, maxAgeMs: 300_000, holdMs: 4000, forgetMs: 86_400_000 };
  const log = { self: "self____", ...retention, asOfMs: Date.now, known: () => true };
  return new Logs({ clock: systemClock, maxBytes: Infinity, log });
}

function readOnce(logs: Logs, slot: number): void {
  const nowMs = systemClock.nowMs();
  logs.of(slot).open(["channel"], "earliest", nowMs, { sink: () => true }).close();
  logs.touched(slot);
}

/** A million messages as they come from another relay. */
function filled(channelOf: (n: number) => string): Logs {
  const logs = newLogs(), decoder = new MessageDecoder(), seqs = new Uint32Array(SLOT_COUNT);
  for (let n = 0; n < MILLION; n++) {
    const channel = channelOf(n), slot = slotOf(channel);
    const seq = seqs[slot] = (seqs[slot] ?? 0) + 1;
    const place = { slot, origin: "origin__", seq, region: "local" };
    const bytes = encodeMessage({ ...place, channel, data: DATA, timeMs: Date.now() });
    logs.append(decoder.decode(bytes));
  }
  return logs;
}

/** Two collections: what the first frees may hold more. */
function heap(): number {
  const { gc } = globalThis as unknown as { readonly gc: () => void };
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  console.log(JSON.stringify(measure()));
  Deno.exit(0);
}
