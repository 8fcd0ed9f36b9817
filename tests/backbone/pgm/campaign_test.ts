/**
 * How the machines behave as something gets worse, as curves that are printed: loss from 0 to 50 %, one to a thousand
 * receivers, ever slower receivers.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { FLOW_WINDOW } from "../../../backbone/pgm/flow.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { dropper, kindOf, type Loss, lossOfAll } from "../../support/pgm_faults.ts";
import { PgmNode, type PgmNodeOptions } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { SimulatedNetwork } from "../../support/sim_network.ts";
import { amount } from "../../support/soak.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** A source and so many receivers, on a network without faults yet. */
function lan(receivers: number, options: Partial<PgmNodeOptions> = {}) {
  const clock = new VirtualClock(), network = new SimulatedNetwork(clock);
  const random = seededRandom(receivers);
  const node = (gsi: number, more: Partial<PgmNodeOptions> = {}) =>
    new PgmNode({ clock, network, random, gsi, ...options, ...more });
  const source = node(1);
  const nodes = Array.from({ length: receivers }, (_, i) => node(2 + i));
  return { clock, network, random, node, source, nodes };
}

function sum(nodes: readonly PgmNode[], figure: (node: PgmNode) => number): number {
  return nodes.reduce((total, node) => total + figure(node), 0);
}

/** Prints a curve, a row for each step. */
function print(title: string, rows: readonly Record<string, string | number>[]): void {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly (string | number)[]) =>
    cells.map((cell) => String(cell).padStart(14)).join("");
  console.log([title, line(names), ...rows.map((row) => line(Object.values(row)))].join("\n"));
}

/** Sends a message a millisecond under a loss; answers what that took. */
function underLoss(loss: Loss) {
  const { clock, network, random, source, nodes } = lan(2);
  const count = amount(1_000, 20_000), sentMs: number[] = [], delaysMs: number[] = [];
  network.faults.drop = dropper(loss, random);
  for (let i = 0, heard = 0; i < count + 2 * TIMING.windowMs; i++) {
    if (i < count) {
      sentMs.push(clock.nowMs());
      source.send(Uint8Array.of(i >> 8, i));
    }
    clock.advance(1);
    const { length } = nodes[0]!.events;
    for (; heard < length; heard++) delaysMs.push(clock.nowMs() - (sentMs[heard] ?? 0));
  }
  for (const node of nodes) {
    equal(node.lost, 0);
    equal(node.received().length, count);
  }
  delaysMs.sort((a, b) => a - b);
  return {
    p50_ms: Math.round(delaysMs[count >> 1] ?? NaN),
    p99_ms: Math.round(delaysMs[Math.floor(count * 0.99)] ?? NaN),
    naks: sum(nodes, ({ counters }) => counters.nak_sent),
    repairs: source.counters.rdata_sent,
  };
}

Deno.test("loss of each kind from 0 to 50 %: all arrive, and the delay grows gently", () => {
  const kinds: Record<string, (share: number) => Loss> = {
    data: (share) => ({ data: share }),
    "data, repairs": (share) => ({ data: share, repair: share }),
    "data, NAKs": (share) => ({ data: share, nak: share }),
    "data, SPM, NCF": (share) => ({ data: share, control: share }),
    all: lossOfAll,
  };
  const rows = Object.entries(kinds).flatMap(([kind, of]) =>
    [0, 0.01, 0.05, 0.2, 0.5].map((share) => ({ kind, loss: share, ...underLoss(of(share)) }))
  );
  print("a message a millisecond to 2 receivers, the delay at one of them", rows);
  for (const { loss, p50_ms, naks } of rows) {
    if (loss === 0) equal(naks, 0);
    if (loss <= 0.05) ok(p50_ms <= 2, `median ${p50_ms} ms at ${loss}`);
  }
});

/** Loses a tenth of the data for everybody at once; answers the NAKs, NCFs and repairs for each that was lost. */
function commonLoss(receivers: number) {
  const { clock, network, source, nodes } = lan(receivers);
  const lostAt = 10, lost = new WeakSet<Uint8Array>();
  let data = 0;
  network.faults.drop = (bytes) => {
    if (kindOf(bytes) !== "data") return false;
    // Asked once for each receiver.
    if (data++ % (receivers * lostAt) >= receivers * (lostAt - 1)) lost.add(bytes);
    return lost.has(bytes);
  };
  const count = receivers > 500 ? 50 : 100;
  for (let i = 0; i < count; i++) {
    source.send(Uint8Array.of(i));
    clock.advance(5);
  }
  clock.advance(500);
  for (const node of nodes) equal(node.received().length, count);
  const losses = count / lostAt;
  return {
    receivers,
    naks_per_loss: sum(nodes, ({ counters }) => counters.nak_sent) / losses,
    ncfs_per_loss: source.counters.ncf_sent / losses,
    repairs_per_loss: source.counters.rdata_sent / losses,
  };
}

Deno.test("a packet lost for all: few ask for it, one receiver or a thousand, and one repair serves all", () => {
  const rows = [1, 2, 3, 10, 30, 100, 300, 1_000].map(commonLoss);
  print("a tenth of the data lost before the switch", rows);
  for (const { receivers, naks_per_loss, repairs_per_loss } of rows) {
    ok(naks_per_loss <= 6, `${naks_per_loss} NAKs at ${receivers} receivers`);
    ok(repairs_per_loss <= 1.5, `${repairs_per_loss} repairs at ${receivers} receivers`);
  }
});

