/**
 * One sender and three receivers on a LAN that really loses: everything arrives.
 *
 * @module
 */
import { deepEqual, ok } from "node:assert/strict";
import { canOpenLabs, Lab } from "../../scripts/lan/lab.ts";
import { amount } from "../support/soak.ts";
import { groundwave, PORT, transfer } from "./peers.ts";

const ignore = !canOpenLabs();
const SIZE = 200, SECONDS = amount(60, 600);

/**
 * As fast as it goes only to tagged receivers: at 20 % three together miss half of all packets, which is more than its
 * share for repairs makes good, and one that another program keeps from its work misses more; a source that nobody holds
 * back outruns them. Who is not tagged must not be kept for long: a socket buffer of 4 MiB holds the other pace for a second
 * and a half, and what overflows can be repaired for two.
 */
const PACES = {
  "as fast as it goes, tagged": { paced: true, count: amount(20_000, 1_000_000) },
  "4,000 a second": { rate: 4_000, count: amount(20_000, 200_000) },
};
const LOSSES = [1, 5, 20];

for (const loss of LOSSES) {
  for (const [name, pace] of Object.entries(PACES)) {
    Deno.test({
      name:
        `${pace.count} messages arrive at three receivers, in order and once, at ${loss} % loss, ${name}`,
      ignore,
      fn: async () => {
        await using lab = await Lab.open(4);
        const receivers = [groundwave, groundwave, groundwave];
        for (const host of lab.hosts.slice(1)) host.lose(loss, PORT);
        const what = { ...pace, size: SIZE, seconds: SECONDS };
        const tallies = await transfer(lab.hosts, { ...what, sender: groundwave, receivers });
        for (const { received, bytes, duplicates, lost, naks = 0 } of tallies) {
          // Of one source: what comes out of order counts as a duplicate.
          deepEqual(
            { received, bytes, duplicates, lost },
            { received: pace.count, bytes: pace.count * SIZE, duplicates: 0, lost: 0 },
          );
          ok(naks > 0, "something was lost and asked for");
        }
      },
    });
  }
}
