/**
 * What a publish costs its relay, by how many others hear it: multicast leaves once, whoever hears.
 *
 * @module
 */
import { freeGroupPort, type ServerProcess } from "../../tests/support/node_process.ts";
import type { AckLevel } from "../../relay/protocol/upstream.ts";
import type { Place } from "../../tests/interop/peers.ts";
import { shell } from "../lan/shell.ts";
import type { Host } from "../lan/host.ts";
import { startNodeAt } from "./place.ts";
import { median } from "./quantiles.ts";
import { Publisher } from "./raw_http.ts";
import { openSocket, type RawSocket } from "./raw_socket.ts";

interface Load {
  readonly ack: AckLevel;
  /** Messages a second. */
  readonly perS: number;
}

/** Where processors are short, messages share packets, however many relays hear them: the lowest rate tells most. */
const LOADS: readonly Load[] = [
  { ack: "accepted", perS: 250 },
  { ack: "accepted", perS: 1000 },
  { ack: "replicated", perS: 250 },
  { ack: "replicated", perS: 1000 },
];
/** Of each. Even so it takes a publisher only some hundred ticks of CPU time, a tenth of which is chance: hence the rounds. */
const LOAD_S = 8;
const ROUNDS = 3;
const BYTES = 128;
/** Spread over the groups, so that every relay keeps some of them. */
const CHANNELS = Array.from({ length: 64 }, (_, n) => `channel${n}`);
/** Custodians find each other and fetch what they keep within this. */
const SETTLE_MS = 4000;
/** Linux counts CPU time in hundredths of a second. */
const TICK_US = 10_000;

/** What one message costs its publisher. */
export interface Growth {
  /** Relays that hear it. */
  readonly relays: number;
  /** What its publishers wait for. */
  readonly ack: AckLevel;
  /** Messages a second. */
  readonly per_s: number;
  readonly user_cpu_us: number;
  /** UDP datagrams; null where others share the network. */
  readonly sent_packets: number | null;
  readonly received_packets: number | null;
}

/** Publishes for so many others, in turn, so that a neighbour's load meets all; of several rounds the medians count. */
export async function growth(
  places: readonly Place[],
  relays: readonly number[],
): Promise<Growth[]> {
  const rounds: Growth[][] = [];
  while (rounds.length < ROUNDS) {
    const round: Growth[] = [];
    for (const count of relays) round.push(...await costsOf(places, count));
    rounds.push(round);
  }
  return (rounds[0] ?? []).map((row, at) => {
    const of = (figure: "user_cpu_us" | "sent_packets" | "received_packets") =>
      median(rounds.map((round) => round[at]?.[figure] ?? NaN));
    const packets = { sent_packets: of("sent_packets"), received_packets: of("received_packets") };
    return { ...row, user_cpu_us: of("user_cpu_us"), ...row.sent_packets === null ? {} : packets };
  });
}

/** Publishes at the first place single messages, at several rates, for subscribers at each of `relays` others. */
async function costsOf(places: readonly Place[], relays: number): Promise<Growth[]> {
  const groupPort = freeGroupPort(), [first, ...others] = places.slice(0, relays + 1);
  if (first === undefined) throw new Error("nowhere to publish");
  const nodes: ServerProcess[] = [], sockets: RawSocket[] = [];
  try {
    const publisher = await startNodeAt(first, groupPort);
    nodes.push(publisher);
    for (const place of others) nodes.push(await startNodeAt(place, groupPort));
    for (const { url } of nodes.slice(1)) sockets.push(await hear(url));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const rows: Growth[] = [];
    for (const load of LOADS) {
      const before = costs(publisher.pid, first);
      await publishAll(publisher.url, load);
      const { ack, perS } = load;
      const each = perMessage(before, costs(publisher.pid, first), LOAD_S * perS);
      rows.push({ relays, ack, per_s: perS, ...each });
    }
    return rows;
  } finally {
    for (const socket of sockets) socket.close();
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  }
}

function hear(node: string): Promise<RawSocket> {
  const query = new URLSearchParams(CHANNELS.map((channel) => ["channel", channel]));
  return openSocket(new URL(`${reach(node)}/ws?${query}`), () => {});
}

async function publishAll(node: string, { ack, perS }: Load): Promise<void> {
  const publishers = await Promise.all(
    CHANNELS.map((channel) =>
      Publisher.open(new URL(`${reach(node)}/publish/${channel}?ack=${ack}`))
    ),
  );
  const startMs = performance.now(), body = "x".repeat(BYTES);
  const posts = publishers.map(() => Promise.resolve());
  for (let n = 0; n < LOAD_S * perS; n++) {
    const at = n % publishers.length, waitMs = startMs + n * 1000 / perS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    await posts[at];
    posts[at] = publishers[at]?.post(body) ?? Promise.resolve();
  }
  await Promise.all(posts);
  for (const publisher of publishers) publisher.close();
}

interface Costs {
  readonly userTicks: number;
  readonly sent: number;
  readonly received: number;
  readonly isOwn: boolean;
}

/** So far: CPU of the process, packets of the place. */
function costs(pid: number, place: Place): Costs {
  // proc(5): after the name in parentheses, utime is the twelfth field.
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  const isOwn = "name" in place;
  const udp = isOwn ? udpOf(place as Host) : [];
  return {
    userTicks: Number(stat[11]),
    received: Number(udp[1]),
    sent: Number(udp[4]),
    isOwn,
  };
}

/** The second of the lines that begin with `Udp:` has the figures: in, no port, errors, out. */
function udpOf({ name }: Host): readonly string[] {
  const snmp = shell(`ip netns exec ${name} cat /proc/net/snmp`);
  return snmp.split("\n").filter((line) => line.startsWith("Udp:"))[1]?.split(" ") ?? [];
}

function perMessage(
  before: Costs,
  after: Costs,
  messages: number,
): Omit<Growth, "relays" | "ack" | "per_s"> {
  const each = (from: number, to: number) => (to - from) / messages;
  return {
    user_cpu_us: each(before.userTicks, after.userTicks) * TICK_US,
    sent_packets: after.isOwn ? each(before.sent, after.sent) : null,
    received_packets: after.isOwn ? each(before.received, after.received) : null,
  };
}

function reach(url: string): string {
  return url.replace("localhost", "127.0.0.1");
}
