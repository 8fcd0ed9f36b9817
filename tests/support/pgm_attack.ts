/**
 * A source and a receiver, and what somebody can say who means harm.
 *
 * @module
 */
import { encodeData, encodeNak, encodeSpm } from "../../backbone/pgm/encode.ts";
import { PgmNode, type PgmNodeOptions } from "./pgm_node.ts";
import { seededRandom } from "./random.ts";
import { SimulatedNetwork } from "./sim_network.ts";
import { VirtualClock } from "./virtual_clock.ts";

export const STREAM = { gsi: 1, sourcePort: 32_769, destinationPort: 3_055 };
export const GROUP = 0xefc0_0701;
export const ATTACKER = "10.77.0.66";

export const spm = (fields: Partial<Parameters<typeof encodeSpm>[1]>) =>
  encodeSpm(STREAM, { sqn: 0, trail: 0, lead: 0, nla: 0, fin: false, ...fields });
export const odata = (sqn: number, trail = 0) =>
  encodeData(STREAM, { sqn, trail, payload: Uint8Array.of(0xbad) });
export const nak = (...sqns: number[]) =>
  encodeNak(STREAM, "nak", { sqns, sourceNla: 0x0a4d_0001, groupNla: GROUP });

/** A source, a receiver and an attacker. */
export function attackedLan(options: Partial<PgmNodeOptions> = {}) {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const node = (gsi: number) =>
    new PgmNode({ clock, network, random: seededRandom(gsi), gsi, ...options });
  const source = node(STREAM.gsi), receiver = node(2);
  let sent = 0;
  /** Sends so many numbers, one in so many milliseconds. */
  const send = (count: number, everyMs = 1) => {
    for (const end = sent + count; sent < end; clock.advance(everyMs)) {
      source.send(Uint8Array.of(sent >> 8, sent & 255, 1));
      sent++;
    }
  };
  const received = () =>
    receiver.received().flatMap(([high = 0, low = 0, ours]) => ours ? [high << 8 | low] : []);
  return { clock, network, source, receiver, send, received, inject: network.attach(() => {}) };
}
