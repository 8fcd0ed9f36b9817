/**
 * The first step of wiring a relay: what it keeps.
 *
 * @module
 */
import type { GroupTable } from "../../backbone/registry/group_table.ts";
import { Registry } from "../../backbone/registry/registry.ts";
import { SlotGroups } from "../../backbone/registry/slot_groups.ts";
import { staticGroups } from "../../backbone/registry/static.ts";
import { Archive } from "../archive.ts";
import { Logs } from "../logs.ts";
import { RETENTION } from "../options.ts";
import { Origins, REMEMBER_MS } from "../origins.ts";
import type { Acting } from "./acting.ts";
import type { LifeOptions, Own } from "./life.ts";
import { inView, type Meeting } from "./meeting.ts";

const MAX_LOG_BYTES = 256 * 1024 * 1024;
/** DESIGN "append". */
const HOLD_MS = 4000;

/** What a relay keeps. */
export interface Keeping {
  readonly table: GroupTable;
  readonly registry: Registry | undefined;
  readonly origins: Origins;
  readonly logs: Logs;
  readonly archive: Archive | undefined;
}

/** Makes it; who is met and what is done comes later. */
export function keeping(
  options: LifeOptions,
  own: Own,
  met: () => Meeting,
  acts: () => Acting,
): Keeping {
  const { groupCount, tableStore: store } = options;
  const registry = store && own(
    new Registry({
      ...options,
      count: groupCount,
      store,
      published: () => acts().publisher.positions,
      fetch: async (origin) => {
        const { epoch, entries } = await met().peers.table(inView(met(), origin));
        return SlotGroups.parse(epoch, entries, groupCount);
      },
    }),
  );
  const table = registry?.table ?? staticGroups(groupCount), origins = new Origins();
  const logs: Logs = own(newLogs(options, origins, () => archive, acts));
  const archive: Archive | undefined = options.archive && own(
    new Archive({
      ...options,
      self: options.origin,
      store: options.archive,
      logs,
      origins,
      leads: (slot) => acts().cluster.custody.ready(table.groupOf(slot))[0] === options.origin,
      lives: (origin) => met().announcer.peer(origin) !== undefined,
      follow: (slots) => acts().interest.follow(slots),
    }),
  );
  return { table, registry, origins, logs, archive };
}

function newLogs(
  { clock, origin: self, retention = RETENTION }: LifeOptions,
  origins: Origins,
  archive: () => Archive | undefined,
  acts: () => Acting,
): Logs {
  return new Logs({
    clock,
    maxBytes: MAX_LOG_BYTES,
    log: {
      self,
      ...retention,
      holdMs: HOLD_MS,
      forgetMs: REMEMBER_MS,
      asOfMs: () => acts().cluster.exchanges.asOfMs,
      known: (origin) => origins.knows(origin, clock.nowMs()),
    },
    joining: (slot) => acts().cluster.isJoining(slot),
    changed: (slot) => archive()?.changed(slot),
  });
}
