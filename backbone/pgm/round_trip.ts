/**
 * The round trip from a NAK to its answer, and what follows from it (RFC 6298 §2).
 *
 * @module
 */
import { TIMING } from "./timing.ts";

/** An estimate that starts at the defaults of a LAN. */
export class RoundTrip {
  #smoothedMs: number | undefined;
  #variationMs = 0;

  /** Takes a measurement. Answers to repeated requests are ambiguous and no measurement (Karn). */
  sample(ms: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = ms;
      this.#variationMs = ms / 2;
      return;
    }
    this.#variationMs += (Math.abs(ms - this.#smoothedMs) - this.#variationMs) / 4;
    this.#smoothedMs += (ms - this.#smoothedMs) / 8;
  }

  /** The largest back-off: several round trips, so that a NAK reaches the others before most of them speak. */
  get backoffMs(): number {
    const { first, least, most } = TIMING.backoffMs;
    return this.#smoothedMs === undefined ? first : clamp(4 * this.#smoothedMs, least, most);
  }

  /** How long an answer may take before the request is repeated. */
  get waitMs(): number {
    const { first, least, most } = TIMING.waitMs;
    if (this.#smoothedMs === undefined) return first;
    return clamp(this.#smoothedMs + 4 * this.#variationMs, least, most);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
