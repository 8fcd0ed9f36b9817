/**
 * Scenarios in which a mechanism is there or not: switched off from outside, by the packets that carry it or by what is
 * handed in, never by an option of the product.
 *
 * @module
 */
import { decodePacket } from "../../backbone/pgm/packet.ts";
import { PgmNode, type PgmNodeOptions } from "./pgm_node.ts";
import { seededRandom } from "./random.ts";
import { type Faults, SimulatedNetwork } from "./sim_network.ts";
import { VirtualClock } from "./virtual_clock.ts";

export type Drop = NonNullable<Faults["drop"]>;

export const nothing: Drop = () => false;
export const all = (...drops: readonly Drop[]): Drop => (...datagram) =>
  drops.some((drop) => drop(...datagram));

/** Drops all packets of these types. */
export const types = (...dropped: readonly number[]): Drop => ([, , , , type = -1]) =>
  dropped.includes(type);

/** Drops the data packet `sqn` whoever it is for; not its repair. */
export const data = (sqn: number): Drop => (bytes) => {
  const packet = decodePacket(bytes);
  return typeof packet === "object" && packet.type === "odata" && packet.sqn === sqn;
};

/** Runs a source and its receivers: what is lost, what is sent, and how long all that may take. */
export function run(
  scenario: {
    readonly receivers?: number;
    readonly drop?: Drop;
    readonly delayMs?: () => number;
    readonly options?: Partial<PgmNodeOptions>;
    readonly forMs?: number;
    readonly send?: (source: PgmNode, clock: VirtualClock, network: SimulatedNetwork) => void;
  },
) {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const newNode = (gsi: number) =>
    new PgmNode({ clock, network, random: seededRandom(gsi), gsi, ...scenario.options });
  const source = newNode(1);
  const nodes = Array.from({ length: scenario.receivers ?? 1 }, (_, i) => newNode(2 + i));
  const { drop = nothing, delayMs } = scenario;
  network.faults = { drop, ...(delayMs ? { delayMs } : {}) };
  (scenario.send ?? numbers(10))(source, clock, network);
  clock.advance(scenario.forMs ?? 100);
  const naks = nodes.reduce((sum, { counters }) => sum + counters.nak_sent, 0);
  const received = Math.min(...nodes.map((node) => node.received().length));
  const lost = nodes.reduce((sum, node) => sum + node.lost, 0);
  return { source, nodes, naks, received, lost };
}

/** Sends so many messages, one a millisecond. */
export const numbers = (count: number) => (source: PgmNode, clock: VirtualClock) => {
  for (let i = 0; i < count; i++) {
    source.send(Uint8Array.of(i));
    clock.advance(1);
  }
};
