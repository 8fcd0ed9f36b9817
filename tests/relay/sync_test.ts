import assert from "node:assert/strict";
import { staticGroups } from "../../backbone/registry/static.ts";
import { Logs } from "../../relay/logs.ts";
import { type CatchUp, FROM_NOWHERE } from "../../relay/protocol/log/catch_up.ts";
import type { Message, Origin, Vector } from "../../relay/protocol/message.ts";
import { type PullRequest, Sync } from "../../relay/sync.ts";
import { announcement } from "../support/announcement.ts";
import { A, appendAll, B, LOG_OPTIONS, message, newLog, SLOT } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

type Answer = (pull: PullRequest, answer: (part: CatchUp) => void) => void | Promise<void>;

/** A relay's fetching side beside peers that answer as told. */
function setUp(answers: Readonly<Record<Origin, Answer>>, settled = Promise.resolve()) {
  let joining = false;
  const clock = new VirtualClock(), asked: PullRequest[] = [];
  const logs = new Logs({ clock, log: LOG_OPTIONS, maxBytes: 1_000_000 });
  const sync = new Sync({
    clock,
    logs,
    table: staticGroups(1),
    peers: () => Object.keys(answers).map((origin) => announcement(origin)),
    settled,
    joining: () => joining,
    ask: async ({ origin }, pull, answer) => {
      asked.push(pull);
      await answers[origin]?.(pull, answer);
    },
  });
  /** As the intake does it. */
  const receive = (message: Message) => {
    if (logs.append(message) === "held") sync.held(message.slot);
  };
  const join = (on: boolean) => joining = on;
  return { clock, logs, sync, asked, receive, join };
}

/** Answers from a log that holds `1` to `to` of A. */
function holding(to: number): Answer {
  const log = newLog(B);
  appendAll(log, A, 1, to);
  return (pull, answer) => answer(log.catchUp(pull.slots.get(SLOT) ?? FROM_NOWHERE, 0));
}

const empty: Answer = () => {};
const broken: Answer = () => Promise.reject(new Error("not reached"));
const silent: Answer = () => new Promise(() => {});

/** Lets what waits for promises go on. */
async function turn(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 50) {
    clock.advance(50);
    await turn();
  }
}

Deno.test("a pull says where the log stands and merges what every peer has beyond it", async () => {
  const { logs, sync, asked } = setUp({ one: holding(5), other: holding(3) });
  logs.append(message(A, 1));
  assert.equal(await sync.slot(SLOT), true);
  assert.deepEqual(asked.map(({ slots }) => slots.get(SLOT)?.vector.get(A)), [1, 1]);
  assert.equal(logs.vectorOf(SLOT).get(A), 5);
});

Deno.test("who asks while a pull is under way shares the next: of that one an answer may have been given", async () => {
  const { sync, asked } = setUp({ one: empty });
  const first = sync.slot(SLOT), [second, third] = [sync.slot(SLOT), sync.slot(SLOT)];
  await first;
  assert.equal(asked.length, 1);
  assert.deepEqual(await Promise.all([second, third]), [true, true]);
  assert.equal(asked.length, 2);
  await sync.slot(SLOT);
  assert.equal(asked.length, 3);
});

Deno.test("a pull waits for slow peers, but not for ever; one that fails is no reason to wait", async () => {
  const { clock, logs, sync } = setUp({ one: silent, other: broken, third: holding(2) });
  let answered: boolean | undefined;
  void sync.slot(SLOT).then((all) => answered = all);
  await pass(clock, 1900);
  assert.equal(answered, undefined);
  await pass(clock, 200);
  assert.equal(answered, false);
  assert.equal(logs.vectorOf(SLOT).get(A), 2);
  assert.deepEqual(sync.counters, { pulls: 3, failures: 1, messages: 2 });
  sync.close();
});

Deno.test("a whole group is pulled from where the log stands, or from below it where it has marks", async () => {
  const { logs, sync, asked } = setUp({ one: empty });
  logs.append(message(A, 1));
  const start = new Map([[SLOT, { vector: new Map([[B, 4]]), beyond: [] }]]);
  await sync.from(announcement("one"), new Map(), [1]);
  await sync.from(announcement("one"), start, [1]);
  await sync.from(announcement("one"), start, []);
  assert.deepEqual(asked.map(({ groups, slots }) => [groups, [...slots.get(SLOT)?.vector ?? []]]), [
    [[1], [["relaySSS", 0], [A, 1]]],
    [[1], [[B, 4]]],
    [[], [[B, 4]]],
  ]);
});

Deno.test("what one peer has brought of whole groups the next is not asked for", async () => {
  const { logs, sync, asked } = setUp({ one: holding(5), other: holding(7) });
  const [one, other] = ["one", "other"].map((origin) =>
    sync.from(announcement(origin), new Map(), [1])
  );
  assert.deepEqual(await Promise.all([one, other]), [true, true]);
  assert.deepEqual(asked.map(({ slots }) => slots.get(SLOT)?.vector.get(A)), [undefined, 5]);
  assert.equal(sync.counters.messages, 7);
  assert.equal(logs.vectorOf(SLOT).get(A), 7);
});

