/**
 * How long a client waits before it tries again: exponential with full jitter, so that the clients of a relay that went
 * away do not come back as a herd.
 *
 * @module
 */

const MIN_MS = 500;
const MAX_MS = 20_000;

/**
 * Milliseconds before the next try after `attempt` failures in a row (from 0 on): anywhere between 0.5 s and a ceiling
 * that doubles from 1 s to 20 s.
 *
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(MAX_MS, 2 * MIN_MS * 2 ** attempt);
  return MIN_MS + random() * (ceiling - MIN_MS);
}
