/**
 * The second step of wiring a relay: whom it meets.
 *
 * @module
 */
import type { PeerVersion } from "../../backbone/registry/registry.ts";
import { Announcer } from "../announcer.ts";
import { CONTROL, Intake } from "../intake.ts";
import { Company } from "../machines/company.ts";
import { Rate } from "../machines/rate.ts";
import { Peers } from "../peers.ts";
import type { Announcement } from "../protocol/announcement.ts";
import type { Origin } from "../protocol/message.ts";
import { Replication } from "../replication.ts";
import { Sync } from "../sync.ts";
import { tcpTransport } from "../transport.ts";
import type { Acting } from "./acting.ts";
import type { Keeping } from "./keeping.ts";
import type { LifeOptions, Own } from "./life.ts";

/** Whom it meets. */
export interface Meeting {
  readonly peers: Peers;
  readonly announcer: Announcer;
  readonly sync: Sync;
  readonly replication: Replication;
  readonly intake: Intake;
  readonly company: Company;
}

/** Makes it, but for the multicast itself. */
export function meeting(
  options: LifeOptions,
  own: Own,
  kept: Keeping,
  acts: () => Acting,
): Meeting {
  const { clock, log, origin } = options, { logs, table, origins } = kept;
  const company = new Company();
  const peers = own(newPeers(options, kept, () => intake, acts));
  const announcer = own(newAnnouncer(options, kept, { peers, company }, acts));
  const sync = own(
    new Sync({
      ...{ clock, logs, table },
      peers: () => announcer.peers,
      settled: announcer.settled,
      joining: (slot) => acts().cluster.isJoining(slot),
      ask: async (peer, pull, answer) => {
        const { positions } = await peers.ask(peer, pull, answer);
        for (const [group, at] of positions) acts().backbone.startAt(group, peer.origin, at);
      },
    }),
  );
  const replication = own(
    new Replication({
      clock,
      self: origin,
      ready: (group) => acts().cluster.custody.ready(group),
      push: async (to, messages) => await peers.push(inView({ announcer }, to), messages),
    }),
  );
  const intake: Intake = new Intake({
    ...{ clock, logs, sync, announcer, origins, replication, log },
    fetch: (peer) => void acts().cluster.exchanges.with(peer),
    keeps: (slot) => acts().cluster.keeps(slot),
  });
  return { peers, announcer, sync, replication, intake, company };
}

function newPeers(
  options: LifeOptions,
  { logs, table, origins }: Keeping,
  intake: () => Intake,
  acts: () => Acting,
): Peers {
  const { id, origin, transport = tcpTransport(options.clock) } = options;
  return new Peers({
    ...options,
    ...{ transport, logs, table, origins },
    node: { id, origin },
    position: (group) => acts().backbone.position(group),
    handlers: {
      digest: (from, digest) => acts().cluster.digest(from, digest),
      push: (messages) => intake().pushed(messages),
      publish: (draft) => acts().sequencer.answer(draft),
      table: () => table,
    },
  });
}

/** Listens for peers as well: their address is part of what is announced. */
function newAnnouncer(
  options: LifeOptions,
  { table, registry }: Keeping,
  { peers, company }: Pick<Meeting, "peers" | "company">,
  acts: () => Acting,
): Announcer {
  const { clock, wallMs, id, region, origin, log } = options;
  const address = peers.listen(options.interface), load = new Rate(clock.nowMs());
  return new Announcer({
    clock,
    wallMs,
    log,
    self: { origin, node: id, region },
    said: () => {
      const { groups, cluster, publisher } = acts();
      return {
        ...address,
        groups: groups.heard,
        tableEpoch: table.epoch,
        holds: cluster.exchanges.heldGroups,
        ready: cluster.custody.readyGroups,
        kept: cluster.custody.keptGroups,
        tableHash: table.hash,
        load: load.of(publisher.published, clock.nowMs()),
      };
    },
    send: (announcement, urgency) => void acts().backbone.send(CONTROL, announcement, urgency),
    probe: (peer) => peers.probe(peer),
    joined: (peer) => {
      log("info", "peer joined", describe(peer));
      acts().publisher.viewChanged();
    },
    left: (peer, reason) => {
      log("info", "peer left", { ...describe(peer), reason });
      peers.forget(peer.origin);
      acts().cluster.left(peer.origin);
      acts().publisher.viewChanged();
    },
    inView: (peers) => {
      company.inView(peers.length, clock.nowMs());
      acts().cluster.follow();
      acts().keyWatch.look();
      registry?.follow(peers.map(tableVersion));
    },
  });
}

/** @throws {Error} if it is not there any more. */
export function inView({ announcer }: Pick<Meeting, "announcer">, origin: Origin): Announcement {
  const peer = announcer.peer(origin);
  if (!peer) throw new Error("the relay has left");
  return peer;
}

function tableVersion({ origin, tableEpoch: epoch, tableHash: hash }: Announcement): PeerVersion {
  return { origin, epoch, hash };
}

function describe({ node, origin, region, host }: Announcement): Readonly<Record<string, string>> {
  return { id: node, origin, region, host };
}
