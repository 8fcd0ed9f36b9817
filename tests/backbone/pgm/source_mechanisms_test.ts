/** What each mechanism of a source is good for: a scenario with it, and the same without. */
import { equal, ok } from "node:assert/strict";
import { encodeSpm } from "../../../backbone/pgm/encode.ts";
import { TYPE } from "../../../backbone/pgm/packet.ts";
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
import { seededRandom } from "../../support/random.ts";

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
