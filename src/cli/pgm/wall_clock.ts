/**
 * The wall clock in microseconds, as far as two processes of one machine can agree on it. `Date.now` has milliseconds, and
 * `performance.timeOrigin` is as coarse.
 *
 * @module
 */

/** Ticks of the wall clock that are watched. */
const TICKS = 5;

/** A clock of microseconds since the epoch. Takes some milliseconds to make; later steps of the system's clock pass it by. */
export function createWallClock(): () => number {
  let offsetMs = -Infinity;
  for (let tick = 0; tick < TICKS; tick++) {
    const beforeMs = Date.now();
    let wallMs = beforeMs;
    while (wallMs === beforeMs) wallMs = Date.now();
    // Whatever comes between the tick and this look makes the offset smaller, nothing makes it larger.
    offsetMs = Math.max(offsetMs, wallMs - performance.now());
  }
  return () => (offsetMs + performance.now()) * 1000;
}
