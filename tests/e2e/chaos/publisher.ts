/**
 * Publishes at one node all along: single messages and batches, with levels, keys, and answers to what a subscriber saw.
 *
 * @module
 */
import { parseCursor } from "../../../relay/protocol/cursor.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import type { AckLevel } from "../../../relay/protocol/upstream.ts";
import type { Publish } from "../../support/cluster_ledger.ts";
import type { ChaosNode } from "./node.ts";
import { filled } from "./payload.ts";
import { CHANNELS, note, nowMs, pause, type Scene } from "./scene.ts";

/** No answer comes later than this. */
const PATIENCE_MS = 15_000;
/** Publishes under way at most. */
const IN_FLIGHT = 50;
const BATCH = 8;
/** A keyed publish without a good answer is tried again elsewhere. */
const RETRY_MS = 4000;
const TRIES = 3;

/** What a publish asks for beyond its channel. */
interface Wish {
  readonly channel: string;
  readonly name: string;
  readonly length: number;
  readonly ack?: AckLevel;
  readonly key?: string;
  readonly order?: "total";
  /** A cursor. */
  readonly after?: string;
}

/** One answer, or one of a batch (INTERFACE). */
interface Answer {
  readonly id?: string;
  readonly ack?: AckLevel;
  readonly error?: { readonly code: string };
}

export class ChaosPublisher {
  readonly #scene: Scene;
  readonly #node: ChaosNode;
  readonly #perS: number;
  readonly #running = new Set<Promise<void>>();
  #done: Promise<void> | undefined;
  #ended = false;
  #count = 0;

  constructor(scene: Scene, node: ChaosNode, perS: number) {
    this.#scene = scene;
    this.#node = node;
    this.#perS = perS;
  }

  start(): void {
    this.#done = this.#live();
  }

  /** Publishes so many at once; nobody waits for the answers. */
  burst(count: number): void {
    for (let i = 0; i < count; i++) this.#run(this.#publish(this.#wish(), this.#node, 1));
  }

  /** Resolves when all is answered. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
    await Promise.all(this.#running);
  }

  async #live(): Promise<void> {
    const { dice } = this.#scene;
    while (!this.#ended) {
      await pause(2000 * dice.roll() / this.#perS);
      if (this.#running.size >= IN_FLIGHT || !this.#node.isUp) continue;
      if (dice.chance(0.02)) this.#run(this.#publishBatch());
      else this.#run(this.#publish(this.#wish(), this.#node, TRIES));
    }
  }

  #run(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  #wish(): Wish {
    const { dice, subscribers } = this.#scene;
    const channel = dice.pick(CHANNELS), name = `${this.#node.name}:${++this.#count}`;
    const length = dice.pick([20, 100, 100, 100, 100, 100, 1000, 3000, 3000, 30_000]);
    const ack = dice.pick([undefined, undefined, "accepted", "replicated"] as const);
    const after = dice.chance(0.2) ? dice.pick(subscribers).cursorOf(channel) : "";
    return {
      ...{ channel, name, length },
      ...ack ? { ack } : {},
      ...dice.chance(0.1) ? { key: name } : dice.chance(0.05) ? { order: "total" } : {},
      ...after === "" ? {} : { after },
    };
  }

  async #publish(wish: Wish, node: ChaosNode, tries: number): Promise<void> {
    const { name, length, ...options } = wish;
    const publish = this.#begin(wish, node);
    const body = filled(name, length), query = new URLSearchParams(Object.entries(options));
    const answer = await this.#post(`${node.url}/publish?${query}`, body, "text/plain");
    this.#answered(publish, answer);
    if (wish.key === undefined || answer?.id !== undefined || tries === 1) return;
    await pause(RETRY_MS);
    if (!this.#ended) {
      await this.#publish(wish, this.#scene.dice.pick(this.#scene.nodes), tries - 1);
    }
  }

  async #publishBatch(): Promise<void> {
    const wishes = Array.from({ length: BATCH }, () => this.#wish());
    const publishes = wishes.map((wish) => this.#begin(wish, this.#node));
    const messages = wishes.map(({ name, length, ...options }) => {
      return { ...options, data: filled(name, length) };
    });
    const body = JSON.stringify({ messages });
    const answer = await this.#post(`${this.#node.url}/publish`, body, "application/json");
    const { results = [] } = (answer ?? {}) as { readonly results?: readonly Answer[] };
    publishes.forEach((publish, i) => this.#answered(publish, results[i] ?? answer));
  }

  #begin({ name: data, channel, key, order, after }: Wish, { name: node }: ChaosNode): Publish {
    const positions = after && parseCursor(after).slots.get(slotOf(channel));
    const publish: Publish = {
      ...{ data, channel, node, atMs: nowMs() },
      ...key === undefined ? {} : { key },
      ...order ? { order } : {},
      ...positions ? { after: positions } : {},
    };
    this.#scene.ledger.publishes.push(publish);
    return publish;
  }

  /** Undefined if the connection was lost. */
  async #post(url: string, body: string, type: string): Promise<Answer | undefined> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      const headers = { "content-type": type };
      const response = await fetch(url, { method: "POST", body, headers, signal });
      return await response.json();
    } catch {
      return signal.aborted ? { error: { code: "no answer" } } : undefined;
    }
  }

  #answered(publish: Publish, answer: Answer | undefined): void {
    const atMs = nowMs(), { id, ack: level, error } = answer ?? {};
    if (error) publish.answer = { atMs, code: error.code };
    else if (id !== undefined && level !== undefined) publish.answer = { atMs, id, level };
    const { data, channel, node, after } = publish;
    const follows = after ? ` after ${JSON.stringify([...after])}` : "";
    const asked = (atMs - publish.atMs).toFixed(0);
    const said = error?.code ?? (id === undefined ? "nothing" : `${id} ${level}`);
    note(this.#scene, node, `answers ${data} on ${channel}${follows} in ${asked} ms: ${said}`);
  }
}
