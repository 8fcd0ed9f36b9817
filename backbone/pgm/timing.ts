/**
 * All deadlines of the machines, in milliseconds, for a LAN that wants low latency. OpenPGM's and ZeroMQ's are 5 to
 * 100 times longer, and their latency under loss with them.
 *
 * @module
 */

export const TIMING = {
  /** First SPM after the last data: what finds the loss of a tail. */
  heartbeatFirstMs: 3,
  /**
   * The same after data that is said again each 500 ms: one heartbeat halfway. Without it three packets lost in a row would
   * make a relay seem silent; with it, six.
   */
  heartbeatRepeatedMs: 250,
  /** So many times as long each further heartbeat waits: a loss of the first is rare, and most streams pause all the time. */
  heartbeatGrowth: 4,
  /** Until this ambient interval; it is kept during data too (RFC 3208 §5.1.4–5). */
  ambientSpmMs: 4_000,
  /** No second SPM within this time on demand of receivers. */
  spmrHoldMs: 5,
  /** A receiver asks an unknown source for an SPM after a random share of this; it is heard by others, who then need not. */
  spmrBackoffMs: 4,
  /** A source of which nothing was heard so long is forgotten: several ambient SPMs. */
  peerExpiryMs: 30_000,
  /** How long a source can repair what it sent, and a receiver tries to have it repaired. */
  windowMs: 2_000,
  /** A full transmit window gives up what is older than this for new data; what is younger makes the caller wait. */
  windowLeastMs: 250,
  /** A source ignores a repeated request within this time: others' NAKs for the same loss are under way. */
  lingerMs: 2,
  /** A receiver acknowledges all streams that ask for it in one packet, and sends one in this time on the average. */
  ackMs: 1,
  /**
   * For how long a receiver may gather what it acknowledges, at most 255: one behind the first, which acknowledges at once
   * what is awaited; and any, of a stream of which nothing is awaited. The longer, the more goes along with what is
   * acknowledged at once; but should the first be gone, the others are to be heard before a relay pushes (50 ms).
   */
  gatherMs: { others: 40, unawaited: 200 },
  /** So long after the last payload for whose acknowledgement somebody waited, a stream is taken to be awaited. */
  awaitedMs: 10_000,
  /** A receiver that holds a source up so long, without coming on to speak of, does so no more. */
  stallMs: 250,
  /** Over how long what is asked for is compared with what is sent. */
  pressureMs: 50,
  /** How long a source pauses that is asked for too much, and how long from one such pause to the next at least. */
  yieldMs: { pause: 30, least: 40 },
  /** The largest NAK back-off before a round trip was measured, and its bounds after. */
  backoffMs: { first: 2, least: 1, most: 10 },
  /** How long to wait for NCF and for RDATA, the same way. Longer than the linger, or the repeated NAK would be ignored. */
  waitMs: { first: 10, least: 3, most: 50 },
  /**
   * How long packets that contradict what is known of a stream must come alone to be believed: those that leap ahead,
   * as after a long deafness, and those from behind. Below the window: what was disbelieved can still be repaired.
   */
  strayMs: { ahead: 100, behind: 1_000 },
} as const;
