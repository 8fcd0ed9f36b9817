/**
 * Brings into the logs what an archive keeps.
 *
 * @module
 */
import { pause } from "../backbone/within.ts";
import type { ArchiveOptions } from "./archive.ts";
import type { ArchiveCopies } from "./archive_copies.ts";
import { ArchiveTrouble, type KeptSlot, type Opening } from "./archives/archive_store.ts";
import { restore } from "./archives/outline.ts";
import { MEMBERSHIP_TIMERS } from "./machines/membership.ts";
import type { CatchUp } from "./protocol/log/catch_up.ts";
import type { Origin } from "./protocol/message.ts";
import { DecodeError } from "./protocol/wire.ts";

/** Relays announce themselves twice in this time: one announcement may be lost. */
const LISTEN_MS = 2 * MEMBERSHIP_TIMERS.announceMs + 100;
const LOOK_MS = 50;

type LoadOptions = Pick<
  ArchiveOptions,
  "clock" | "wallMs" | "store" | "logs" | "origins" | "log"
>;

/**
 * To be called before this relay announces itself. Resolves with how far the archive's clock is behind the wall's, in
 * milliseconds.
 * @param sinceMs when this relay began to run.
 * @throws {ArchiveTrouble} if the store cannot be read.
 */
export async function load(
  options: LoadOptions,
  copies: ArchiveCopies,
  sinceMs: number,
): Promise<number> {
  const { store, logs, origins, clock, wallMs, log } = options;
  const opening = await store.open(), { heardMs, risk } = opening;
  if (risk) log("warn", "the archive may lose messages", { archive: store.name, reason: risk });
  const stoppedMs = await stoppedBy(options, opening, sinceMs);
  for (const [origin, ms] of heardMs) {
    origins.hear(origin, clock.nowMs(), Math.max(0, wallMs() - ms));
  }
  const awayMs = Math.max(0, wallMs() - (opening.writtenMs ?? Infinity));
  let messages = 0;
  for await (const kept of store.slots()) {
    const catchUp = restored(kept, wallMs() - stoppedMs, awayMs);
    logs.of(kept.slot).merge(catchUp, clock.nowMs());
    copies.stands(kept.slot, kept.vector, catchUp.lost);
    logs.touched(kept.slot);
    messages += kept.messages.length;
  }
  if (messages > 0) log("info", "went on from the archive", { archive: store.name, messages });
  return stoppedMs;
}

/** By how much the archive's clock is behind: it stood still while no relay ran. */
async function stoppedBy(
  options: LoadOptions,
  { writtenMs, keptMs, heardMs }: Opening,
  sinceMs: number,
): Promise<number> {
  const { wallMs, clock } = options;
  if (writtenMs === undefined || keptMs === undefined) return 0;
  if (await someRanOn(options, [...heardMs.keys()])) return writtenMs - keptMs;
  // It runs again since this relay does, or shows some of that already: others may have written meanwhile.
  const ranMs = Math.min(clock.nowMs() - sinceMs, Math.max(0, wallMs() - writtenMs));
  return wallMs() - keptMs - ranMs;
}

/**
 * Whether one of the relays that are known to a store of this relay's own has been there all along: whoever is there now has.
 * To a shared store it has written meanwhile. Else what is kept would seem younger than what came after it, and displace it.
 */
async function someRanOn(
  { store, origins, clock }: LoadOptions,
  known: readonly Origin[],
): Promise<boolean> {
  // One of them is this relay, in its last life.
  if (store.isShared || known.length < 2) return false;
  const isHeard = () => known.some((origin) => origins.knows(origin, clock.nowMs()));
  for (const endMs = clock.nowMs() + LISTEN_MS; !isHeard() && clock.nowMs() < endMs;) {
    await pause(clock, LOOK_MS);
  }
  return isHeard();
}

/** @throws {ArchiveTrouble} if the copy is damaged. */
function restored(kept: KeptSlot, keptMs: number, awayMs: number): CatchUp {
  try {
    return restore(kept, keptMs, awayMs);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new ArchiveTrouble(`slot ${kept.slot} is damaged: ${cause.message}`, { cause });
  }
}
