/**
 * What all parts of a chaos run share.
 *
 * @module
 */
import type { Dice } from "../../support/cluster_dice.ts";
import type { Ledger } from "../../support/cluster_ledger.ts";
import type { ChaosNode } from "./node.ts";
import type { ChaosPublisher } from "./publisher.ts";
import type { ChaosSubscriber } from "./subscriber.ts";

export interface Scene {
  readonly nodes: readonly ChaosNode[];
  readonly subscribers: ChaosSubscriber[];
  /** One for each node, in their order. */
  readonly publishers: ChaosPublisher[];
  readonly dice: Dice;
  readonly ledger: Ledger;
  /** What happened, a line each. */
  readonly trace: string[];
}

/** Milliseconds of the one clock that the whole run has. */
export function nowMs(): number {
  return performance.now();
}

export function note({ trace }: Pick<Scene, "trace">, who: string, line: string): void {
  trace.push(`${nowMs().toFixed(0).padStart(8)} ${who} ${line}`);
}

/** Lets time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Two share a slot, and so an order. */
export const CHANNELS = ["a{t}", "b{t}", ...Array.from({ length: 10 }, (_, n) => `c${n}`)];
