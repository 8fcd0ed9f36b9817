/**
 * Waits of less than a millisecond, which is all that the runtime's timers count: a stream of some thousand messages a second
 * would come in clumps, the last of each behind the others. A thread sleeps meanwhile, where libc may be asked.
 *
 * @module
 */
import { setTimeout } from "node:timers/promises";
import { type Libc, openLibc } from "../../../backbone/libc.ts";

/** In milliseconds: less costs more than it tells apart, and more the runtime can do. */
const BOUNDS = { least: 0.05, most: 1 };

export class FineTimer implements Disposable {
  readonly #libc: Libc | undefined = openLibc();

  /** Waits for about `ms` milliseconds, but for 1 at most. */
  async wait(ms: number): Promise<void> {
    const { least, most } = BOUNDS;
    if (this.#libc === undefined || ms >= most) await setTimeout(most);
    else await this.#libc.symbols.usleep(Math.round(1_000 * Math.max(ms, least)));
  }

  /** Not while anybody waits. */
  [Symbol.dispose](): void {
    this.#libc?.close();
  }
}
