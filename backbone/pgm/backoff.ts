/**
 * The NAK back-off: a truncated exponential distribution (RFC 5401 §3.2.2). Most receivers of a group draw late and few
 * early, so that one speaks and the rest hear it.
 *
 * @module
 */

/**
 * Draws a back-off of 0 to `largestMs`, for a group of about `groupSize` receivers.
 *
 * @param uniform a random number, 0 ≤ uniform < 1.
 */
export function drawBackoffMs(largestMs: number, groupSize: number, uniform: number): number {
  const lambda = Math.log(groupSize) + 1;
  const span = Math.exp(lambda) - 1;
  const x = uniform * (lambda / largestMs) + lambda / (largestMs * span);
  return (largestMs / lambda) * Math.log(x * span * (largestMs / lambda));
}
