/**
 * One relay: hears and is heard on the LAN, keeps the logs of the groups somebody here follows, serves an edge.
 *
 * @module
 */
import type { Group } from "../backbone/backbone.ts";
import { openBackbone } from "../backbone/endpoint.ts";
import type { GroupTable } from "../backbone/registry/group_table.ts";
import { type PeerVersion, Registry } from "../backbone/registry/registry.ts";
import { SlotGroups } from "../backbone/registry/slot_groups.ts";
import { staticGroups } from "../backbone/registry/static.ts";
import { Announcer } from "./announcer.ts";
import { Archive } from "./archive.ts";
import { Cluster } from "./cluster.ts";
import { Groups } from "./groups.ts";
import { CONTROL, Intake } from "./intake.ts";
import { Interest } from "./interest.ts";
import { KeyWatch, warnIfOpen } from "./key_watch.ts";
import { Logs, type LogsOptions } from "./logs.ts";
import { Company } from "./machines/company.ts";
import { Rate } from "./machines/rate.ts";
import type { Peer } from "./machines/membership.ts";
import { collectMetrics } from "./metrics.ts";
import { newOrigin } from "./new_origin.ts";
import type { RelayOptions, Retention } from "./options.ts";
import { Origins, REMEMBER_MS } from "./origins.ts";
import { type PeerHandlers, Peers } from "./peers.ts";
import type { Announcement } from "./protocol/announcement.ts";
import type { Origin } from "./protocol/message.ts";
import type { Upstream } from "./protocol/upstream.ts";
import { Publisher } from "./publisher.ts";
import { Replication, type ReplicationOptions } from "./replication.ts";
import { Sequencer } from "./sequencer.ts";
import { Sync, type SyncOptions } from "./sync.ts";
import { tcpTransport } from "./transport.ts";
import { RelayUpstream } from "./upstream.ts";

export interface Relay {
  readonly upstream: Upstream;
  /** Resolves when it has found the others, or itself alone. */
  readonly settled: Promise<void>;
  /** Takes nothing new and ends every subscription with `draining`. Idempotent. */
  drain(): void;
  /** Leaves the LAN. Idempotent. */
  close(): Promise<void>;
}

/** INTERFACE "Limits". A group is heard as long after its last reader as its messages are kept. */
const RETENTION: Retention = { maxCount: 1000, maxAgeMs: 300_000 };
const MAX_LOG_BYTES = 256 * 1024 * 1024;
/** DESIGN "append". */
const HOLD_MS = 4000;

