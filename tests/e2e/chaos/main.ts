/**
 * A chaos run, as a program on one host of a lab: it starts a node on every other host, publishes and subscribes at all
 * of them, breaks what can break, and judges what publishers and subscribers saw. Its one argument is a {@link ChaosPlan};
 * it prints a {@link ChaosReport}.
 *
 * @module
 */
import { Host, type HostOptions } from "../../../scripts/lan/host.ts";
import { parseCursor } from "../../../relay/protocol/cursor.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { judge } from "../../support/cluster_checker.ts";
import { Dice } from "../../support/cluster_dice.ts";
import { newLedger } from "../../support/cluster_ledger.ts";
import { tell } from "../../support/cluster_violation.ts";
import { seededRandom } from "../../support/random.ts";
import { startRedis } from "../../support/redis_server.ts";
import { ChaosFaults } from "./faults.ts";
import { bySse, byWebSocket } from "./links.ts";
import { ChaosNode } from "./node.ts";
import { ChaosPublisher } from "./publisher.ts";
import { CHANNELS, note, nowMs, pause, type Scene } from "./scene.ts";
import { ChaosSubscriber } from "./subscriber.ts";

export interface ChaosPlan {
  readonly seed: number;
  /** How long things go wrong. */
  readonly forMs: number;
  /** Messages a second at each node. */
  readonly perS: number;
  /** Of what arrives at each node by multicast, in percent. */
  readonly loss: number;
  /** Where the program itself and Redis run. */
  readonly clients: HostOptions;
  readonly nodes: readonly HostOptions[];
}

export interface ChaosReport {
  readonly violations: readonly string[];
  /** What happened, a line each. */
  readonly trace: readonly string[];
  readonly published: number;
  readonly replicated: number;
  readonly delivered: number;
  readonly gaps: number;
  readonly stale: number;
  /** How often each kind of thing went wrong. */
  readonly faults: Readonly<Record<string, number>>;
}

const GROUP_PORT = 3055, GROUPS = 8;
/** INTERFACE "Limits". */
const RETENTION = { maxCount: 1000, maxAgeMs: 300_000 };
const MOVERS = 6;
/** Nobody publishes for so long, and everybody has all: then everybody moves once more. */
const QUIET_MS = 8000, MOVED_MS = 4000;

async function run({ seed, forMs, perS, loss, ...hosts }: ChaosPlan): Promise<ChaosReport> {
  const clients = new Host(hosts.clients);
  const listen = ["--bind", clients.address, "127.0.0.1", "--protected-mode", "no"];
  const redis = await startRedis(listen);
  const trace: string[] = [], subscribers: ChaosSubscriber[] = [];
  const nodes = hosts.nodes.map((options, i) => {
    const name = `n${i}`, url = `redis://${clients.address}:${redis.port}`;
    const noted = (line: string) => note({ trace }, name, line);
    return new ChaosNode({
      host: new Host(options),
      name,
      redis: url,
      groups: GROUPS,
      note: noted,
    });
  });
  const dice = new Dice(seededRandom(seed)), ledger = newLedger(RETENTION);
  const publishers: ChaosPublisher[] = [];
  const scene: Scene = { nodes, subscribers, publishers, dice, ledger, trace };
  for (const { host } of nodes) host.lose(loss, GROUP_PORT);
  await Promise.all(nodes.map((node) => node.start()));
  const faults = new ChaosFaults(scene, clients, redis);
  await faults.whole();
  subscribe(scene);
  await pause(1000);
  publishers.push(...nodes.map((node) => new ChaosPublisher(scene, node, perS)));
  for (const publisher of publishers) publisher.start();
  const failures: string[] = [];
  await faults.run(forMs).catch((error) => failures.push(String(error)));
  await Promise.all(publishers.map((publisher) => publisher.end()));
  await settle(scene);
  await faults.close();
  return report(scene, failures);
}

/** One that stays at each node, and some that move. */
function subscribe(scene: Scene): void {
  const { nodes, subscribers, ledger, dice } = scene;
  const add = (channels: readonly string[], home?: ChaosNode) => {
    const name = `s${subscribers.length}`, link = subscribers.length % 2 ? byWebSocket : bySse;
    // A WebSocket goes on in each channel by itself, in no order between them.
    const apart = link === bySse
      ? channels
      : [...new Map(channels.map((c) => [slotOf(c), c])).values()];
    const options = { scene, name, channels: apart, link };
    const subscriber = new ChaosSubscriber(home ? { ...options, home } : options);
    subscribers.push(subscriber);
    ledger.subscribers.push(subscriber.record);
  };
  for (const node of nodes) add(CHANNELS, node);
  for (let i = 0; i < MOVERS; i++) {
    const some = CHANNELS.filter(() => dice.chance(0.4));
    add(some.length > 0 ? some : CHANNELS);
  }
}

/** Publishers have stopped: nobody may need traffic to get what is there. */
async function settle(scene: Scene): Promise<void> {
  const { nodes, subscribers, ledger } = scene;
  note(scene, "lan", "is quiet");
  await pause(QUIET_MS);
  note(scene, "lan", "everybody moves");
  for (const subscriber of subscribers) subscriber.settle();
  await pause(MOVED_MS);
  ledger.endMs = nowMs();
  for (const subscriber of subscribers) subscriber.end();
  for (const node of nodes) {
    await node.isWhole(nodes.length);
    ledger.fetches.push({ node: node.name, messages: node.fetched });
    for (const channel of CHANNELS) {
      const { ids, cursor } = await node.history(channel);
      const vector = parseCursor(cursor).slots.get(slotOf(channel)) ?? new Map();
      ledger.stands.push({ node: node.name, channel, hears: true, ids, vector });
    }
  }
}

function report({ ledger, trace }: Scene, failures: readonly string[]): ChaosReport {
  const violations = [...failures, ...judge(ledger).map(tell)];
  const seen = ledger.subscribers.flatMap((subscriber) => subscriber.seen);
  const count = (wanted: string) => seen.filter(({ type }) => type === wanted).length;
  const kinds = Map.groupBy(ledger.faults, ({ kind }) => kind);
  return {
    violations,
    trace,
    published: ledger.publishes.length,
    replicated:
      ledger.publishes.filter(({ answer }) =>
        answer && "level" in answer && answer.level !== "accepted"
      )
        .length,
    delivered: count("message"),
    gaps: count("gap"),
    stale: count("stale"),
    faults: Object.fromEntries([...kinds].map(([kind, all]) => [kind, all.length])),
  };
}

if (import.meta.main) {
  const found = await run(JSON.parse(Deno.args[0] ?? ""));
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(found)));
  // Nodes and Redis end with the lab.
  Deno.exit(0);
}
