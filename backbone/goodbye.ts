/**
 * How a source leaves: what was taken still goes out, then FIN on its SPMs, then the repairs of what was lost of that.
 *
 * @module
 */
import type { Channel } from "./channel.ts";
import type { Clock } from "./clock.ts";
import type { Transmitter } from "./transmitter.ts";
import { pause } from "./within.ts";

/** How long the queues may take to empty, and how often they are looked at. */
const SENDING_MS = { step: 5, most: 3_000 };

/** How long nobody must have asked for a repair, a few rounds of requests; and how long that is waited for. */
const REPAIRING_MS = { step: 50, most: 1_000 };

interface Leaver {
  readonly channels: readonly Channel[];
  readonly transmitter: Transmitter;
  readonly clock: Clock;
  /** How many requests for repairs have come so far. */
  readonly naksReceived: () => number;
}

/** Resolves when nobody needs the sockets any more, or after {@link SENDING_MS} and {@link REPAIRING_MS} at most. */
export async function sayGoodbye(
  { channels, transmitter, clock, naksReceived }: Leaver,
): Promise<void> {
  const isSending = () => channels.some(({ session }) => session.bytesWaiting > 0);
  await waitWhile(isSending, SENDING_MS, clock);
  const nowMs = clock.nowMs();
  for (const channel of channels) {
    channel.session.close(nowMs);
    transmitter.serve(channel, nowMs);
  }
  if (channels.length === 0) return;
  let asked = -1;
  const isRepairing = () => asked !== (asked = naksReceived());
  await waitWhile(isRepairing, REPAIRING_MS, clock);
}

/** Waits while `condition` holds, looking every `step`, `most` at most. */
async function waitWhile(
  condition: () => boolean,
  { step, most }: { readonly step: number; readonly most: number },
  clock: Clock,
): Promise<void> {
  const endMs = clock.nowMs() + most;
  while (condition() && clock.nowMs() < endMs) await pause(clock, step);
}
