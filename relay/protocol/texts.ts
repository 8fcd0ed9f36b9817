/**
 * Texts that come again and again, such as channels and origins: found by their bytes, they are neither made nor kept more
 * than once.
 *
 * @module
 */
import { readOrigin } from "./base64url.ts";
import type { Origin } from "./message.ts";

/** How many texts are remembered: each has one place, which it leaves to the next that comes there. */
const PLACES = 256;
/** Origins beyond which all are forgotten. */
const MAX_ORIGINS = 256;

export class Texts {
  readonly #places: string[] = new Array(PLACES).fill("");
  readonly #origins = new Map<number, Origin>();

  /** `bytes[from, to)` as text: what is remembered, else what `read` makes of it. Only ASCII is ever found again. */
  text(bytes: Uint8Array, from: number, to: number, read: () => string): string {
    let place = 0;
    for (let at = from; at < to; at++) place = (31 * place + (bytes[at] ?? 0)) % PLACES;
    const known = this.#places[place] ?? "";
    return isAt(known, bytes, from, to) ? known : this.#places[place] = read();
  }

  /** The origin whose 6 bytes begin at `at`. */
  origin(bytes: Uint8Array, at: number): Origin {
    let number = 0;
    for (let i = 0; i < 6; i++) number = 256 * number + (bytes[at + i] ?? 0);
    let origin = this.#origins.get(number);
    if (origin === undefined) {
      if (this.#origins.size >= MAX_ORIGINS) this.#origins.clear();
      this.#origins.set(number, origin = readOrigin(bytes, at));
    }
    return origin;
  }
}

function isAt(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f || unit !== bytes[from + i]) return false;
  }
  return true;
}
