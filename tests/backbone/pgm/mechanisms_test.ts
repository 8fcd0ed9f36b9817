/**
 * What each mechanism is good for: a scenario with it, and the same without. It is switched off from outside, by the
 * packets that carry it or by what is handed in, never by an option of the product.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { encodeNak, encodeSpm } from "../../../backbone/pgm/encode.ts";
import { decodePacket, TYPE } from "../../../backbone/pgm/packet.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { dropper } from "../../support/pgm_faults.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { type Faults, SimulatedNetwork } from "../../support/sim_network.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

type Drop = NonNullable<Faults["drop"]>;

const nothing: Drop = () => false;
const all = (...drops: readonly Drop[]): Drop => (...datagram) =>
  drops.some((drop) => drop(...datagram));

/** Drops all packets of these types. */
const types = (...dropped: readonly number[]): Drop => ([, , , , type = -1]) =>
  dropped.includes(type);

/** Drops the data packet `sqn` whoever it is for; not its repair. */
const data = (sqn: number): Drop => (bytes) => {
  const packet = decodePacket(bytes);
  return typeof packet === "object" && packet.type === "odata" && packet.sqn === sqn;
};

/** Runs a source and its receivers: what is lost, what is sent, and how long all that may take. */
function run(
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
const numbers = (count: number) => (source: PgmNode, clock: VirtualClock) => {
  for (let i = 0; i < count; i++) {
    source.send(Uint8Array.of(i));
    clock.advance(1);
  }
};

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

/** Loses a share of the data of a source that sends as fast as its budget allows. */
function saturated(repairShare: number) {
  return run({
    drop: dropper({ data: 0.05 }, seededRandom(1)),
    options: { rate: 10_000_000, repairShare },
    send: (source, clock) => {
      for (let ms = 0; ms < 1_500; ms++) {
        for (let i = 0; i < 10; i++) source.send(new Uint8Array(1_400));
        clock.advance(1);
      }
    },
    forMs: 0,
  });
}

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

Deno.test("repair reserve: at a saturated rate repairs come in time; without a share of their own they do not", () => {
  const gap = ({ source, received }: ReturnType<typeof saturated>) =>
    source.counters.odata_sent - received;
  const reserved = gap(saturated(0.25)), unreserved = gap(saturated(0));
  ok(reserved < 60, `${reserved} packets behind`);
  ok(unreserved > 10 * reserved, `${unreserved} without a reserve, ${reserved} with`);
});

Deno.test("pause: a source that is asked for much of what it sends lets its receivers drain, for little it goes on", () => {
  const longestPauseMs = (share: number) => {
    let longestMs = 0;
    run({
      drop: dropper({ data: share }, seededRandom(1)),
      send: (source, clock) => {
        for (let ms = 0, pauseMs = 0; ms < 300; ms++) {
          const { odata_sent } = source.counters;
          while (source.send(new Uint8Array(1_400)));
          clock.advance(1);
          pauseMs = source.counters.odata_sent > odata_sent ? 0 : pauseMs + 1;
          longestMs = Math.max(longestMs, pauseMs);
        }
      },
      forMs: 0,
    });
    return longestMs;
  };
  const much = longestPauseMs(0.5), little = longestPauseMs(0.1), { pause } = TIMING.yieldMs;
  ok(much >= pause - 2 && much <= pause + 2, `${much} ms`);
  ok(little <= 2, `${little} ms where little is lost`);
});

Deno.test("packing: a budget that counts packets carries more messages when they share them", () => {
  const carried = (pack: boolean) =>
    run({
      options: { pack, rate: 1_000_000 },
      send: (source, clock) => {
        for (let ms = 0; ms < 200; ms++) {
          for (let i = 0; i < 10; i++) source.send(new Uint8Array(50));
          clock.advance(1);
        }
      },
      forMs: 0,
    }).received;
  const packed = carried(true), plain = carried(false);
  ok(packed > 4 * plain, `${packed} messages, ${plain} alone in their packets`);
});

Deno.test("window: what is asked for while it is held is repaired, and no longer", () => {
  const cutOff = (forMs: number) =>
    run({
      drop: (_bytes, from, to) => cut && (from === 1 || to === 1),
      send: (source, clock) => {
        numbers(5)(source, clock);
        cut = true;
        numbers(5)(source, clock);
        clock.advance(forMs);
        cut = false;
        numbers(1)(source, clock);
      },
    });
  let cut = false;
  equal(cutOff(TIMING.windowMs / 2).received, 11);
  const late = cutOff(2 * TIMING.windowMs);
  equal(late.received, 6);
  equal(late.lost, 5);
});

Deno.test("trail: where it is not told, what is lost for good is waited for as long as the window lasts", () => {
  const spm = { sqn: 1_000, trail: 5, lead: 9, nla: 1, fin: false };
  const stream = { gsi: 1, sourcePort: 32_769, destinationPort: 3055 };
  const told = (tell: boolean) =>
    run({
      drop: all(data(3), types(TYPE.nak)),
      send: (source, clock, network) => {
        const inject = network.attach(() => {});
        numbers(10)(source, clock);
        if (tell) inject(encodeSpm(stream, spm));
      },
    }).received;
  equal(told(true), 9);
  equal(told(false), 3);
});

Deno.test("fragments: a message over a packet is whole or not there", () => {
  const big = (drop: Drop) =>
    run({
      drop,
      send: (source) => void source.send(new Uint8Array(20_000).fill(7)),
      forMs: 2 * TIMING.windowMs,
    });
  const whole = big(data(4));
  equal(whole.nodes[0]?.received()[0]?.length, 20_000);
  const broken = big(all(data(4), types(TYPE.rdata)));
  equal(broken.received, 0);
  equal(broken.lost, 1);
});

Deno.test("ACK: without it a tag does not count for long, and a slow receiver is flooded", () => {
  const overflow = (drop: Drop) =>
    run({
      drop,
      options: { rate: 100_000_000, intake: { msEach: 0.1, buffer: 1_000 } },
      send: (source, clock) => {
        source.send(new Uint8Array());
        clock.advance(20);
        source.tag([2]);
        clock.advance(20);
        for (let ms = 0; ms < TIMING.stallMs + 300; ms++) {
          for (let i = 0; i < 50 && source.send(new Uint8Array(1_400)); i++);
          clock.advance(1);
        }
      },
      forMs: 0,
    }).naks;
  equal(overflow(nothing), 0);
  ok(overflow(types(TYPE.ack)) > 0);
});
