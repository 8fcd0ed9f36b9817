/**
 * Random schedules of everything that can go wrong at once. A failure names its seed and how to run it alone.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { gsiText } from "../../../backbone/pgm/gsi.ts";
import { LIMITS } from "../../../backbone/pgm/session.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";
import { burstDropper, dropper, type Loss } from "../../support/pgm_faults.ts";
import { PgmNode } from "../../support/pgm_node.ts";
import { seededRandom } from "../../support/random.ts";
import { type Faults, type Intake, SimulatedNetwork } from "../../support/sim_network.ts";
import { seeds } from "../../support/soak.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** What happens to one node, once: it hears nobody, or nobody hears it, or it is gone and comes back as another. */
interface Trouble {
  readonly kind: "deaf" | "mute" | "crash";
  readonly node: number;
  readonly atMessage: number;
  readonly forMs: number;
}

/** A slow node takes in what the heartbeat of one source brings it, before that of the next. */
const APART_MS = 25;

/** Everything a schedule is made of. */
interface Schedule {
  readonly nodes: number;
  readonly messages: number;
  readonly largest: number;
  readonly loss: Loss;
  /** How many datagrams in a row a loss takes, on the average. */
  readonly burst: number;
  readonly duplication: number;
  readonly jitterMs: number;
  readonly delayMs: number;
  readonly firstSqn: number;
  readonly rate: number;
  readonly slow: Intake | undefined;
  readonly tagged: boolean;
  readonly trouble: Trouble | undefined;
}

function drawSchedule(random: () => number): Schedule {
  const share = () => random() < 0.4 ? 0 : random() ** 2 * 0.5;
  const below = (limit: number) => Math.floor(random() * limit);
  const nodes = 2 + below(3), messages = 1 + below(60);
  const kind = (["deaf", "mute", "crash"] as const)[below(3)] ?? "crash";
  return {
    nodes,
    messages,
    largest: random() < 0.2 ? 10_000 : 300,
    loss: { data: share(), repair: share(), nak: share(), control: share() },
    burst: random() < 0.7 ? 1 : 2 + below(6),
    duplication: share(),
    jitterMs: random() < 0.5 ? 0 : random() * 5,
    delayMs: random() < 0.7 ? 0.05 : random() * 20,
    firstSqn: random() < 0.3 ? 0xffff_ffe0 : 0,
    rate: random() < 0.2 ? 2_000_000 : 100_000_000,
    slow: random() < 0.2 ? { msEach: random() * 2, buffer: 8 + below(100) } : undefined,
    tagged: random() < 0.5,
    trouble: random() < 0.3
      ? { kind, node: below(nodes), atMessage: below(messages), forMs: random() * 3_000 }
      : undefined,
  };
}