Deno.test("losses of each receiver's own: NAKs grow with what is lost, not with who hears it", () => {
  const rows = [1, 2, 3, 10, 30, 100, 300].map((receivers) => {
    const { clock, network, random, source, nodes } = lan(receivers);
    network.faults.drop = dropper({ data: 0.05 }, random);
    for (let i = 0; i < 100; i++) {
      source.send(Uint8Array.of(i));
      clock.advance(5);
    }
    clock.advance(500);
    for (const node of nodes) equal(node.received().length, 100);
    const repaired = source.counters.rdata_sent;
    const naks = sum(nodes, ({ counters }) => counters.nak_sent);
    return {
      receivers,
      repaired,
      naks,
      naks_per_repair: Math.round(100 * naks / Math.max(1, repaired)) / 100,
    };
  });
  print("5 % of the data lost on each receiver's own way", rows);
  for (const { receivers, naks_per_repair } of rows) {
    ok(naks_per_repair <= 3, `${naks_per_repair} NAKs for each repair at ${receivers} receivers`);
  }
});

/** How a source is held back: by nothing but its budget, by a rate that follows NAKs, by tags. */
type Pacing = "budget" | "adapted rate" | "tags";

/** Packets a millisecond that the source's budget allows. */
const FULL_PACE = 40;

/** Sends as fast as goes for a while to one receiver that keeps pace and one that takes `pace` packets a millisecond. */
function besideSlow(pace: number, pacing: Pacing) {
  const { clock, node, source } = lan(0, { rate: FULL_PACE * 2_500 * 1_000 });
  const fast = node(2), slow = node(3, { intake: { msEach: 1 / pace, buffer: 2 * FLOW_WINDOW } });
  source.send(new Uint8Array());
  clock.advance(50);
  if (pacing === "tags") source.tag([2, 3]);
  clock.advance(50);
  const adapt = adaptedRate(source);
  const durationMs = 200;
  for (let ms = 0; ms < durationMs; ms++) {
    const most = pacing === "adapted rate" ? adapt(ms) : 4 * FULL_PACE;
    for (let i = 0; i < most && source.send(new Uint8Array(1_400)); i++);
    clock.advance(1);
  }
  const inTime = slow.received().length, sent = source.counters.odata_sent;
  clock.advance(3 * TIMING.windowMs);
  return {
    slow_pace: pace / FULL_PACE,
    pacing,
    sent: Math.round(sent / durationMs * 10) / 10,
    slow_in_time: Math.round(inTime / durationMs * 10) / 10,
    naks: slow.counters.nak_sent,
    repairs: source.counters.rdata_sent,
    slow_lost: slow.lost,
    fast_lost: fast.lost,
  };
}

/** A rate that gives way by 30 % where over a tenth is asked for again, and else grows by 3 %, every 10 ms. */
function adaptedRate(source: PgmNode): (ms: number) => number {
  let rate = FULL_PACE, credit = 0, sent = 0, asked = 0;
  return (ms) => {
    if (ms % 10 === 9) {
      const { odata_sent, nak_sqns_received } = source.counters;
      const share = (nak_sqns_received - asked) / Math.max(1, odata_sent - sent);
      rate = share > 0.1 ? Math.max(0.1, 0.7 * rate) : Math.min(FULL_PACE, 1.03 * rate);
      [sent, asked] = [odata_sent, nak_sqns_received];
    }
    credit = credit % 1 + rate;
    return Math.floor(credit);
  };
}

Deno.test("a slow receiver: tags hold the source to its pace and lose nothing; the budget alone floods it", () => {
  const rows = [2, 1, 0.8, 0.5, 0.2].flatMap((share) =>
    (["budget", "adapted rate", "tags"] as const).map((pacing) =>
      besideSlow(share * FULL_PACE, pacing)
    )
  );
  print("packets a millisecond beside a slow receiver", rows);
  for (const { pacing, slow_pace, slow_in_time, slow_lost, fast_lost, repairs } of rows) {
    equal(fast_lost, 0);
    if (pacing !== "tags") continue;
    equal(slow_lost, 0);
    const possible = Math.min(1, slow_pace) * FULL_PACE;
    ok(slow_in_time > 0.6 * possible, `${slow_in_time} of ${possible} packets a millisecond`);
    ok(repairs < 500, `${repairs} repairs`);
  }
});

Deno.test("a tagged receiver that dies stops the source for a bounded time only", () => {
  const { clock, source, nodes } = lan(2);
  source.send(new Uint8Array());
  clock.advance(50);
  source.tag([2, 3]);
  clock.advance(50);
  nodes[0]!.kill();
  const stalledMs: number[] = [];
  let sent = source.counters.odata_sent, since = clock.nowMs();
  for (let ms = 0; ms < 3_000; ms++) {
    for (let i = 0; i < 20 && source.send(new Uint8Array(1_400)); i++);
    clock.advance(1);
    if (source.counters.odata_sent === sent) continue;
    stalledMs.push(clock.nowMs() - since);
    [sent, since] = [source.counters.odata_sent, clock.nowMs()];
  }
  const longest = Math.max(...stalledMs);
  ok(longest > TIMING.stallMs / 2, "it was waited for");
  ok(longest <= TIMING.stallMs + 10, `${longest} ms`);
  equal(source.counters.tags_lapsed, 1);
  clock.advance(1_000);
  deepEqual(nodes[1]!.lost, 0);
});
