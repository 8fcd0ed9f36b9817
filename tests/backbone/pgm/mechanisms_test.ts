/** What each mechanism of repair is good for: a scenario with it, and the same without. */
import { equal, ok } from "node:assert/strict";
import { encodeNak } from "../../../backbone/pgm/encode.ts";
import { decodePacket, TYPE } from "../../../backbone/pgm/packet.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { dropper } from "../../support/pgm_faults.ts";
import {
  all,
  data,
  type Drop,
  nothing,
  numbers,
  run,
  types,
} from "../../support/pgm_mechanisms.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

Deno.test("NAK: without it nothing is repaired", () => {
  equal(run({ drop: data(3) }).received, 10);
  equal(run({ drop: all(data(3), types(TYPE.nak)) }).received, 3);
});

Deno.test("RDATA: without it a loss is announced, and the rest goes on", () => {
  const { received, lost } = run({
    drop: all(data(3), types(TYPE.rdata)),
    forMs: 2 * TIMING.windowMs,
  });
  equal(received, 9);
  equal(lost, 1);
});

Deno.test("heartbeat SPM: without it the loss of a tail is not found", () => {
  const tail = (drop: Drop) =>
    run({ drop: all(data(9), drop), forMs: TIMING.heartbeatFirstMs + 5 });
  equal(tail(nothing).received, 10);
  // Those before the data have passed: only the heartbeats are lost.
  let greetings = 3;
  equal(tail((bytes) => types(TYPE.spm)(bytes, 0, 0) && greetings-- <= 0).received, 9);
});

Deno.test("SPMR: without it, who missed the announcement cannot ask for repairs while data flows", () => {
  const missed = (drop: Drop) => {
    let announcements = 3;
    const early: Drop = (bytes) => types(TYPE.spm)(bytes, 0, 0) && announcements-- > 0;
    return run({ drop: all(early, data(3), drop), send: numbers(60), forMs: 1 }).received;
  };
  equal(missed(nothing), 60);
  equal(missed(types(TYPE.spmr)), 3);
});

Deno.test("NAK suppression: where nobody hears another's NAK, and no NCF comes, everybody asks", () => {
  const asked = (drop: Drop) =>
    run({ receivers: 30, drop: all(data(3), types(TYPE.ncf, TYPE.rdata), drop), forMs: 0 }).naks;
  const together = asked(nothing),
    alone = asked((bytes, _from, to) => types(TYPE.nak)(bytes, 0, 0) && to > 0);
  ok(together <= 6 && alone >= 25, `${together} NAKs, without suppression ${alone}`);
});

Deno.test("NCF: where nobody hears another's NAK, it keeps the others from asking", () => {
  const asked = (drop: Drop) =>
    run({
      receivers: 30,
      drop: all(data(3), types(TYPE.rdata), (bytes, _from, to) =>
        types(TYPE.nak)(bytes, 0, 0) && to > 0, drop),
      forMs: 0,
    }).naks;
  const confirmed = asked(nothing), unconfirmed = asked(types(TYPE.ncf));
  ok(confirmed <= 10 && unconfirmed >= 25, `${confirmed} NAKs, without NCF ${unconfirmed}`);
});

Deno.test("back-off: where all draw the same, all ask at once", () => {
  const asked = (options: Partial<PgmNodeOptions>) =>
    run({ receivers: 30, drop: data(3), options }).naks;
  const drawn = asked({}), same = asked({ random: () => 0.5 });
  ok(drawn <= 6 && same >= 25, `${drawn} NAKs, drawn alike ${same}`);
});

/** How long after a loss shows a receiver asks, on the average, where `others` NAKs are heard for each of its own. */
function untilAskedMs(others: number): number {
  const stream = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 }, waits: number[] = [];
  let drop = nothing;
  const send = (source: PgmNode, clock: VirtualClock, network: SimulatedNetwork) => {
    const inject = network.attach(() => {});
    for (let sqn = 0; sqn < 100; sqn += 2) {
      drop = data(sqn);
      source.send(new Uint8Array(1));
      drop = nothing;
      source.send(new Uint8Array(1));
      const shownMs = clock.nowMs(), { naks_received } = source.counters;
      clock.advanceUntil(() => source.counters.naks_received > naks_received, 50, 0.1);
      waits.push(clock.nowMs() - shownMs);
      const nak = encodeNak(stream, "nak", { sqns: [sqn + 1], sourceNla: 1, groupNla: 2 });
      for (let other = 0; other < others; other++) inject(nak);
      clock.advance(20);
    }
  };
  run({ drop: (...datagram) => drop(...datagram), send });
  const last = waits.slice(-20);
  return last.reduce((sum, ms) => sum + ms, 0) / last.length;
}

Deno.test("asking at once: alone a receiver does, in company it backs off", () => {
  const alone = untilAskedMs(0), inCompany = untilAskedMs(5);
  ok(alone < 0.3 && inCompany > 0.5, `${alone} ms alone, ${inCompany} ms in company`);
});

Deno.test("reordering: who sees packets overtake each other waits before it asks", () => {
  const naks = (jitterMs: number) => {
    const random = seededRandom(3);
    const drop = dropper({ data: 0.01 }, seededRandom(4));
    return run({ drop, delayMs: () => 0.05 + jitterMs * random(), send: numbers(2_000) });
  };
  const steady = naks(0), jittery = naks(1.5);
  // 70 % of the packets are overtaken or overtake, and 1 % are lost.
  ok(jittery.naks < 400, `${jittery.naks} NAKs beside ${steady.naks}`);
  equal(jittery.received, 2_000);
});

Deno.test("linger: NAKs of many for one packet cost one repair while they come together", () => {
  const stream = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 };
  const nak = encodeNak(stream, "nak", { sqns: [3], sourceNla: 1, groupNla: 2 });
  const repairs = (apartMs: number) =>
    run({
      send: (source, clock, network) => {
        const inject = network.attach(() => {});
        numbers(10)(source, clock);
        for (let i = 0; i < 10; i++) {
          inject(nak);
          clock.advance(apartMs);
        }
      },
    }).source.counters.rdata_sent;
  equal(repairs(TIMING.lingerMs / 20), 1);
  equal(repairs(TIMING.lingerMs + 0.1), 10);
});

/** How long it takes to repair packet 3, whose first repair is lost, where these packets are lost. */
function untilRepairedMs(...losses: readonly number[]): number {
  let first: Uint8Array | undefined, tookMs = NaN;
  run({
    drop: all(
      ...losses.map(data),
      (bytes) => types(TYPE.rdata)(bytes, 0, 0) && (first ??= bytes) === bytes,
    ),
    send: (source, clock, network) => {
      const sentMs = clock.nowMs();
      network.attach((bytes) => {
        const packet = decodePacket(bytes);
        if (typeof packet !== "object" || packet.type !== "rdata" || packet.sqn !== 3) return;
        tookMs = clock.nowMs() - sentMs;
      });
      for (let i = 0; i < 100; i++) {
        source.send(Uint8Array.of(i));
        clock.advance(0.25);
      }
    },
  });
  return tookMs;
}

Deno.test("overtaken repairs: where later ones come, one that is lost is not waited for", () => {
  const alone = untilRepairedMs(3), overtaken = untilRepairedMs(3, 8, 13, 18);
  ok(overtaken < alone / 2, `${overtaken} ms overtaken, ${alone} ms alone`);
});