/** One schedule as it runs. */
class World {
  readonly #random: () => number;
  readonly #clock = new VirtualClock();
  readonly #network: SimulatedNetwork;
  readonly #schedule: Schedule;
  /** Those that are there, and all that ever were. */
  readonly #present: PgmNode[];
  readonly #all: PgmNode[];
  readonly #sent = new Map<PgmNode, Uint8Array[]>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#schedule = drawSchedule(this.#random);
    this.#network = new SimulatedNetwork(this.#clock);
    this.#present = Array.from({ length: this.#schedule.nodes }, (_, at) => this.#newNode(at));
    this.#all = [...this.#present];
  }

  /** Runs it all; answers whether packets were announced as lost, and how many acknowledgements told something. */
  run(): { readonly isLossy: boolean; readonly acknowledged: number } {
    const { nodes, messages, trouble } = this.#schedule;
    this.#network.faults = this.#faults();
    // Let everybody find everybody: what is sent before a source is known may be missed without a word. Whom the losses hide
    // all the same is told by its position.
    this.#present.forEach((node) => node.send(new Uint8Array()));
    this.#clock.advance(1_000);
    for (const { gsi, session } of this.#present) {
      this.#present.forEach((node) => node.startAt(gsi, session.position));
    }
    for (let i = 0; i < messages; i++) {
      if (i === trouble?.atMessage) this.#make(trouble);
      this.#send(Math.floor(this.#random() * nodes));
      if (this.#random() < 0.7) this.#clock.advance(this.#random() * 4);
    }
    this.#clock.advance(3 * TIMING.windowMs);
    // What nobody has heard of by now, the next packet tells.
    this.#network.faults = {};
    for (const node of this.#present) {
      node.send(new Uint8Array());
      // With all heartbeats in one instant, a slow node's buffer overflows each time, and by the same acknowledgements.
      this.#clock.advance(APART_MS);
    }
    this.#clock.advance(TIMING.windowMs);
    // The rest of a message that a crash cut off is waited for as long as its source is remembered.
    if (trouble?.kind === "crash") this.#clock.advance(TIMING.peerExpiryMs);
    this.#check();
    return {
      isLossy: this.#all.some(({ lost }) => lost > 0),
      acknowledged: this.#all.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    };
  }

  #newNode(at: number, gsi = at): PgmNode {
    const { firstSqn, rate, slow, tagged, nodes } = this.#schedule;
    const node = new PgmNode({
      clock: this.#clock,
      network: this.#network,
      random: this.#random,
      gsi,
      firstSqn,
      rate,
      ...(slow && at === 1 ? { intake: slow } : {}),
    });
    if (tagged) node.tag(Array.from({ length: nodes }, (_, gsi) => gsi));
    this.#sent.set(node, []);
    return node;
  }

  #faults(): Faults {
    const { loss, burst, duplication, jitterMs, delayMs } = this.#schedule, random = this.#random;
    return {
      drop: burst > 1 ? burstDropper(loss, burst, random) : dropper(loss, random),
      copies: () => random() < duplication ? 2 : 1,
      delayMs: () => delayMs + random() * jitterMs,
    };
  }

  #send(at: number): void {
    const node = this.#present[at], random = this.#random;
    const sent = node && this.#sent.get(node);
    const length = 4 + Math.floor(random() * this.#schedule.largest);
    const payload = new Uint8Array(length).fill(random() * 256);
    new DataView(payload.buffer).setUint32(0, sent?.length ?? 0);
    if (!node || !sent) return;
    equal(node.send(payload), this.#ordinalOf(node, sent.length));
    sent.push(payload);
  }

  /** The ordinal of a node's message: those that were there from the start have sent an empty one before. */
  #ordinalOf(node: PgmNode, at: number): number {
    return at + (this.#isFirst(node) ? 2 : 1);
  }

  #isFirst(node: PgmNode): boolean {
    return this.#all.indexOf(node) < this.#schedule.nodes;
  }

  #make({ kind, node: at, forMs }: Trouble): void {
    if (kind === "crash") {
      this.#present[at]?.kill();
      const again = this.#newNode(at, 100 + at);
      this.#present[at] = again;
      this.#all.push(again);
      return;
    }
    const faults = this.#network.faults, { drop } = faults;
    this.#network.faults = {
      ...faults,
      drop: (bytes, from, to) =>
        (kind === "deaf" ? to : from) === at || (drop?.(bytes, from, to) ?? false),
    };
    this.#clock.after(forMs, () => this.#network.faults = faults);
  }

  #check(): void {
    for (const node of this.#present) {
      for (const [from, sent] of this.#sent) {
        this.#checkStream(node, from, from === node ? [] : sent);
      }
      ok(node.peakBytesHeld <= LIMITS.receiveBytes, "memory is bounded");
      equal(node.bytesHeld, 0, "nothing waits for what has come or was given up");
      equal(node.counters.dropped_checksum, 0);
    }
    this.#sent.forEach((sent, source) => this.#checkAcknowledged(source, sent));
    for (const { counters: { rdata_sent, nak_sqns_received } } of this.#all) {
      ok(rdata_sent <= nak_sqns_received, "no repair that nobody asked for");
    }
  }

  /** What was acknowledged was received; in the end that is all, for those who lost nothing. */
  #checkAcknowledged(source: PgmNode, sent: readonly Uint8Array[]): void {
    for (const receiver of this.#all) {
      const ranges = source.acknowledged.filter(({ by }) => by === receiver.gsi);
      const messages = receiver.received(gsiText(source.gsi)).filter(({ length }) => length > 0);
      const received = new Set(messages.map(numberOf));
      sent.forEach((_, at) => {
        const ordinal = this.#ordinalOf(source, at);
        const isClaimed = ranges.some(({ from, through }) => from <= ordinal && ordinal <= through);
        ok(!isClaimed || received.has(at), `message ${at} was acknowledged and never received`);
      });
      const isHeard = this.#schedule.tagged && receiver !== source && this.#isFirst(receiver) &&
        [receiver, source].every((node) => this.#present.includes(node)) && receiver.lost === 0;
      // One more was sent at the end.
      if (isHeard) equal(ranges.at(-1)?.through, this.#ordinalOf(source, sent.length));
    }
  }

  /**
   * In order, each at most once, all there unless a loss was announced. Of a source that is gone, or of one that came
   * after it, the beginning or the end may be missing without a word.
   */
  #checkStream(node: PgmNode, from: PgmNode, sent: readonly Uint8Array[]): void {
    const received = node.received(gsiText(from.gsi)).filter(({ length }) => length > 0);
    const isWhole = this.#isFirst(node) && this.#isFirst(from) && this.#present.includes(from);
    const mayLack = !isWhole || node.lost > 0;
    let next = 0;
    for (const payload of received) {
      const at = numberOf(payload);
      ok(at >= next, `message ${at} comes after ${next - 1}`);
      ok(isSame(payload, sent[at]), `message ${at} is not what was sent`);
      ok(at === next || mayLack, `messages ${next} to ${at - 1} are missing without a word`);
      next = at + 1;
    }
    ok(next === sent.length || mayLack, `messages from ${next} on are missing without a word`);
  }
}

/** The number of a message among those of its source. */
function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** The length and the filling tell. */
function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return a.length === b?.length && a.at(-1) === b.at(-1);
}

/** Runs one schedule; see {@link World.run}. */
function sweep(seed: number): ReturnType<World["run"]> {
  try {
    return new World(seed).run();
  } catch (cause) {
    const replay = `SEED=${seed} deno test -A tests/backbone/pgm/sweep_test.ts`;
    throw new Error(`seed ${seed}: ${cause}\n  to run it alone: ${replay}`, { cause });
  }
}

const only = Deno.env.get("SEED");
const all = only === undefined ? seeds(4_000, 400_000) : [Number(only)];

Deno.test(`${all.length} random schedules: in order, no duplicate, nothing lost unless reported`, () => {
  const outcomes = all.map(sweep), withLosses = outcomes.filter(({ isLossy }) => isLossy).length;
  if (only === undefined) {
    ok(withLosses < all.length / 5, `${withLosses} announced losses: repair hardly works`);
    ok(outcomes.some(({ acknowledged }) => acknowledged > 0));
  }
});
