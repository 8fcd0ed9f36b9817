/**
 * The third step of wiring a relay: what it does on the LAN and for its edge.
 *
 * @module
 */
import type { Backbone, Group } from "../../backbone/backbone.ts";
import { Cluster } from "../cluster.ts";
import { Groups } from "../groups.ts";
import { Interest } from "../interest.ts";
import { KeyWatch } from "../key_watch.ts";
import { collectMetrics } from "../metrics.ts";
import { RETENTION } from "../options.ts";
import { Publisher } from "../publisher.ts";
import { Sequencer } from "../sequencer.ts";
import { RelayUpstream } from "../upstream.ts";
import type { Keeping } from "./keeping.ts";
import type { LifeOptions, Own } from "./life.ts";
import { inView, type Meeting } from "./meeting.ts";

/** What it does. */
export interface Acting {
  readonly backbone: Backbone;
  readonly keyWatch: KeyWatch;
  readonly groups: Groups;
  readonly cluster: Cluster;
  readonly publisher: Publisher;
  readonly sequencer: Sequencer;
  readonly interest: Interest;
  readonly upstream: RelayUpstream;
}

/** Makes it. */
export function acting(
  options: LifeOptions,
  own: Own,
  backbone: Backbone,
  parts: Keeping & Meeting,
): Acting {
  const { clock, id, origin, log, retention = RETENTION } = options;
  const { table, logs, peers, announcer, sync, replication } = parts;
  const groups = own(
    new Groups({
      ...{ backbone, clock, lingerMs: retention.maxAgeMs },
      entered: (group) => cluster.entered(group),
      left: (group) => cluster.freshness.left(group),
    }),
  );
  const cluster: Cluster = own(
    new Cluster({
      ...options,
      ...{ backbone, groups, logs, peers, sync, table },
      self: { origin, node: id },
      view: announcer,
      changed: () => announcer.changed(),
      tell: (group, stale) => upstream.setStale(group, stale),
    }),
  );
  const publisher = new Publisher({
    ...options,
    ...{ backbone, table, logs, replication },
    pull: async (slot) => await sync.slotSoon(slot) && announcer.unreachable.length === 0,
    lives: (origin) => announcer.peer(origin) !== undefined,
    isAlone: () => parts.company.isAlone(clock.nowMs()),
  });
  const sequencer = new Sequencer({
    ...{ clock, table, logs, publisher, replication },
    self: origin,
    settled: announcer.settled,
    ready: (group) => cluster.custody.ready(group),
    sequencers: (group) => cluster.custody.sequencers(group),
    isNew: (group) => cluster.custody.isNew(group),
    stoodStill: () => cluster.stoodStill,
    pull: (slot) => sync.slot(slot),
    ask: async (origin, draft) => await peers.publish(inView(parts, origin), draft),
  });
  const interest = own(new Interest({ clock, groups, table }));
  const doing = { backbone, groups, cluster, publisher, sequencer, interest };
  const upstream: RelayUpstream = newUpstream(options, parts, doing);
  return { ...doing, upstream, keyWatch: new KeyWatch(backbone, log) };
}

function newUpstream(
  { clock, id, region, origin }: LifeOptions,
  parts: Keeping & Meeting,
  doing: Omit<Acting, "upstream" | "keyWatch">,
): RelayUpstream {
  const { table, registry, logs, archive, sync } = parts;
  const { interest, cluster, sequencer } = doing;
  const upstream: RelayUpstream = new RelayUpstream({
    ...{ clock, table, interest, logs },
    node: { id, region, origin },
    publisher: archive
      ? {
        publish: (draft) => archive.publish(draft, sequencer),
        publishAll: (drafts) => archive.publishAll(drafts, sequencer),
      }
      : sequencer,
    asOfMs: () => cluster.exchanges.asOfMs,
    pull: (slot) => sync.slot(slot),
    isStale: (group: Group) => cluster.freshness.isStale(group),
    waiting: () => cluster.waiting,
    notes: () => notes({ Redis: registry?.trouble, archive: archive?.trouble }),
    metrics: () => collectMetrics({ ...parts, ...doing, upstream }),
  });
  return upstream;
}

/** What is amiss, by where. */
function notes(troubles: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(troubles)
    .filter(([, trouble]) => trouble !== undefined)
    .map(([where, trouble]) => `${where}: ${trouble}`);
}
