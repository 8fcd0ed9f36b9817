import assert from "node:assert/strict";
import { FROM_NOWHERE } from "../../../relay/protocol/log/catch_up.ts";
import { holdingsOf } from "../../../relay/exchanges.ts";
import { Logs } from "../../../relay/logs.ts";
import { AntiEntropy } from "../../../relay/machines/anti_entropy.ts";
import type { Digest, DigestEntry } from "../../../relay/protocol/frames.ts";
import type { Message, Origin } from "../../../relay/protocol/message.ts";
import { SLOT_COUNT, slotOf } from "../../../relay/protocol/slot.ts";
import { seededRandom } from "../../support/random.ts";
import { LOG_OPTIONS } from "../../support/slot_log.ts";
import { seeds } from "../../support/soak.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const GROUPS = 4;
const table = { groupOf: (slot: number) => 1 + slot % GROUPS };
const all = [1, 2, 3, 4];

/** A relay with logs and digests, that hears some groups. */
class Node {
  readonly clock = new VirtualClock();
  readonly logs: Logs;
  readonly machine: AntiEntropy;
  readonly holdings;
  #seqs = new Map<number, number>();

  constructor(readonly origin: Origin, public hears: readonly number[] = all) {
    const log = { ...LOG_OPTIONS, self: origin };
    this.logs = new Logs({ clock: this.clock, log, maxBytes: 1e9 });
    this.holdings = holdingsOf(this.logs, table);
    this.machine = new AntiEntropy(this.holdings);
  }

