import assert from "node:assert/strict";
import { Publishing, PUSH_AFTER_MS, REPLICATE_MS } from "../../../relay/machines/publishing.ts";
import { A, B, C } from "../../support/slot_log.ts";
import { seededRandom } from "../../support/random.ts";
import { seeds } from "../../support/soak.ts";

const GROUP = 3, BYTES = 100;

/** A machine, and its outputs in words: `replicated 1 2`, `push relayAAA 3`. */
function setUp(...ready: string[]) {
  const custodians = ready;
  const machine = new Publishing<number>(() => custodians);
  const said = () =>
    machine.takeOutputs().map((output) =>
      [output.type, ...output.type === "push" ? [output.to] : [], ...output.publishes].join(" ")
    );
  const send = (nowMs: number, ...ordinals: number[]) => {
    for (const ordinal of ordinals) machine.sent(GROUP, ordinal, BYTES, ordinal, nowMs);
  };
  const at = (nowMs: number) => {
    machine.handleTimeout(nowMs);
    return said();
  };
  const answer = (to: string, holds: boolean, nowMs: number) => {
    machine.pushed(GROUP, to, holds, nowMs);
    return said();
  };
  return { machine, custodians, said, send, at, answer };
}

Deno.test("one acknowledgement ends all publishes in its range, and only those", () => {
  const { machine, send, said } = setUp(A);
  send(0, 1, 2, 4, 5);
  machine.acknowledged(GROUP, A, 2, 4);
  assert.deepEqual(said(), ["replicated 2 4"]);
  machine.acknowledged(GROUP, A, 1, 9);
  machine.acknowledged(GROUP, A, 1, 9);
  assert.deepEqual(said(), ["replicated 1 5"]);
  assert.equal(machine.pending, 0);
  assert.equal(machine.nextTimeoutMs(), Infinity);
});

Deno.test("who is no ready custodian, or speaks of another group, proves nothing", () => {
  const { machine, custodians, send, said } = setUp(A);
  send(0, 1);
  machine.acknowledged(GROUP, B, 1, 1);
  machine.acknowledged(GROUP + 1, A, 1, 1);
  assert.deepEqual(said(), []);
  custodians.push(B);
  machine.acknowledged(GROUP, B, 1, 1);
  assert.deepEqual(said(), ["replicated 1"]);
});

Deno.test("what nobody acknowledged in time is pushed, first to last", () => {
  const { machine, send, at, answer } = setUp(A, B);
  send(0, 1);
  send(1, 2);
  assert.equal(machine.nextTimeoutMs(), PUSH_AFTER_MS);
  assert.deepEqual(at(PUSH_AFTER_MS - 1), []);
  assert.deepEqual(at(PUSH_AFTER_MS), [`push ${A} 1`]);
  assert.deepEqual(at(PUSH_AFTER_MS + 1), [`push ${B} 2`], "the first owes an answer");
  assert.deepEqual(answer(A, false, 60), []);
  assert.deepEqual(answer(B, true, 61), ["replicated 2", `push ${B} 1`]);
  assert.deepEqual(answer(B, true, 62), ["replicated 1"]);
  assert.equal(machine.pending, 0);
});

Deno.test("a custodian that says nothing for 500 ms has the next one asked, and may still answer", () => {
  const { send, at, answer } = setUp(A, B);
  send(0, 1);
  assert.deepEqual(at(50), [`push ${A} 1`]);
  assert.deepEqual(at(549), []);
  assert.deepEqual(at(550), [`push ${B} 1`]);
  assert.deepEqual(answer(A, true, 551), ["replicated 1"]);
  assert.deepEqual(answer(B, true, 552), []);
});

Deno.test("refused pushes are repeated until the time is over, then the publish is late", () => {
  const { machine, send, said } = setUp(A);
  send(0, 1);
  const pushes: number[] = [];
  let nowMs = 0;
  for (; machine.pending > 0 && nowMs < 10_000; nowMs++) {
    if (nowMs >= machine.nextTimeoutMs()) machine.handleTimeout(nowMs);
    for (const output of said()) {
      if (!output.startsWith("push")) assert.equal(output, "late 1");
      else {
        pushes.push(nowMs);
        machine.pushed(GROUP, A, false, nowMs);
      }
    }
  }
  assert.ok(nowMs >= REPLICATE_MS && nowMs <= REPLICATE_MS + PUSH_AFTER_MS + 1, String(nowMs));
  assert.ok(pushes.length >= 15 && pushes.length <= 31, `${pushes.length} pushes`);
});

Deno.test("a custodian that becomes ready while a publish is overdue gets it", () => {
  const { machine, custodians, send, at } = setUp();
  send(0, 1);
  assert.deepEqual(at(50), []);
  custodians.push(C);
  assert.deepEqual(at(machine.nextTimeoutMs()), [`push ${C} 1`]);
});

