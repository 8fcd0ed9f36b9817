/**
 * What the payloads of `pgm send` begin with, little-endian: a 64-bit counter from 0 and the 64-bit time of sending in
 * nanoseconds since the epoch.
 *
 * @module
 */

export const STAMP_BYTES = 16;

const WORD = 0x1_0000_0000;

export interface Stamp {
  readonly counter: number;
  /** Microseconds since the epoch. A double holds them to a quarter. */
  readonly wallUs: number;
}

export function writeStamp(payload: Uint8Array, { counter, wallUs }: Stamp): void {
  const view = new DataView(payload.buffer, payload.byteOffset, STAMP_BYTES);
  // Two halves in place of BigInt: this is done for every message of a benchmark.
  write(view, 0, counter);
  write(view, 8, Math.round(wallUs * 1000));
}

/** The stamp of a payload; undefined if it is too short, or begins with what no sender has counted to. */
export function readStamp(payload: Uint8Array): Stamp | undefined {
  if (payload.length < STAMP_BYTES) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, STAMP_BYTES);
  const counter = read(view, 0);
  return Number.isSafeInteger(counter) ? { counter, wallUs: read(view, 8) / 1000 } : undefined;
}

function write(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % WORD, true);
  view.setUint32(at + 4, value / WORD, true);
}

function read(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * WORD + view.getUint32(at, true);
}
