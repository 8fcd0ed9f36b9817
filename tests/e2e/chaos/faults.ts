/**
 * What goes wrong in a chaos run: one thing after the other, each after what the one before left on one node is on two
 * again; and Redis meanwhile.
 *
 * @module
 */
import type { Cut, Host } from "../../../scripts/lan/host.ts";
import type { Fault } from "../../support/cluster_ledger.ts";
import { eventually } from "../../support/eventually.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import type { ChaosNode } from "./node.ts";
import { note, nowMs, pause, type Scene } from "./scene.ts";

const CUT_MS = 5000;
const PAUSE_MS = 2500;
const REDIS_DOWN_MS = 3000;
const LAST_WORDS = 20, LAST_WORDS_MS = 300;
/** A node is down for up to so long. */
const DOWN_MS = 4000;
/** Whole is what looks so each time, so long apart: a node that has just died is still in the others' views. */
const LOOKS = 4, LOOK_MS = 600;
const WHOLE_MS = 60_000;

/** Mostly nodes crash; each so many turns something else happens, of these one after the other. */
const OTHERS = ["cut", "deaf", "pause", "mute"] as const, OTHER_TURN = 3, TURNS = 8;
type Kind = "crash" | typeof OTHERS[number];

export class ChaosFaults {
  readonly #scene: Scene;
  readonly #clients: Host;
  #redis: RedisServer;

  /** @param clients the host of publishers, subscribers and Redis, which no cut keeps from the nodes. */
  constructor(scene: Scene, clients: Host, redis: RedisServer) {
    this.#scene = scene;
    this.#clients = clients;
    this.#redis = redis;
  }

  /** Breaks and mends for so long, and until all is whole again. */
  async run(forMs: number): Promise<void> {
    const endMs = nowMs() + forMs, { dice } = this.#scene;
    const redis = this.#breakRedis(endMs);
    for (let turn = 0; nowMs() < endMs; turn++) {
      await this.#break(kindOf(turn));
      await this.whole();
      await pause(dice.roll() * 1000);
    }
    await redis;
  }

  /** Resolves when two nodes keep every group, as every node sees it. */
  async whole(): Promise<void> {
    const { nodes, ledger } = this.#scene;
    let looks = 0;
    const looksWhole = async () => {
      await pause(LOOK_MS);
      const wholes = await Promise.all(nodes.map((node) => node.isWhole(nodes.length)));
      looks = wholes.every((whole) => whole) ? looks + 1 : 0;
      return looks === LOOKS;
    };
    await eventually(looksWhole, "all groups on two nodes", WHOLE_MS);
    ledger.wholeMs.push(nowMs());
    note(this.#scene, "lan", "is whole");
  }

  /** Ends Redis. */
  async close(): Promise<void> {
    await this.#redis.stop();
  }

  async #break(kind: Kind): Promise<void> {
    if (kind === "crash") await this.#crash();
    else if (kind === "pause") await this.#pause();
    else await this.#cut(kind === "cut" ? "both" : kind);
  }

  async #crash(): Promise<void> {
    const { dice, nodes, ledger } = this.#scene, node = dice.pick(nodes);
    if (dice.chance(0.5)) await this.#lastWords(node);
    const fault = this.#fault("crash", node.name);
    await node.kill();
    ledger.fetches.push({ node: node.name, messages: node.fetched });
    node.host.mend();
    fault.toMs = nowMs();
    await pause(dice.roll() * DOWN_MS);
    await node.start();
  }

  /** Its network goes a little before it does: what it takes meanwhile is nowhere else, and may not be called replicated. */
  async #lastWords(node: ChaosNode): Promise<void> {
    const { nodes, publishers } = this.#scene;
    note(this.#scene, node.name, "is not heard");
    node.host.cut("mute", this.#clients);
    publishers[nodes.indexOf(node)]?.burst(LAST_WORDS);
    await pause(LAST_WORDS_MS);
  }

  async #cut(which: Cut): Promise<void> {
    const { name, host } = this.#scene.dice.pick(this.#scene.nodes);
    const fault = this.#fault("cut", name, which);
    host.cut(which, this.#clients);
    await pause(CUT_MS);
    host.mend();
    fault.toMs = nowMs();
    note(this.#scene, name, "is in touch again");
  }

  async #pause(): Promise<void> {
    const { name, host } = this.#scene.dice.pick(this.#scene.nodes);
    const fault = this.#fault("pause", name);
    host.signal("SIGSTOP");
    await pause(PAUSE_MS);
    host.signal("SIGCONT");
    fault.toMs = nowMs();
    note(this.#scene, name, "goes on");
  }

  #fault(kind: Fault["kind"], node: string, how: string = kind): Fault {
    const fault = { kind, node, fromMs: nowMs(), toMs: Infinity };
    this.#scene.ledger.faults.push(fault);
    note(this.#scene, node, `suffers: ${how}`);
    return fault;
  }

  /** Once in a while it hangs, is gone, and comes back empty. */
  async #breakRedis(endMs: number): Promise<void> {
    const thirdMs = Math.min(endMs - nowMs(), 60_000) / 3;
    while (nowMs() + 2 * thirdMs <= endMs) {
      await pause(thirdMs);
      note(this.#scene, "redis", "hangs");
      this.#redis.signal("SIGSTOP");
      await pause(thirdMs);
      note(this.#scene, "redis", "is gone");
      this.#redis = await this.#redis.restart(REDIS_DOWN_MS);
      note(this.#scene, "redis", "is empty");
    }
  }
}

function kindOf(turn: number): Kind {
  if (turn % TURNS !== OTHER_TURN) return "crash";
  return OTHERS[Math.floor(turn / TURNS) % OTHERS.length] ?? "crash";
}