Deno.test("an acknowledgement that comes late still counts, and what was sent before is pushed at once", () => {
  const { machine, send, at, said, answer } = setUp(A, B);
  send(0, 1);
  at(50);
  machine.acknowledged(GROUP, B, 1, 1);
  assert.deepEqual(said(), ["replicated 1"]);
  machine.sentBefore(GROUP, BYTES, 77, 60);
  assert.deepEqual(said(), [`push ${B} 77`], "the other has not answered yet");
  machine.acknowledged(GROUP, A, 1, 1000);
  assert.deepEqual(said(), [], "no acknowledgement speaks of it");
  assert.deepEqual(answer(B, true, 61), ["replicated 77"]);
  assert.deepEqual(answer(A, false, 62), []);
});

Deno.test("what waits is bounded by number and by bytes, and a push is too", () => {
  const many = setUp(A);
  for (let ordinal = 1; many.machine.hasRoom; ordinal++) many.send(0, ordinal);
  assert.equal(many.machine.pending, 100_000);
  const [push] = many.at(50);
  assert.equal(push?.split(" ").length, 2 + 256);
  many.machine.acknowledged(GROUP, A, 1, 1000);
  assert.equal(many.machine.hasRoom, true);

  const { machine, at } = setUp(A);
  for (let ordinal = 1; machine.hasRoom; ordinal++) machine.sent(GROUP, ordinal, 2 ** 20, 1, 0);
  assert.equal(machine.pending, 64);
  assert.deepEqual(at(50), [`push ${A} 1`]);
});

Deno.test("giving up ends everything", () => {
  const { machine, send, at, said } = setUp(A);
  send(0, 1);
  at(50);
  send(60, 2);
  machine.abandon();
  assert.deepEqual(said(), ["late 2", "late 1"]);
  assert.equal(machine.pending, 0);
});

Deno.test("random worlds: each publish ends once, replicated only if a custodian holds it, late only in time", () => {
  for (const seed of seeds(300, 10_000)) world(seed);
});

/** Custodians that get some payloads by multicast and answer some pushes. */
function world(seed: number): void {
  const random = seededRandom(seed), below = (n: number) => Math.floor(random() * n);
  const all = [A, B, C], loss = random() * random(), refusal = random();
  let ready = all.slice(0, below(3));
  const machine = new Publishing<number>(() => ready);
  const held = new Map(all.map((origin) => [origin, new Set<number>()]));
  const sentMs: number[] = [0], ends: (string | undefined)[] = [""];
  const answers: { readonly atMs: number; readonly run: (nowMs: number) => void }[] = [];
  for (let nowMs = 0; nowMs < 1500 || machine.pending > 0; nowMs++) {
    assert.ok(nowMs < 10_000, `seed ${seed}: a publish never ends`);
    if (random() < 0.002) ready = all.filter(() => random() < 0.6);
    if (nowMs < 1500 && random() < 0.4) {
      const ordinal = sentMs.push(nowMs) - 1;
      machine.sent(GROUP, ordinal, BYTES, ordinal, nowMs);
      for (const set of held.values()) if (random() >= loss) set.add(ordinal);
    }
    for (const [origin, set] of held) {
      if (random() >= 0.3) continue;
      let from = sentMs.length;
      while (set.has(from - 1)) from -= 1;
      if (from < sentMs.length) machine.acknowledged(GROUP, origin, from, sentMs.length - 1);
    }
    if (nowMs >= machine.nextTimeoutMs()) machine.handleTimeout(nowMs);
    for (const { atMs, run } of answers.splice(0)) {
      if (atMs <= nowMs) run(nowMs);
      else answers.push({ atMs, run });
    }
    for (const output of machine.takeOutputs()) {
      if (output.type === "push") {
        const { to, publishes } = output, holds = random() >= refusal;
        const run = (nowMs: number) => {
          if (holds) { for (const publish of publishes) held.get(to)?.add(publish); }
          machine.pushed(GROUP, to, holds, nowMs);
        };
        answers.push({ atMs: nowMs + below(random() < 0.1 ? 2000 : 10), run });
        continue;
      }
      for (const publish of output.publishes) {
        assert.equal(ends[publish], undefined, `seed ${seed}: ${publish} ended twice`);
        ends[publish] = output.type;
        const holders = all.filter((origin) => held.get(origin)?.has(publish));
        if (output.type === "replicated") assert.ok(holders.length > 0, `seed ${seed}: ${publish}`);
        else assert.ok(nowMs - (sentMs[publish] ?? 0) >= REPLICATE_MS, `seed ${seed}: too early`);
      }
    }
  }
  assert.equal(ends.filter((end) => end !== undefined).length, sentMs.length, `seed ${seed}`);
}