/**
 * Starts a relay. Resolves once it is on the LAN; {@link Relay.settled} tells when it knows who else is.
 * @throws {ArchiveTrouble} if its own archive cannot be used.
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  await using stack = new AsyncDisposableStack();
  const own = <T extends { close(): void | Promise<void> }>(part: T): T =>
    stack.adopt(part, () => part.close());
  const { clock, wallMs, id, region, log } = options;
  const { openBackbone: open = openBackbone, transport = tcpTransport(clock) } = options;
  const { origin = newOrigin(), retention = RETENTION } = options;
  const node = { id, region, origin };
  const registry: Registry | undefined = options.tableStore && own(
    new Registry({
      ...options,
      count: options.groupCount,
      store: options.tableStore,
      published: () => publisher.positions,
      fetch: async (origin) => {
        const { epoch, entries } = await peers.table(inView(origin));
        return SlotGroups.parse(epoch, entries, options.groupCount);
      },
    }),
  );
  const table: GroupTable = registry?.table ?? staticGroups(options.groupCount);
  const origins = new Origins(), company = new Company(), load = new Rate(clock.nowMs());
  warnIfOpen(options);

  const asOfMs = () => cluster.exchanges.asOfMs;
  const joining = (slot: number) => cluster.isJoining(slot);
  const logs = own(
    new Logs({
      ...logsOptions(options, retention, asOfMs, node.origin, origins),
      joining,
      changed: (slot) => archive?.changed(slot),
    }),
  );
  const archive: Archive | undefined = options.archive && own(
    new Archive({
      ...options,
      self: node.origin,
      store: options.archive,
      logs,
      origins,
      leads: (slot) => ready(table.groupOf(slot))[0] === node.origin,
      lives: (origin) => announcer.peer(origin) !== undefined,
      follow: (slots) => interest.follow(slots),
    }),
  );
  const handlers: PeerHandlers = {
    digest: (from, digest) => cluster.digest(from, digest),
    push: (messages) => intake.pushed(messages),
    publish: (draft) => sequencer.answer(draft),
    table: () => table,
  };
  const position = (group: Group) => backbone.position(group);
  const peers = own(
    new Peers({ ...options, transport, node, logs, table, origins, position, handlers }),
  );
  const address = peers.listen(options.interface);
  const announcer: Announcer = own(
    new Announcer({
      clock,
      wallMs,
      self: { origin: node.origin, node: id, region },
      said: () => {
        return {
          ...address,
          groups: groups.heard,
          tableEpoch: table.epoch,
          holds: cluster.exchanges.heldGroups,
          ready: cluster.custody.readyGroups,
          tableHash: table.hash,
          load: load.of(publisher.published, clock.nowMs()),
        };
      },
      send: (announcement) => void backbone.send(CONTROL, announcement),
      probe: (peer) => peers.probe(peer),
      joined: (peer) => {
        log("info", "peer joined", describe(peer));
      },
      left: (peer, reason) => {
        log("info", "peer left", { ...describe(peer), reason });
        peers.forget(peer.origin);
        cluster.left(peer.origin);
      },
      inView: (peers) => {
        company.inView(peers.length, clock.nowMs());
        cluster.follow();
        keyWatch.look();
        registry?.follow(peers.map(tableVersion));
      },
      log,
    }),
  );
  const ask: SyncOptions["ask"] = async (peer, pull, answer) => {
    const { positions } = await peers.ask(peer, pull, answer);
    for (const [group, at] of positions) backbone.startAt(group, peer.origin, at);
  };
  const view = { peers: () => announcer.peers, settled: announcer.settled };
  const sync = own(new Sync({ clock, logs, table, ask, joining, ...view }));
  const ready = (group: Group) => cluster.custody.ready(group);
  const inView = (origin: Origin): Announcement => {
    const peer = announcer.peer(origin);
    if (!peer) throw new Error("the relay has left");
    return peer;
  };
  const push: ReplicationOptions["push"] = async (to, messages) =>
    await peers.push(inView(to), messages);
  const replication = own(new Replication({ clock, self: node.origin, ready, push }));
  const keeps = (slot: number) => cluster.keeps(slot);
  const fetch = (peer: Peer) => void cluster.exchanges.with(peer);
  const handed = { clock, logs, sync, announcer, origins, replication, fetch, keeps, log };
  const intake = new Intake(handed);
  const warn = (advice: string) => log("warn", advice);
  const backbone = own(await open({ ...options, origin: node.origin, warn }, intake));
  const keyWatch = new KeyWatch(backbone, log);
  const groups = own(
    new Groups({
      backbone,
      clock,
      lingerMs: retention.maxAgeMs,
      entered: (group) => cluster.entered(group),
      left: (group) => cluster.freshness.left(group),
    }),
  );
  const cluster: Cluster = own(
    new Cluster({
      ...options,
      self: { origin: node.origin, node: id },
      backbone,
      groups,
      logs,
      peers,
      sync,
      table,
      view: announcer,
      changed: () => announcer.changed(),
      tell: (group, stale) => upstream.setStale(group, stale),
    }),
  );
  const publisher = new Publisher({
    ...node,
    backbone,
    table,
    logs,
    replication,
    wallMs,
    pull: async (slot) => await sync.slotSoon(slot) && announcer.unreachable.length === 0,
    isAlone: () => company.isAlone(clock.nowMs()),
  });
  const sequencer = new Sequencer({
    clock,
    self: node.origin,
    table,
    logs,
    publisher,
    replication,
    settled: announcer.settled,
    ready,
    stoodStill: () => cluster.stoodStill,
    pull: (slot) => sync.slot(slot),
    ask: async (origin, draft) => await peers.publish(inView(origin), draft),
  });
  const interest = own(new Interest({ clock, groups, table }));
  const heart = { backbone, table, registry, groups, logs, sync, cluster, archive };
  const parts = { ...heart, announcer, intake, peers, publisher, replication };
  const upstream: RelayUpstream = new RelayUpstream({
    node,
    clock,
    table,
    interest,
    logs,
    publisher: archive ? { publish: (draft) => archive.publish(draft, sequencer) } : sequencer,
    asOfMs,
    pull: (slot) => sync.slot(slot),
    isStale: (group) => cluster.freshness.isStale(group),
    waiting: () => cluster.waiting,
    notes: () => notes({ Redis: registry?.trouble, archive: archive?.trouble }),
    metrics: () => collectMetrics({ ...parts, upstream }),
  });
  stack.defer(() => upstream.drain());
  // The new custodians of what was moved lack it, and others look at our hash for what they need to know.
  stack.defer(table.onChange((slots) => {
    upstream.moved(slots);
    // Of the others the old groups have merely become quiet.
    cluster.moved(slots.filter((slot) => table.groupsOf(slot).length > 1));
    announcer.changed();
  }));
  await registry?.start();
  await archive?.start();
  await backbone.join(CONTROL);
  announcer.start();

  const running = stack.move();
  return {
    upstream,
    settled: announcer.settled,
    drain: () => upstream.drain(),
    async close() {
      upstream.drain();
      await cluster.handOver();
      announcer.leave();
      await running.disposeAsync();
    },
  };
}

function logsOptions(
  { clock }: RelayOptions,
  retention: Retention,
  asOfMs: () => number,
  self: string,
  origins: Origins,
): LogsOptions {
  const known = (origin: string) => origins.knows(origin, clock.nowMs());
  const log = { self, ...retention, holdMs: HOLD_MS, forgetMs: REMEMBER_MS, asOfMs, known };
  return { clock, maxBytes: MAX_LOG_BYTES, log };
}

/** What is amiss, by where. */
function notes(troubles: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(troubles)
    .filter(([, trouble]) => trouble !== undefined)
    .map(([where, trouble]) => `${where}: ${trouble}`);
}

function tableVersion({ origin, tableEpoch: epoch, tableHash: hash }: Announcement): PeerVersion {
  return { origin, epoch, hash };
}

function describe({ node, origin, region, host }: Announcement): Readonly<Record<string, string>> {
  return { id: node, origin, region, host };
}
