/**
 * What the cluster bench measures of one system: from a POST at one server to a subscriber at another.
 *
 * @module
 */
import { quantile } from "./quantiles.ts";
import { Publisher } from "./raw_http.ts";
import { ByteCounter, FrameReader, type RawSocket } from "./raw_socket.ts";
import type { System } from "./systems.ts";

const BYTES = 128;
/** The last byte of each message's data, and nowhere else. */
const MARK = "~".charCodeAt(0);

const PACE = { messages: 1000, perS: 1000 };
/** How long a throughput is measured. */
const RUN_MS = 3000;
/** Connections that post one after the other, and the channels that they take turns on. */
const POSTERS = 32, CHANNELS = 16;
const BATCH = { posters: 16, messages: 100 };
const FAN = { subscribers: 1000, inFlight: 32, openAtOnce: 20 };
/** Messages on their way at most: a channel keeps a thousand for a subscriber that is slower than its publishers. */
const WINDOW = CHANNELS * 250;
/** What is not there this long after the last publish is lost. */
const GRACE_MS = 20_000;

/** Milliseconds from a POST to its arrival at p50, one message each millisecond. @throws {Error} if one is lost. */
export async function latency(system: System): Promise<number> {
  const { messages, perS } = PACE, sentMs = new Float64Array(messages), times: number[] = [];
  const arrivals = new Arrivals();
  const reader = new FrameReader((frame) => {
    for (const data of system.dataIn(frame)) {
      times.push(performance.now() - (sentMs[parseInt(data, 10)] ?? NaN));
    }
    arrivals.count = times.length;
  });
  const socket = await system.subscribe(["latency"], (bytes) => reader.push(bytes));
  const publisher = await Publisher.open(system.publishTo("latency"));
  const startedMs = performance.now();
  for (let n = 0; n < messages; n++) {
    const waitMs = startedMs + n * 1000 / perS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const body = dataOf(n);
    sentMs[n] = performance.now();
    await publisher.post(body);
  }
  await arrivals.reach(messages);
  publisher.close();
  socket.close();
  return quantile(times.sort((a, b) => a - b), 0.5);
}

/** Messages a second by single POSTs, to the last one's arrival. @throws {Error} if one is lost. */
export function singles(system: System): Promise<number> {
  let n = 0;
  return throughput(system, POSTERS, (poster) => ({
    url: system.publishTo(`channel${poster % CHANNELS}`),
    type: "text/plain",
    body: () => dataOf(n++),
    messages: 1,
  }));
}

/** The same by batches. */
export function batches(system: System): Promise<number> {
  return batchesTo(system, system.batchTo);
}

/** The same, each batch answered when both servers hold it; undefined where that cannot be had. */
export function replicatedBatches(system: System): Promise<number> | undefined {
  return system.replicatedBatchTo && batchesTo(system, system.replicatedBatchTo);
}

function batchesTo(system: System, url: URL): Promise<number> {
  const messages = Array.from({ length: BATCH.messages }, (_, n) => {
    return { channel: `channel${n % CHANNELS}`, data: dataOf(n) };
  });
  const body = JSON.stringify({ messages });
  return throughput(system, BATCH.posters, () => ({
    url,
    type: "application/json",
    body: () => body,
    messages: messages.length,
  }));
}

/** Deliveries a second to many subscribers of one channel, each publish as soon as one before has reached all of them. */
export async function deliveries(system: System): Promise<number> {
  const { subscribers, inFlight } = FAN, arrivals = new Arrivals();
  const sockets = await openMany(system, arrivals);
  const startMs = performance.now();
  let published = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    const publisher = await Publisher.open(system.publishTo("fan"));
    while (performance.now() < startMs + RUN_MS) {
      const n = published++;
      await publisher.post(dataOf(n));
      await arrivals.reach((n + 1) * subscribers);
    }
    publisher.close();
  }));
  const tookS = (performance.now() - startMs) / 1000;
  for (const socket of sockets) socket.close();
  return arrivals.count / tookS;
}

async function openMany(system: System, arrivals: Arrivals): Promise<RawSocket[]> {
  const sockets: RawSocket[] = [];
  const open = () => {
    const counter = new ByteCounter(MARK, (times) => void (arrivals.count += times));
    return system.subscribe(["fan"], (bytes) => counter.push(bytes));
  };
  while (sockets.length < FAN.subscribers) {
    const some = Array.from({ length: FAN.openAtOnce }, open);
    sockets.push(...await Promise.all(some));
  }
  return sockets;
}

interface Load {
  readonly url: URL;
  readonly type: string;
  readonly body: () => string;
  /** In each body. */
  readonly messages: number;
}

async function throughput(
  system: System,
  posters: number,
  loadOf: (poster: number) => Load,
): Promise<number> {
  const arrivals = new Arrivals();
  const channels = Array.from({ length: CHANNELS }, (_, n) => `channel${n}`);
  const counter = new ByteCounter(MARK, (times) => void (arrivals.count += times));
  const socket = await system.subscribe(channels, (bytes) => counter.push(bytes));
  const startMs = performance.now();
  let published = 0;
  await Promise.all(Array.from({ length: posters }, async (_, poster) => {
    const { url, type, body, messages } = loadOf(poster);
    const publisher = await Publisher.open(url, type);
    while (performance.now() < startMs + RUN_MS) {
      published += messages;
      await publisher.post(body());
      await arrivals.reach(published - WINDOW);
    }
    publisher.close();
  }));
  await arrivals.reach(published);
  const tookS = (performance.now() - startMs) / 1000;
  socket.close();
  return published / tookS;
}

function dataOf(n: number): string {
  return `${String(n).padEnd(BYTES - 1, ".")}~`;
}

/** Counts what arrives, for those who wait for it. */
class Arrivals {
  #count = 0;
  readonly #waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();

  get count(): number {
    return this.#count;
  }

  set count(count: number) {
    this.#count = count;
    for (const waiter of this.#waiting) if (waiter.count <= count) waiter.resolve();
  }

  /** @throws {Error} if it takes too long. */
  async reach(count: number): Promise<void> {
    if (this.#count >= count) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(
      () => reject(new Error(`${this.#count} of ${count} messages arrived, and no more`)),
      GRACE_MS,
    );
    const waiter = { count, resolve };
    this.#waiting.add(waiter);
    await promise.finally(() => {
      clearTimeout(late);
      this.#waiting.delete(waiter);
    });
  }
}
