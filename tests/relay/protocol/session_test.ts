import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Answerer } from "../../../relay/protocol/answerer.ts";
import { Asker, type AskerEvent, type Question } from "../../../relay/protocol/asker.ts";
import type { SessionCredentials } from "../../../relay/protocol/challenge.ts";
import { encodeFrame } from "../../../relay/protocol/frame_writer.ts";
import type {
  Answer,
  CatchUpFrame,
  Hello,
  PullDone,
  Request,
} from "../../../relay/protocol/frames.ts";
import { CREDIT_WINDOW_BYTES } from "../../../relay/protocol/outbox.ts";
import { MAX_REQUESTS, type Session } from "../../../relay/protocol/session.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { groupKey } from "../../support/group_keys.ts";
import { seededRandom } from "../../support/random.ts";
import {
  flipped,
  int,
  pick,
  type Random,
  randomBytes,
  randomCatchUp,
  randomDigest,
  randomDraft,
  randomFrame,
  randomMessage,
} from "./samples.ts";

const ASKER = "AAAAAAAA", ANSWERER = "BBBBBBBB";
const KEY = groupKey(1);
const CREDENTIALS: SessionCredentials = {
  keys: { signing: KEY, get: (id) => id === KEY.id ? KEY : undefined },
  hmac: (secret, bytes) => createHmac("sha256", secret).update(bytes).digest(),
};
const EVERYTHING: Question = { type: "pull", groups: [1], slots: new Map() };

/** Both sides of a session, before they have said anything. */
function newSession(keyed = false) {
  const side = (origin: string) => {
    const nonce = new Uint8Array(16).fill(origin.charCodeAt(0));
    const hello: Hello = { type: "hello", version: 1, origin, node: "n", ...(keyed && { nonce }) };
    return { hello, credentials: keyed ? CREDENTIALS : undefined };
  };
  const asker = new Asker({ ...side(ASKER), expected: ANSWERER });
  return { asker, answerer: new Answerer(side(ANSWERER), 0) };
}

/** Carries what `from` has to send, in random pieces; false if there was nothing. */
function carry(from: Session, to: Session, random: Random): boolean {
  const bytes = from.pollTransmit();
  for (let rest = bytes; rest && rest.length > 0;) {
    const length = 1 + int(random, rest.length);
    to.handleBytes(rest.slice(0, length), 0);
    rest = rest.subarray(length);
  }
  return bytes !== undefined;
}

function randomQuestion(random: Random): Question {
  return pick<() => Question>(random, [
    () => EVERYTHING,
    () => ({ type: "digest", digest: randomDigest(random) }),
    () => ({ type: "push", messages: [{ message: randomMessage(random), ageMs: 1 }] }),
    () => ({ type: "publish", draft: randomDraft(random) }),
    () => ({ type: "ping" }),
  ])();
}

function* catchUps(id: number, random: Random): Generator<CatchUpFrame | PullDone, void> {
  for (let slots = int(random, 4); slots > 0; slots--) {
    yield { type: "catch_up", id, catchUp: randomCatchUp(random) };
  }
  yield { type: "pull_done", id, positions: new Map() };
}

/** Answers a request; says with what, but for catch-ups. */
function answer(answerer: Answerer, request: Request, random: Random): Answer["type"] {
  const { id } = request;
  if (request.type === "pull") {
    answerer.answerPull(id, catchUps(id, random));
    return "pull_done";
  }
  const answers: Record<Exclude<Request["type"], "pull">, () => Answer> = {
    digest: () => ({ type: "digest", id, digest: randomDigest(random) }),
    push: () => ({ type: "held", id, held: true }),
    publish: () => ({ type: "failed", id, code: "window_full", message: "full" }),
    table_ask: () => ({ type: "failed", id, code: "unavailable", message: "none" }),
    ping: () => ({ type: "pong", id }),
  };
  const frame = answers[request.type]();
  answerer.answer(frame);
  return frame.type;
}

