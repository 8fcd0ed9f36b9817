/**
 * `deno task bench:latency [--json]`: what the relay adds to the time from a publish to its arrival.
 *
 * One subscriber, 1000 messages a second, 128 bytes: through a bare `Deno.serve` stream, through one node, and across
 * two nodes on loopback. The servers are processes of their own; publisher and subscriber share this one and its clock.
 * A latency runs from just before the POST is written to the event being parsed. The three take turns, and of
 * several rounds the median counts, so that a neighbour's load meets all of them.
 *
 * @module
 */
import {
  freeGroupPort,
  type ServerProcess,
  startNode,
  startServer,
} from "../tests/support/node_process.ts";
import { median, quantile } from "./bench/quantiles.ts";
import { Publisher, readEvents } from "./bench/raw_http.ts";

const MESSAGES_PER_S = 1000;
const BYTES = 128;
const ROUNDS = 9;
const ROUND_MESSAGES = 1000;
/** What is still missing this long after the last publish is lost. */
const GRACE_MS = 2000;

/** In milliseconds over bare at p50. */
const AIMS: Readonly<Record<string, number>> = { same_node: 0.1, across: 0.2 };

interface Route {
  readonly name: string;
  readonly publish: URL;
  readonly subscribe: URL;
}

interface Latency {
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** One round on one route. @throws {Error} if a message does not arrive. */
async function measure(route: Route, messages: number): Promise<Latency> {
  const sentMs = new Float64Array(messages), latencies: number[] = [];
  const complete = Promise.withResolvers<void>();
  const stop = await readEvents(route.subscribe, (data) => {
    latencies.push(performance.now() - (sentMs[parseInt(data, 10)] ?? NaN));
    if (latencies.length === messages) complete.resolve();
  });
  const publisher = await Publisher.open(route.publish);
  const startedMs = performance.now();
  for (let n = 0; n < messages; n++) {
    const waitMs = startedMs + n * 1000 / MESSAGES_PER_S - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const body = String(n).padEnd(BYTES, ".");
    sentMs[n] = performance.now();
    await publisher.post(body);
  }
  const late = setTimeout(() => {
    complete.reject(new Error(`${route.name}: ${messages - latencies.length} messages lost`));
  }, GRACE_MS);
  await complete.promise.finally(() => clearTimeout(late));
  publisher.close();
  stop();
  latencies.sort((a, b) => a - b);
  return { p50_ms: quantile(latencies, 0.5), p99_ms: quantile(latencies, 0.99) };
}

/** All rounds, the routes in turn and each round from another one on. */
async function measureAll(routes: readonly Route[]): Promise<Map<string, Latency>> {
  const rounds = new Map<string, Latency[]>(routes.map(({ name }) => [name, []]));
  for (const route of routes) await measure(route, ROUND_MESSAGES);
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < routes.length; turn++) {
      const route = routes[(round + turn) % routes.length];
      if (route) rounds.get(route.name)?.push(await measure(route, ROUND_MESSAGES));
    }
  }
  return new Map([...rounds].map(([name, latencies]) => [name, {
    p50_ms: median(latencies.map(({ p50_ms }) => p50_ms)),
    p99_ms: median(latencies.map(({ p99_ms }) => p99_ms)),
  }]));
}

function routesOf([bare, one, other]: readonly [string, string, string]): Route[] {
  // A channel each: the node across stays in a group for minutes, and its acknowledgements would reach the other route.
  const route = (name: string, from: string, to: string): Route => ({
    name,
    publish: new URL(`${from}/publish/bench/${name}`),
    subscribe: new URL(`${to}/sse?channel=bench/${name}`),
  });
  return [route("bare", bare, bare), route("same_node", one, one), route("across", one, other)];
}

function report(results: ReadonlyMap<string, Latency>, json: boolean): string {
  const bare = results.get("bare") ?? { p50_ms: NaN, p99_ms: NaN };
  const rows = [...results].map(([name, { p50_ms, p99_ms }]) => ({
    name,
    p50_ms: round(p50_ms),
    p99_ms: round(p99_ms),
    over_bare_p50_ms: round(p50_ms - bare.p50_ms),
    over_bare_p99_ms: round(p99_ms - bare.p99_ms),
  }));
  if (json) {
    const routes = Object.fromEntries(rows.map(({ name, ...figures }) => [name, figures]));
    return JSON.stringify({
      messages_per_s: MESSAGES_PER_S,
      bytes: BYTES,
      rounds: ROUNDS,
      ...routes,
    });
  }
  const line = (...cells: string[]) =>
    cells.map((cell, i) => i === 0 ? cell.padEnd(12) : cell.padStart(12)).join("");
  return [
    `1 subscriber, ${MESSAGES_PER_S} msg/s, ${BYTES} B, median of ${ROUNDS} rounds, ms`,
    line("", "p50", "p99", "over bare", "p99", "aim"),
    ...rows.map((row) =>
      line(
        row.name.replace("_", " "),
        row.p50_ms.toFixed(3),
        row.p99_ms.toFixed(3),
        ...row.name === "bare" ? [] : [
          row.over_bare_p50_ms.toFixed(3),
          row.over_bare_p99_ms.toFixed(3),
          `< ${AIMS[row.name]}`,
        ],
      )
    ),
  ].join("\n");
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    console.error(`unknown argument ${unknown}; usage: deno task bench:latency [--json]`);
    return 2;
  }
  const cluster = ["dev", "--port", "0", "--group-port", String(freeGroupPort())];
  const servers: ServerProcess[] = [];
  try {
    servers.push(await startServer("scripts/bench/bare_stream.ts"));
    servers.push(await startNode(...cluster), await startNode(...cluster));
    const [bare, one, other] = servers.map(({ url }) => url.replace("localhost", "127.0.0.1"));
    const results = await measureAll(routesOf([bare ?? "", one ?? "", other ?? ""]));
    console.log(report(results, json));
    return 0;
  } finally {
    await Promise.all(servers.map((server) => server.end("SIGKILL")));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
