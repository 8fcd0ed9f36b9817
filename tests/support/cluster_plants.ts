/**
 * A sound run of simulated relays, and ways to plant in a copy of it what the checker has to find.
 *
 * @module
 */
import assert from "node:assert/strict";
import { judge } from "./cluster_checker.ts";
import type { Ledger, Publish, Seen, Subscriber } from "./cluster_ledger.ts";
import type { Rule } from "./cluster_violation.ts";
import { ClusterWorld } from "./cluster_world.ts";

export type Got = Extract<Seen, { type: "message" }>;

/** Three relays over sound wires: two publish, one subscriber stays and one moves. */
export async function recordSound(): Promise<Ledger> {
  const world = new ClusterWorld({ seed: 1, machines: 3 });
  await world.startAll();
  const stays = world.subscribe(["a{t}", "b{t}"], 2);
  const moves = world.subscribe(["a{t}"], 0);
  await world.run(1000);
  for (let i = 0; i < 24; i++) {
    world.publish(i % 2, i % 4 === 3 ? "b{t}" : "a{t}", {
      ...(i % 5 === 4 ? { after: stays } : {}),
      ...(i % 6 === 0 ? { order: "total" } : {}),
    });
    await world.run(500);
    if (i === 10) moves.disconnect(700, 1);
  }
  await world.run(1000);
  await world.close();
  return world.ledger;
}

/** Has something planted in a copy of a sound run, and answers the rules that the checker finds broken then. */
export function plantedIn(
  sound: Promise<Ledger>,
): (plant: (ledger: Ledger, stays: Subscriber) => void) => Promise<Rule[]> {
  return async (plant) => {
    const ledger = structuredClone(await sound);
    const [stays] = ledger.subscribers;
    assert.ok(stays);
    plant(ledger, stays);
    return [...new Set(judge(ledger).map(({ rule }) => rule))].sort();
  };
}

export function messages({ seen }: Subscriber): Got[] {
  return seen.filter((event) => event.type === "message");
}

/** The nth message that it got. */
export function nth(subscriber: Subscriber, n: number): Got {
  const message = messages(subscriber)[n];
  assert.ok(message);
  return message;
}

export function publishOf(ledger: Ledger, { data }: { readonly data: string }): Publish {
  const publish = ledger.publishes.find((one) => one.data === data);
  assert.ok(publish);
  return publish;
}

export function drop(subscriber: Subscriber, id: string): void {
  const at = subscriber.seen.findIndex((event) => event.type === "message" && event.id === id);
  if (at >= 0) subscriber.seen.splice(at, 1);
}

/** No relay has it in the end, or not this one. */
export function unhold({ stands }: Ledger, id: string, node?: string): void {
  stands.forEach((stand, i) => {
    if (node !== undefined && stand.node !== node) return;
    stands[i] = { ...stand, ids: stand.ids.filter((one) => one !== id) };
  });
}

/** Nobody has it any more, though it was answered `replicated`. */
export function destroy(ledger: Ledger, message: Got): Publish {
  for (const subscriber of ledger.subscribers) drop(subscriber, message.id);
  unhold(ledger, message.id);
  const publish = publishOf(ledger, message);
  publish.answer = { atMs: publish.atMs + 1, id: message.id, level: "replicated" };
  return publish;
}

/** It was answered `accepted`. */
export function lower(publish: Publish): void {
  const { answer } = publish;
  if (answer && "level" in answer) publish.answer = { ...answer, level: "accepted" };
}

export function gapOver({ id, channel }: Got, atMs: number): Seen {
  const [origin = "", , seq = ""] = id.split(".");
  const place = parseInt(seq, 36);
  return {
    type: "gap",
    atMs,
    channel,
    reason: "lost",
    missing: [{ origin, from: place, to: place }],
  };
}