Deno.test("whatever is asked arrives as it was asked and is answered once, however bytes are cut", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed), { asker, answerer } = newSession(seed % 2 === 0);
    const asked = new Map<number, Question>(), expected = new Map<number, string>();
    const answered = new Map<number, string>();
    for (let step = 0; step < 400; step++) {
      if (step < 100 && random() < 0.3) {
        const question = randomQuestion(random), id = asker.ask(question, 0);
        assert.ok(id !== undefined);
        asked.set(id, question);
      }
      if (random() < 0.5) carry(asker, answerer, random);
      else carry(answerer, asker, random);
      for (let request; (request = answerer.pollEvent());) {
        assert.deepEqual(request, { ...asked.get(request.id), id: request.id }, `seed ${seed}`);
        expected.set(request.id, answer(answerer, request, random));
      }
      for (let event: AskerEvent | undefined; (event = asker.pollEvent());) {
        if (event.type === "catch_up" || event.type === "origins") continue;
        assert.ok(!answered.has(event.id));
        answered.set(event.id, event.type);
      }
    }
    while (carry(asker, answerer, random) || carry(answerer, asker, random));
    for (let request; (request = answerer.pollEvent());) answer(answerer, request, random);
    assert.equal(asker.ended ?? answerer.ended, undefined);
    assert.deepEqual(answered, new Map([...expected].filter(([id]) => answered.has(id))));
    assert.ok(answered.size > 5 || asked.size < 10, `seed ${seed}: ${answered.size} answers`);
  }
});

/** A catch-up of about 8 MiB. */
function largeCatchUp() {
  const message = { ...randomMessage(seededRandom(1), "a"), data: "x".repeat(100_000) };
  const none = { start: new Map(), beyond: [], held: [], lost: [], floors: new Map() };
  const messages = Array.from({ length: 80 }, () => ({ message, ageMs: 0 }));
  return { ...none, slot: slotOf("a"), messages, end: new Map(), idleMs: new Map() };
}

/** A session in which as many pulls were asked for, each answered with a large catch-up; nothing of it is sent. */
function pulling(pulls: number) {
  const random = seededRandom(1), { asker, answerer } = newSession();
  for (let n = 0; n < pulls; n++) asker.ask(EVERYTHING, 0);
  while (carry(asker, answerer, random) || carry(answerer, asker, random));
  for (let request; (request = answerer.pollEvent());) {
    const { id } = request;
    answerer.answerPull(id, [
      { type: "catch_up", id, catchUp: largeCatchUp() },
      { type: "pull_done", id, positions: new Map() },
    ]);
  }
  return { asker, answerer, random };
}

/** Takes what a side has to send, and leaves it there. */
function takeAll(from: Session): Uint8Array[] {
  const taken = [];
  for (let bytes; (bytes = from.pollTransmit());) taken.push(bytes);
  return taken;
}