  publish(channel: string): Message {
    const slot = slotOf(channel), seq = (this.#seqs.get(slot) ?? 0) + 1;
    this.#seqs.set(slot, seq);
    const message: Message = {
      ...{ slot, origin: this.origin, seq, channel, data: `${seq}`, timeMs: 0, region: "r" },
    };
    this.logs.append(message);
    return message;
  }

  pull(from: Node, entries: readonly DigestEntry[]): void {
    for (const entry of entries) {
      const start = this.holdings.pullFrom(entry), theirs = from.logs.peek(entry.slot);
      if (start && theirs) this.logs.of(entry.slot).merge(theirs.catchUp(start, 0), 0);
    }
  }

  request(to: Node, tell = (_group: number) => true): Digest {
    return this.machine.request(to.origin, tell, this.hears);
  }

  vectors(): Map<number, string> {
    return new Map(
      this.logs.slots().toSorted((a, b) => a - b).map((slot) => {
        const vector = [...this.logs.vectorOf(slot)].filter(([, seq]) => seq > 0).sort();
        return [slot, JSON.stringify(vector)];
      }),
    );
  }
}

/** A whole exchange with all it leads to; answers how many slots were told, there and back. */
function exchange(a: Node, b: Node, tell?: (group: number) => boolean): [number, number] {
  const request = a.request(b, tell);
  const { answer, ahead } = b.machine.answer(a.origin, request, b.hears);
  b.pull(a, ahead);
  a.pull(b, a.machine.takeAnswer(b.origin, answer));
  return [request.entries.length, answer.entries.length];
}

function pair(): [Node, Node] {
  return [new Node("relayAAA"), new Node("relayBBB")];
}

Deno.test("either side gets what it lacks, and then digests are empty until something changes", () => {
  const [a, b] = pair();
  a.publish("of a");
  b.publish("of b");
  exchange(a, b);
  assert.deepEqual(a.vectors(), b.vectors());
  exchange(a, b);
  exchange(b, a);
  assert.deepEqual(exchange(a, b), [0, 0]);
  assert.deepEqual(exchange(b, a), [0, 0]);
  a.publish("of a");
  assert.deepEqual(exchange(a, b), [1, 0]);
  assert.deepEqual(a.vectors(), b.vectors());
  exchange(a, b);
  assert.deepEqual(exchange(a, b), [0, 0]);
});

Deno.test("a relay that hears nothing gives a custodian its own messages and gets none", () => {
  const a = new Node("relayAAA", []), b = new Node("relayBBB");
  a.publish("news");
  b.publish("news");
  exchange(a, b);
  exchange(a, b);
  assert.deepEqual([...a.logs.vectorOf(slotOf("news"))], [["relayAAA", 1]]);
  assert.equal(b.logs.vectorOf(slotOf("news")).get("relayAAA"), 1);
  assert.ok(a.machine.isCovered("relayBBB", a.logs.slots()));
  assert.deepEqual(exchange(a, b), [0, 0]);
});

Deno.test("a slot that changed since it was told is not taken for covered", () => {
  const [a, b] = pair();
  a.publish("news");
  const first = a.request(b);
  b.pull(a, b.machine.answer(a.origin, first, all).ahead);
  a.publish("news");
  const second = b.machine.answer(a.origin, first, all).answer;
  assert.deepEqual(second.equal, [slotOf("news")]);
  a.machine.takeAnswer(b.origin, second);
  assert.equal(a.machine.isCovered(b.origin, a.logs.slots()), false);
  assert.equal(a.request(b).entries.length, 1);
});

Deno.test("`equal` of an answer that was lost is not taken for the next one's", () => {
  const [a, b] = pair();
  b.publish("news");
  const slot = slotOf("news");
  exchange(a, b);
  // This request says that the answer before it was equal; the answer to it tells more, and is lost.
  const request = a.request(b);
  assert.deepEqual(request.equal, []);
  b.machine.answer(a.origin, request, all);
  b.publish("news");
  b.machine.answer(a.origin, a.request(b), all);
  const next = a.request(b);
  assert.deepEqual(next.equal, []);
  const { answer } = b.machine.answer(a.origin, next, all);
  assert.deepEqual(answer.entries.map((entry) => entry.slot), [slot]);
});

Deno.test("digests tell custodians of their groups alone, and answer for the groups that the asker hears", () => {
  const [a, b] = pair();
  a.hears = [2];
  for (let i = 0; i < 40; i++) {
    a.publish(`a${i}`);
    b.publish(`b${i}`);
  }
  const request = a.request(b, (group) => group === 1);
  assert.ok(request.entries.length > 0);
  assert.ok(request.entries.every(({ slot }) => table.groupOf(slot) === 1));
  const { answer } = b.machine.answer(a.origin, request, b.hears);
  assert.ok(answer.entries.length > 0);
  assert.ok(answer.entries.every(({ slot }) => table.groupOf(slot) === 2));
});

Deno.test("what a peer is known to have is told again when it hears the group anew, or comes back", () => {
  const [a, b] = pair();
  a.publish("news");
  exchange(a, b);
  exchange(a, b);
  assert.deepEqual(exchange(a, b), [0, 0]);
  b.hears = [];
  exchange(a, b);
  b.hears = all;
  assert.equal(exchange(a, b)[0], 1);
  assert.deepEqual(exchange(a, b), [0, 0]);
  a.machine.forget(b.origin);
  assert.equal(a.request(b).entries.length, 1);
});

Deno.test("a mark is asked for from whoever has the message (model counter-example 2)", () => {
  const [a, b] = pair(), slot = slotOf("news");
  const c = new Node("relayCCC");
  const first = c.publish("news"), second = c.publish("news");
  a.logs.append(first);
  a.logs.append(second);
  b.logs.append(second);
  b.logs.peek(slot)?.lacked([{ origin: "relayCCC", from: 1, to: 1 }], 0);
  assert.deepEqual(a.vectors(), b.vectors(), "the vectors are equal");
  exchange(b, a);
  assert.deepEqual(b.logs.peek(slot)?.lost(), []);
  assert.equal(b.logs.peek(slot)?.catchUp(FROM_NOWHERE, 0).messages.length, 2);
  const begun = new Node("relayBBB");
  begun.logs.append(second);
  begun.logs.peek(slot)?.lacked([{ origin: "relayCCC", from: 1, to: 1 }], 0);
  a.machine.forget(b.origin);
  exchange(a, begun);
  assert.deepEqual(begun.logs.peek(slot)?.lost(), [], "whoever begins");
});

Deno.test("10,000 channels of one message each are told once", () => {
  const [a, b] = pair();
  for (let i = 0; i < 10_000; i++) b.logs.append(a.publish(`channel ${i}`));
  const slots = a.logs.count;
  assert.ok(slots > 7000 && slots < SLOT_COUNT);
  assert.deepEqual(exchange(a, b), [slots, 0], "who stands where the other does need not answer");
  assert.deepEqual(exchange(a, b), [0, 0]);
  assert.deepEqual(exchange(b, a), [0, 0]);
});

/** Relays publish, hear most of each other, and exchange digests that may get lost half-way. */
function worldConverges(seed: number): void {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const nodes = ["relayAAA", "relayBBB", "relayCCC", "relayDDD"].map((origin) => new Node(origin));
  for (let step = 0; step < 200; step++) {
    const a = pick(nodes), b = pick(nodes.filter((node) => node !== a));
    const chance = random();
    if (chance < 0.5) {
      const message = a.publish(`channel ${Math.floor(random() * 20)}`);
      for (const node of nodes) if (node !== a && random() < 0.6) node.logs.append(message);
    } else if (chance < 0.65) {
      const request = a.request(b);
      if (random() < 0.5) {
        const { answer, ahead } = b.machine.answer(a.origin, request, b.hears);
        if (random() < 0.5) b.pull(a, ahead);
        if (random() < 0.5) a.machine.takeAnswer(b.origin, answer);
      }
    } else if (chance < 0.7) a.machine.forget(b.origin);
    else exchange(a, b);
  }
  const everyPair = () => {
    let told = 0;
    for (const a of nodes) {
      for (const b of nodes) if (a !== b) told += exchange(a, b).reduce((sum, n) => sum + n);
    }
    return told;
  };
  for (let round = 0; round < 3; round++) everyPair();
  assert.equal(everyPair(), 0, `seed ${seed}: digests are empty`);
  for (const node of nodes) assert.deepEqual(node.vectors(), nodes[0]?.vectors(), `seed ${seed}`);
}

Deno.test("relays converge without further traffic, whatever was lost, and fall silent", () => {
  for (const seed of seeds(300, 10_000)) worldConverges(seed);
});
