/**
 * What the scenarios of one PGM group begin with: a source, its receivers, and what went over the wire.
 *
 * @module
 */
import { ok } from "node:assert/strict";
import { decodePacket, type Packet } from "../../backbone/pgm/packet.ts";
import { PgmNode, type PgmNodeOptions } from "./pgm_node.ts";
import { seededRandom } from "./random.ts";
import { type Faults, SimulatedNetwork } from "./sim_network.ts";
import { VirtualClock } from "./virtual_clock.ts";

export const SOURCE_STREAM = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 };

/** A source and `receivers` receivers, and what went over the wire. */
export function lan(receivers: number, options: Partial<PgmNodeOptions> = {}) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork(clock);
  const wire: (Packet & { atMs: number })[] = [];
  network.attach((bytes) => {
    const packet = decodePacket(bytes);
    if (typeof packet === "object") wire.push({ ...packet, atMs: clock.nowMs() });
  });
  const node = (gsi: number, more: Partial<PgmNodeOptions> = {}) =>
    new PgmNode({ clock, network, random: seededRandom(gsi), gsi, ...options, ...more });
  const source = node(1);
  const nodes = Array.from({ length: receivers }, (_, i) => node(100 + i));
  const [receiver] = nodes;
  ok(receiver);
  /** Sends numbers, one a millisecond. */
  const send = (from: number, to: number) => {
    for (let i = from; i <= to; i++) {
      source.send(Uint8Array.of(i));
      clock.advance(1);
    }
  };
  const count = (type: Packet["type"]) => wire.filter((packet) => packet.type === type).length;
  return { clock, network, wire, node, source, nodes, receiver, send, count };
}

export const numbers = (node: PgmNode) => node.received().map(([first]) => first);
export const upTo = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Drops the data packets of these numbers on their first way, to everybody or to one node (0 is the wire itself). */
export function loseOnce(sqns: number[], ...nodes: number[]): NonNullable<Faults["drop"]> {
  return (bytes, _from, to) => {
    const packet = decodePacket(bytes);
    return typeof packet === "object" && packet.type === "odata" && sqns.includes(packet.sqn) &&
      to > 1 && (nodes.length === 0 || nodes.includes(to));
  };
}

export const ofType = (bytes: Uint8Array, ...types: number[]) => types.includes(bytes[4] ?? -1);
