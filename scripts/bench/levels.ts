/**
 * What `replicated` costs over `accepted`: the time from a POST to its answer, one after the other, over one connection.
 *
 * @module
 */
import { median, quantile } from "./quantiles.ts";
import { Publisher } from "./raw_http.ts";

const ROUNDS = 9;
const ROUND_PUBLISHES = 1000;
const BYTES = 128;
/** Custodians find each other and sync within this. */
const READY_MS = 10_000;

const LEVELS = ["accepted", "replicated"] as const;
type Level = (typeof LEVELS)[number];

/** Milliseconds from a POST to its answer. */
export interface LevelFigures {
  readonly accepted_p50_ms: number;
  readonly replicated_p50_ms: number;
  readonly accepted_p99_ms: number;
  readonly replicated_p99_ms: number;
}

/** The levels take turns, so that a neighbour's load meets both; of several rounds the median counts. */
export async function measureLevels(node: string): Promise<LevelFigures> {
  await untilReplicated(node);
  const p50: Record<Level, number[]> = { accepted: [], replicated: [] };
  const p99: Record<Level, number[]> = { accepted: [], replicated: [] };
  for (const level of LEVELS) await measure(node, level);
  for (let round = 0; round < ROUNDS; round++) {
    for (const level of round % 2 ? LEVELS : LEVELS.toReversed()) {
      const times = await measure(node, level);
      p50[level].push(quantile(times, 0.5));
      p99[level].push(quantile(times, 0.99));
    }
  }
  return {
    accepted_p50_ms: median(p50.accepted),
    replicated_p50_ms: median(p50.replicated),
    accepted_p99_ms: median(p99.accepted),
    replicated_p99_ms: median(p99.replicated),
  };
}

/** One round, its times ascending. */
async function measure(node: string, level: Level): Promise<number[]> {
  const publisher = await Publisher.open(new URL(`${node}/publish/bench?ack=${level}`));
  const body = "x".repeat(BYTES), times: number[] = [];
  try {
    for (let n = 0; n < ROUND_PUBLISHES; n++) {
      const sentMs = performance.now();
      await publisher.post(body);
      times.push(performance.now() - sentMs);
    }
  } finally {
    publisher.close();
  }
  return times.sort((a, b) => a - b);
}

/** @throws {Error} if the node finds no custodian. */
async function untilReplicated(node: string): Promise<void> {
  const endMs = performance.now() + READY_MS;
  for (;;) {
    const response = await fetch(`${node}/publish/bench?ack=replicated`, {
      method: "POST",
      body: "x",
    });
    const answer = await response.text();
    if (response.ok) return;
    if (performance.now() > endMs) throw new Error(`no custodian in time: ${answer}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