Deno.test("a peer that brings nothing of whole groups holds up the next for half a second", async () => {
  const { clock, logs, sync } = setUp({ one: silent, other: holding(7) });
  void sync.from(announcement("one"), new Map(), [1]);
  const other = sync.from(announcement("other"), new Map(), [1]);
  await pass(clock, 450);
  assert.equal(logs.vectorOf(SLOT).get(A), undefined);
  await pass(clock, 100);
  assert.equal(await other, true);
  assert.equal(logs.vectorOf(SLOT).get(A), 7);
});

Deno.test("while a slot is joined, what is held there is not asked for beside that", async () => {
  const { clock, sync, asked, receive, join } = setUp({ one: holding(3) });
  join(true);
  receive(message(A, 3));
  await pass(clock, 2000);
  assert.equal(asked.length, 0);
  join(false);
  await pass(clock, 600);
  assert.equal(asked.length, 1);
  sync.close();
});

Deno.test("an answer that the log has outrun by forgetting is asked again, once", async () => {
  const past: Vector = new Map([["gone____", 7]]);
  const late: Answer = (_pull, answer) =>
    answer({ ...newLog(B).catchUp({ vector: past, beyond: [] }, 0) });
  const { sync, asked } = setUp({ one: late });
  assert.equal(await sync.slot(SLOT), false);
  assert.equal(asked.length, 2);
});

Deno.test("a hole is left to multicast first, then fetched", async () => {
  const { clock, logs, asked, receive } = setUp({ one: holding(3) });
  receive(message(A, 3));
  await pass(clock, 50);
  assert.equal(asked.length, 0);
  await pass(clock, 100);
  assert.equal(logs.vectorOf(SLOT).get(A), 3);
  await pass(clock, 5000);
  assert.equal(asked.length, 1, "nothing is missing any more");
});

Deno.test("what every peer lacks is given up at once, what one cannot answer for is waited for", async () => {
  const all = setUp({ one: empty, other: empty });
  all.receive(message(A, 3));
  await pass(all.clock, 200);
  assert.equal(all.logs.vectorOf(SLOT).get(A), 3);
  assert.deepEqual(all.logs.peek(SLOT)?.lost(), [{ origin: A, from: 1, to: 2 }]);

  const some = setUp({ one: empty, other: broken });
  some.receive(message(A, 3));
  await pass(some.clock, 3800);
  assert.equal(some.logs.vectorOf(SLOT).get(A) ?? 0, 0);
  assert.ok(some.asked.length > 6, "and asked for again and again");
  await pass(some.clock, 400);
  assert.equal(some.logs.vectorOf(SLOT).get(A), 3);
});

Deno.test("an origin in view is never taken to lack what it published; what others say counts once it has left", async () => {
  const peers: Record<Origin, Answer> = { one: empty, [A]: empty };
  const { clock, logs, receive } = setUp(peers);
  receive(message(A, 3));
  await pass(clock, 3000);
  assert.equal(logs.vectorOf(SLOT).get(A) ?? 0, 0);
  delete peers[A];
  await pass(clock, 600);
  assert.equal(logs.vectorOf(SLOT).get(A), 3);
});

Deno.test("nobody is asked before it is known who is there", async () => {
  const settled = Promise.withResolvers<void>();
  const { clock, sync, asked } = setUp({ one: empty }, settled.promise);
  let done = 0;
  for (const pull of [sync.slot(SLOT + 1), sync.slot(SLOT)]) void pull.then(() => done++);
  await pass(clock, 5000);
  assert.deepEqual([asked.length, done], [0, 0]);
  settled.resolve();
  await turn();
  assert.deepEqual([asked.length, done], [2, 2]);
});

Deno.test("who did not answer is not waited for again soon, who did is asked", async () => {
  const { clock, sync, asked } = setUp({ one: silent, other: empty });
  void sync.slot(SLOT);
  await pass(clock, 2100);
  assert.equal(asked.length, 2);
  assert.equal(await sync.slot(SLOT), false, "not everybody has answered");
  assert.equal(asked.length, 3);
  await pass(clock, 2100);
  void sync.slot(SLOT);
  await pass(clock, 50);
  assert.equal(asked.length, 5);
  sync.close();
});

Deno.test("a publisher waits for a silent peer a quarter of a second, and the next not at all", async () => {
  const { clock, sync, asked } = setUp({ one: silent });
  let waited = false;
  const first = sync.slotSoon(SLOT).then(() => waited = true);
  await pass(clock, 200);
  assert.equal(waited, false);
  await pass(clock, 50);
  await first;
  await pass(clock, 2000);
  await sync.slotSoon(SLOT);
  assert.equal(asked.length, 1);
  sync.close();
});

Deno.test("an origin that was heard itself is not out of view for good: what others lack is no verdict yet", async () => {
  const { clock, logs, sync } = setUp({ one: empty });
  assert.equal(logs.append(message(A, 3)), "held");
  sync.held(SLOT, A);
  await pass(clock, 1700);
  assert.equal(logs.vectorOf(SLOT).get(A) ?? 0, 0);
  await pass(clock, 600);
  assert.equal(logs.vectorOf(SLOT).get(A), 3);
  sync.close();
});
