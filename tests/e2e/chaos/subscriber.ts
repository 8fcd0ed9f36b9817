/**
 * A subscriber that goes on at another node with its cursor, whatever becomes of the first.
 *
 * @module
 */
import { encodeCursor, mergeCursors, parseCursor } from "../../../relay/protocol/cursor.ts";
import type { Range } from "../../../relay/protocol/message.ts";
import type { GapReason } from "../../../relay/protocol/upstream.ts";
import type { Subscriber } from "../../support/cluster_ledger.ts";
import type { Frame, Link } from "./links.ts";
import type { ChaosNode } from "./node.ts";
import { nameIn } from "./payload.ts";
import { note, nowMs, pause, type Scene } from "./scene.ts";

/** How long one waits to be connected. */
const PATIENCE_MS = 5000;
/** Between two attempts. */
const AGAIN_MS = { least: 50, spread: 500 };
/** Who moves stays so long. */
const STAY_MS = { least: 1500, spread: 8000 };

export interface ChaosSubscriberOptions {
  readonly scene: Scene;
  readonly name: string;
  readonly channels: readonly string[];
  readonly link: Link;
  /** It comes back to this node whenever that lives; else it moves about. */
  readonly home?: ChaosNode;
}

export class ChaosSubscriber {
  readonly record: Subscriber;
  readonly #options: ChaosSubscriberOptions;
  /** By channel, as a node told it; and the ids of messages that came after it. */
  readonly #cursors = new Map<string, { text: string; readonly ids: string[] }>();
  /** Channels that the present connection has not confirmed. */
  readonly #joining = new Set<string>();
  #session: AbortController | undefined;
  #cancelTimer = () => {};
  #wasOpen = false;
  #settled = false;
  #ended = false;

  constructor(options: ChaosSubscriberOptions) {
    const { name, channels } = options;
    this.#options = options;
    this.record = { name, channels, slow: false, seen: [] };
    void this.#live();
  }

  /** Where it stands in a channel; empty before it first was connected. */
  cursorOf(channel: string): string {
    const cursor = this.#cursors.get(channel);
    if (!cursor) return "";
    if (cursor.ids.length > 0) {
      const merged = [cursor.text, ...cursor.ids.splice(0)].map(parseCursor).reduce(mergeCursors);
      cursor.text = encodeCursor(merged);
    }
    return cursor.text;
  }

  /** Breaks off, comes back, and moves no more. */
  settle(): void {
    this.#settled = true;
    this.#session?.abort();
  }

  /** Its record is complete. */
  end(): void {
    this.#ended = true;
    this.#session?.abort();
  }

  async #live(): Promise<void> {
    const { scene: { nodes, dice }, home } = this.#options;
    while (!this.#ended) {
      const node = home ?? dice.pick(nodes);
      if (node.isUp) await this.#connect(node);
      await pause(AGAIN_MS.least + dice.roll() * AGAIN_MS.spread);
    }
  }

  async #connect({ url, name }: ChaosNode): Promise<void> {
    const { channels, link } = this.#options;
    const session = this.#session = new AbortController(), { signal } = session;
    channels.forEach((channel) => this.#joining.add(channel));
    this.#after(PATIENCE_MS);
    const cursorOf = (channel: string) => this.cursorOf(channel);
    const take = (frame: Frame) => {
      this.#take(frame);
      if (this.#joining.delete(frame.channel) && this.#joining.size === 0) this.#opened(name);
    };
    await link({ url, channels, cursorOf, signal, take });
    this.#cancelTimer();
    if (this.#ended) return;
    if (this.#joining.size > 0) {
      note(this.#options.scene, this.record.name, `cannot open at ${name}`);
    }
    // Some channels may have been confirmed, and told stale, all the same.
    this.#closed(name);
  }

  #opened(node: string): void {
    const { scene, home } = this.#options;
    this.#cancelTimer();
    if (!home && !this.#settled) this.#after(STAY_MS.least + scene.dice.roll() * STAY_MS.spread);
    this.record.seen.push({ type: "opened", atMs: nowMs(), node, fresh: !this.#wasOpen });
    this.#wasOpen = true;
    note(scene, this.record.name, `opens at ${node}`);
  }

  #closed(node: string): void {
    this.record.seen.push({ type: "closed", atMs: nowMs() });
    note(this.#options.scene, this.record.name, `has left ${node}`);
  }

  /** Breaks off after a while. */
  #after(ms: number): void {
    const timer = setTimeout(() => this.#session?.abort(), ms);
    this.#cancelTimer = () => clearTimeout(timer);
  }

  #take({ op, channel, cursor, ...frame }: Frame): void {
    const { seen, name } = this.record, atMs = nowMs();
    if (typeof cursor === "string") this.#cursors.set(channel, { text: cursor, ids: [] });
    if (op === "message") {
      const id = String(frame.id), data = nameIn(String(frame.data));
      seen.push({ type: "message", atMs, id, channel, data, cursorChars: 0 });
      this.#cursors.get(channel)?.ids.push(id);
    } else if (op === "gap") {
      const reason = frame.reason as GapReason, missing = frame.missing as Range[];
      seen.push({ type: "gap", atMs, channel, reason, missing });
      note(this.#options.scene, name, `misses ${channel} ${reason} ${JSON.stringify(missing)}`);
    } else if (op === "stale" || op === "fresh") {
      seen.push({ type: op, atMs, channel });
      note(this.#options.scene, name, `is ${op} on ${channel}`);
    } else if (op === "error") note(this.#options.scene, name, JSON.stringify(frame));
  }
}