/** Why a session is over; undefined while it is not. */
function endOf({ ended }: Session): string | undefined {
  return ended?.message;
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

Deno.test("no more of catch-ups is on its way than the window and a part; all of it comes as it is taken", () => {
  const { asker, answerer, random } = pulling(2);
  const first = takeAll(answerer);
  const largestPart = Math.max(...first.map(({ length }) => length));
  assert.ok(largestPart < 500_000);
  assert.ok(sizeOf(first) >= CREDIT_WINDOW_BYTES);
  assert.ok(sizeOf(first) < CREDIT_WINDOW_BYTES + largestPart);
  for (const bytes of first) asker.handleBytes(bytes, 0);
  let most = 0;
  while (carry(asker, answerer, random) || carry(answerer, asker, random)) {
    most = Math.max(most, answerer.uncreditedBytes);
  }
  assert.ok(most < CREDIT_WINDOW_BYTES + largestPart);
  const events = [];
  for (let event; (event = asker.pollEvent());) events.push(event.type);
  assert.deepEqual(events, ["catch_up", "catch_up", "pull_done", "pull_done"]);
});

Deno.test("a short answer does not wait behind a long one", () => {
  const { asker, answerer, random } = pulling(1);
  const first = takeAll(answerer);
  asker.ask({ type: "ping" }, 0);
  while (carry(asker, answerer, random));
  const ping = answerer.pollEvent();
  assert.equal(ping?.type, "ping");
  answerer.answer({ type: "pong", id: ping?.id ?? 0 });
  for (const bytes of first) asker.handleBytes(bytes, 0);
  carry(answerer, asker, random);
  assert.equal(asker.pollEvent()?.type, "pong");
});

Deno.test("who gives back more credit than there was loses its session", () => {
  const { answerer } = pulling(1);
  const sent = sizeOf(takeAll(answerer));
  const credit = (bytes: number) => {
    for (const part of encodeFrame({ type: "credit", bytes })) answerer.handleBytes(part, 0);
  };
  credit(sent - 1);
  assert.equal(endOf(answerer), undefined);
  credit(CREDIT_WINDOW_BYTES * 100);
  assert.match(endOf(answerer) ?? "", /more than it was sent/);
});

Deno.test("requests that are not answered are bounded on both sides", () => {
  const { asker, answerer } = newSession(), random = seededRandom(1);
  for (let n = 0; n < MAX_REQUESTS; n++) assert.ok(asker.ask({ type: "ping" }, 0) !== undefined);
  assert.equal(asker.ask({ type: "ping" }, 0), undefined);
  while (carry(asker, answerer, random) || carry(answerer, asker, random));
  assert.equal(endOf(answerer), undefined);
  for (const bytes of encodeFrame({ type: "ping", id: 1_000_000 })) answerer.handleBytes(bytes, 0);
  assert.match(endOf(answerer) ?? "", /too much/);
});

Deno.test("who asks on and reads no answer loses its session", () => {
  const { asker, answerer } = newSession(), random = seededRandom(1);
  while (carry(asker, answerer, random) || carry(answerer, asker, random));
  const ping = (id: number) => {
    for (const bytes of encodeFrame({ type: "ping", id })) answerer.handleBytes(bytes, 0);
    for (let ask; (ask = answerer.pollEvent());) answerer.answer({ type: "pong", id: ask.id });
  };
  for (let id = 0; id < MAX_REQUESTS; id++) ping(id);
  assert.equal(endOf(answerer), undefined);
  ping(MAX_REQUESTS);
  assert.match(endOf(answerer) ?? "", /too much/);
});

Deno.test("who sends a byte now and then says nothing", () => {
  const { asker, answerer } = newSession(), random = seededRandom(1);
  asker.ask({ type: "ping" }, 0);
  while (carry(asker, answerer, random) || carry(answerer, asker, random));
  for (let nowMs = 1000; nowMs < 4000; nowMs += 1000) asker.handleBytes(Uint8Array.of(0), nowMs);
  assert.equal(asker.nextTimeoutMs(), 5000);
  for (let byte = 0; byte < 3; byte++) answerer.handleBytes(Uint8Array.of(0), 59_000);
  assert.equal(answerer.nextTimeoutMs(), 60_000);
  const stranger = newSession().answerer;
  stranger.handleBytes(Uint8Array.of(0), 4999);
  stranger.handleTimeout(5000);
  assert.equal(endOf(stranger), "no greeting in time");
});

Deno.test("a session that is over says why, takes nothing more, and answers nothing", () => {
  const { asker, answerer } = newSession(), random = seededRandom(1);
  const id = asker.ask({ type: "ping" }, 0) ?? 0;
  while (carry(asker, answerer, random) || carry(answerer, asker, random));
  answerer.handleBytes(Uint8Array.of(255, 255, 255, 255), 0);
  answerer.answer({ type: "pong", id });
  while (carry(answerer, asker, random));
  assert.equal(answerer.ended?.kind, "protocol");
  assert.equal(asker.ended?.kind, "refused");
  assert.match(asker.ended?.message ?? "", /too large/);
  assert.equal(asker.pollEvent(), undefined);
  assert.equal(asker.ask({ type: "ping" }, 0), undefined);
  assert.equal(asker.pollTransmit(), undefined);
});

Deno.test("whatever is sent to either side, it ends with a reason or goes on, and never throws", () => {
  for (let seed = 0; seed < 1500; seed++) {
    const random = seededRandom(seed), { asker, answerer } = newSession(seed % 2 === 0);
    asker.ask(randomQuestion(random), 0);
    const victim = pick<Asker | Answerer>(random, [asker, answerer]);
    const other = victim === asker ? answerer : asker;
    for (let steps = int(random, 6); steps > 0; steps--) {
      carry(other, victim, random);
      carry(victim, other, random);
    }
    for (let frames = 0; frames < 3; frames++) {
      for (const bytes of encodeFrame(randomFrame(random))) {
        const sent = pick(random, [
          () => bytes,
          () => flipped(random, bytes),
          () => randomBytes(random, 30),
        ])();
        victim.handleBytes(sent, 0);
        victim.handleTimeout(int(random, 2) * 100_000);
        while (victim.pollEvent());
        takeAll(victim);
      }
    }
  }
});
