/**
 * The relay's figures for `/metrics`.
 *
 * @module
 */
import type { Backbone } from "../backbone/backbone.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import type { Registry } from "../backbone/registry/registry.ts";
import type { Announcer } from "./announcer.ts";
import type { Archive } from "./archive.ts";
import type { Cluster } from "./cluster.ts";
import type { Groups } from "./groups.ts";
import type { Intake } from "./intake.ts";
import type { Logs } from "./logs.ts";
import type { Metric } from "./protocol/upstream.ts";
import type { Peers } from "./peers.ts";
import type { Publisher } from "./publisher.ts";
import type { Sync } from "./sync.ts";
import type { Replication } from "./replication.ts";
import type { RelayUpstream } from "./upstream.ts";

/** Whatever counts. */
export interface MetricSources {
  readonly backbone: Backbone;
  readonly announcer: Announcer;
  readonly cluster: Cluster;
  readonly table: GroupTable;
  /** Absent with a static table. */
  readonly registry: Registry | undefined;
  /** Absent without one. */
  readonly archive: Archive | undefined;
  readonly groups: Groups;
  readonly logs: Logs;
  readonly sync: Sync;
  readonly intake: Intake;
  readonly peers: Peers;
  readonly publisher: Publisher;
  readonly replication: Replication;
  readonly upstream: RelayUpstream;
}

/** Reads every figure once. */
export function collectMetrics(from: MetricSources): readonly Metric[] {
  const { backbone, announcer, table, registry, groups, logs } = from;
  const { sync, intake, publisher, replication, upstream } = from;
  const { delivered, duplicate, held, malformed, unrepaired } = intake.counters;
  const received = "Messages heard from other relays, by what the log made of them.";
  return [
    gauge("relay_peers", "Relays in view.", announcer.peers.length),
    gauge("relay_groups", "Multicast groups heard.", groups.heard.length),
    gauge("table_epoch", "Version of the table of slots and groups.", table.epoch),
    ...registry ? registryMetrics(registry) : [],
    gauge("relay_slots", "Slots with a log.", logs.count),
    gauge("relay_log_bytes", "What all logs retain.", logs.bytes),
    gauge("relay_publishes_pending", "Publishes that wait for a custodian.", replication.pending),
    gauge("relay_subscriptions", "Open subscriptions.", upstream.subscriptions),
    ...clusterMetrics(from.cluster),
    ...peerMetrics(from.peers),
    ...from.archive ? archiveMetrics(from.archive) : [],
    counter("relay_published_total", "Messages published here.", publisher.published),
    counter("relay_pushed_total", "Messages pushed to custodians.", replication.pushes),
    counter("relay_received_total", received, delivered, { result: "delivered" }),
    counter("relay_received_total", received, duplicate, { result: "duplicate" }),
    counter("relay_received_total", received, held, { result: "held" }),
    counter("relay_malformed_total", "Payloads that are no message.", malformed),
    counter("relay_unrepaired_total", "TPDUs that multicast could not repair.", unrepaired),
    counter("relay_pulls_total", "Catch-ups asked of peers.", sync.counters.pulls),
    counter("relay_pull_failures_total", "Catch-ups not answered.", sync.counters.failures),
    counter("relay_pulled_total", "Messages that catch-ups brought.", sync.counters.messages),
    ...Object.entries(backbone.counters()).map(([name, value]) =>
      counter(`backbone_${snake(name)}_total`, `Backbone: ${words(name)}.`, value)
    ),
  ];
}

function clusterMetrics({ custody, exchanges, freshness }: Cluster): Metric[] {
  const { begun, failed, told } = exchanges.counters;
  const lacking = custody.underReplicated.length, stale = freshness.staleGroups.length;
  return [
    gauge(
      "custody_ready",
      "Groups that this relay keeps as a ready custodian.",
      custody.readyGroups.length,
    ),
    gauge("under_replicated_groups", "Groups with fewer than two ready custodians.", lacking),
    gauge("stale_groups", "Groups whose readers were told that they are stale.", stale),
    counter("digests_total", "Exchanges of digests begun with peers.", begun),
    counter("digest_failures_total", "Exchanges of digests that were not answered.", failed),
    counter("digest_entries_total", "Slots told to peers in digests.", told),
  ];
}

function peerMetrics({ sessions, counters }: Peers): Metric[] {
  const open = "Open sessions with peers, by what this relay does in them.";
  return [
    gauge("peer_sessions", open, sessions.asking, { side: "asking" }),
    gauge("peer_sessions", open, sessions.answering, { side: "answering" }),
    counter("peer_unreached_total", "Sessions that peers did not accept.", counters.unreached),
    counter("peer_refused_total", "Sessions ended for what one side is or sent.", counters.refused),
  ];
}

function registryMetrics({ table, trouble }: Registry): Metric[] {
  return [
    gauge("redis_up", "1 while Redis answers and can be used.", trouble === undefined ? 1 : 0),
    gauge("table_moving_slots", "Slots heard in their old groups too.", table.moving),
    counter("table_moves_total", "Slots that got another group.", table.moves),
  ];
}

function archiveMetrics({ trouble, counters }: Archive): Metric[] {
  const { written, failures, slotsDue, waiting } = counters;
  return [
    gauge("archive_up", "1 while the archive can be used.", trouble === undefined ? 1 : 0),
    gauge("archive_slots_due", "Slots whose copies may lack something.", slotsDue),
    gauge("archive_publishes_pending", "Publishes that wait for the archive.", waiting),
    counter("archive_written_total", "Messages written to the archive.", written),
    counter("archive_failures_total", "Writes to the archive that failed.", failures),
  ];
}

function gauge(name: string, help: string, value: number, labels?: Metric["labels"]): Metric {
  return { name: `groundwave_${name}`, help, type: "gauge", value, ...(labels && { labels }) };
}

function counter(name: string, help: string, value: number, labels?: Metric["labels"]): Metric {
  return { name: `groundwave_${name}`, help, type: "counter", value, ...(labels && { labels }) };
}

function snake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}

function words(name: string): string {
  return snake(name).replaceAll("_", " ");
}
