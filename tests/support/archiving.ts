/**
 * A relay's archive by itself, beside a publisher that does nothing else.
 *
 * @module
 */
import { Archive } from "../../relay/archive.ts";
import { Logs } from "../../relay/logs.ts";
import { Origins } from "../../relay/origins.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Message, messageId, type Origin, type Seq } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { Draft, Published } from "../../relay/protocol/upstream.ts";
import { ArchivePlace, MemoryArchive } from "./memory_archive.ts";
import { A, LOG_OPTIONS } from "./slot_log.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** Where everything is published. */
export const SLOT = slotOf("a");

interface Setting {
  readonly self?: Origin;
  readonly place?: ArchivePlace;
  readonly isShared?: boolean;
  readonly clock?: VirtualClock;
}

/** A message there. */
export function message(origin: Origin, seq: Seq): Message {
  return { slot: SLOT, origin, seq, channel: "a", data: "x", timeMs: 0, region: "r" };
}

/** One relay's archive, beside a publisher that gives places and does nothing else. */
export function archiving(
  { self = A, place = new ArchivePlace(), isShared = false, clock = new VirtualClock() }: Setting =
    {},
) {
  const told: string[] = [], view = { leads: true, lives: new Set<Origin>() };
  const logs: Logs = new Logs({
    clock,
    log: { ...LOG_OPTIONS, self },
    maxBytes: 1e9,
    changed: (slot) => archive.changed(slot),
  });
  const followed: number[] = [], origins = new Origins();
  const archive = new Archive({
    clock,
    wallMs: () => clock.nowMs(),
    self,
    store: new MemoryArchive(place, isShared),
    logs,
    origins,
    leads: () => view.leads,
    lives: (origin) => view.lives.has(origin),
    follow: (slots) => Promise.resolve(followed.push(...slots)),
    log: (level, message) => told.push(`${level}: ${message}`),
  });
  const upstream = {
    accepts: [] as (string | undefined)[],
    publish({ channel, ack }: Draft): Promise<Published> {
      upstream.accepts.push(ack);
      const next = message(self, (logs.vectorOf(SLOT).get(self) ?? 0) + 1);
      logs.append(next);
      return Promise.resolve({ id: messageId(next), channel, ack: ack ?? "accepted" });
    },
    publishAll: (drafts: readonly Draft[]) => Promise.all(drafts.map(upstream.publish)),
  };
  const publish = () => archive.publish({ channel: "a", data: "x", ack: "archived" }, upstream);
  const end = async () => {
    await archive.close();
    logs.close();
  };
  return { clock, logs, archive, place, origins, told, view, followed, upstream, publish, end };
}

/** Lets time pass, and what waits for nothing else go on. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 5) {
    clock.advance(5);
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  }
}

/** What became of a publish. */
export function outcome(published: Promise<Published>): { said: string } {
  const is = { said: "waits" };
  published.then(
    ({ ack }) => is.said = ack,
    ({ code }: GroundwaveError) => is.said = code,
  );
  return is;
}
