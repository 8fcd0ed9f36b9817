/** The checker passes a sound run, and finds in it whatever is planted there. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import type { Fault, Ledger, Publish, Seen, Subscriber } from "../../support/cluster_ledger.ts";
import type { Rule } from "../../support/cluster_violation.ts";
import { ClusterWorld } from "../../support/cluster_world.ts";

type Got = Extract<Seen, { type: "message" }>;

/** Three relays over sound wires: two publish, one subscriber stays and one moves. */
async function record(): Promise<Ledger> {
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

const sound = record();

/** Plants something in a copy of the sound run, and answers the rules that the checker finds broken. */
async function findings(plant: (ledger: Ledger, stays: Subscriber) => void): Promise<Rule[]> {
  const ledger = structuredClone(await sound);
  const [stays] = ledger.subscribers;
  assert.ok(stays);
  plant(ledger, stays);
  return [...new Set(judge(ledger).map(({ rule }) => rule))].sort();
}

function messages({ seen }: Subscriber): Got[] {
  return seen.filter((event) => event.type === "message");
}

/** The nth message that it got. */
function nth(subscriber: Subscriber, n: number): Got {
  const message = messages(subscriber)[n];
  assert.ok(message);
  return message;
}

function publishOf(ledger: Ledger, { data }: { readonly data: string }): Publish {
  const publish = ledger.publishes.find((one) => one.data === data);
  assert.ok(publish);
  return publish;
}

function drop(subscriber: Subscriber, id: string): void {
  const at = subscriber.seen.findIndex((event) => event.type === "message" && event.id === id);
  if (at >= 0) subscriber.seen.splice(at, 1);
}

/** No relay has it in the end, or not this one. */
function unhold({ stands }: Ledger, id: string, node?: string): void {
  stands.forEach((stand, i) => {
    if (node !== undefined && stand.node !== node) return;
    stands[i] = { ...stand, ids: stand.ids.filter((one) => one !== id) };
  });
}

/** Nobody has it any more, though it was answered `replicated`. */
function destroy(ledger: Ledger, message: Got): Publish {
  for (const subscriber of ledger.subscribers) drop(subscriber, message.id);
  unhold(ledger, message.id);
  const publish = publishOf(ledger, message);
  publish.answer = { atMs: publish.atMs + 1, id: message.id, level: "replicated" };
  return publish;
}

/** It was answered `accepted`. */
function lower(publish: Publish): void {
  const { answer } = publish;
  if (answer && "level" in answer) publish.answer = { ...answer, level: "accepted" };
}

function gapOver({ id, channel }: Got, atMs: number): Seen {
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

Deno.test("a sound run breaks no rule", async () => {
  assert.deepEqual(judge(await sound), []);
  const [stays, moves] = (await sound).subscribers;
  assert.ok(stays && moves);
  assert.equal(messages(stays).length, 24);
  assert.equal(messages(moves).length, 18);
  assert.ok(messages(stays).some((got) => got.channel === "b{t}"));
  const { publishes } = await sound;
  assert.ok(publishes.some(({ after }) => after), "something is stated");
  assert.ok(
    publishes.some(({ answer }) => answer && "level" in answer && answer.level !== "accepted"),
  );
});

Deno.test("a message that one subscriber never gets is missing", async () => {
  const rules = await findings((_, stays) => drop(stays, nth(stays, 5).id));
  // Something later followed it.
  assert.deepEqual(rules, ["after", "behind", "missing"]);
});

Deno.test("a replicated message that nobody holds is missing, one that was only accepted is passed over", async () => {
  const rules = await findings((ledger, stays) => void destroy(ledger, nth(stays, 5)));
  assert.deepEqual(rules, ["after", "behind", "missing"]);
  const accepted = await findings((ledger, stays) => {
    const publish = destroy(ledger, nth(stays, 5));
    lower(publish);
  });
  assert.deepEqual(accepted, ["silent"]);
});

Deno.test("two crashes at once excuse what they destroyed, but not silence, two with a re-replication between them excuse nothing", async () => {
  const crash = (whole: boolean) => (ledger: Ledger, stays: Subscriber) => {
    const { atMs } = destroy(ledger, nth(stays, 5));
    for (const ms of [atMs + 100, atMs + 900]) {
      ledger.faults.push({ kind: "crash", node: "n0", fromMs: ms, toMs: ms });
    }
    if (whole) ledger.wholeMs.push(atMs + 800);
  };
  assert.deepEqual(await findings(crash(false)), ["silent"]);
  assert.deepEqual(await findings(crash(true)), ["after", "behind", "missing"]);
});

Deno.test("a message that comes twice is found, at once or after a reconnect", async () => {
  assert.deepEqual(await findings((_, { seen }) => seen.splice(9, 0, seen[8] as Seen)), [
    "duplicate",
  ]);
  const rules = await findings((ledger) => {
    const moves = ledger.subscribers[1];
    assert.ok(moves);
    const opened = moves.seen.findLastIndex(({ type }) => type === "opened");
    moves.seen.splice(opened + 1, 0, nth(moves, 2));
  });
  assert.deepEqual(rules, ["duplicate"]);
});

Deno.test("messages of one origin in the wrong order are found", async () => {
  const rules = await findings((_, { seen }) => {
    const [one, , other] = seen.slice(5, 8);
    seen.splice(5, 1, other as Seen);
    seen.splice(7, 1, one as Seen);
  });
  assert.deepEqual(rules, ["order"]);
});

Deno.test("a message that overtakes what it follows is found, unless a gap named that before", async () => {
  const swap = (gap: boolean) => (ledger: Ledger, stays: Subscriber) => {
    const late = messages(stays).findIndex((got) => publishOf(ledger, got).after);
    const follower = nth(stays, late), { origin } = originOf(follower);
    const before = messages(stays).slice(0, late).findLast((got) =>
      originOf(got).origin !== origin
    );
    assert.ok(before);
    drop(stays, before.id);
    lower(publishOf(ledger, before));
    const at = stays.seen.indexOf(follower) + (gap ? 0 : 1);
    stays.seen.splice(at, 0, gap ? gapOver(before, before.atMs) : before);
  };
  assert.deepEqual(await findings(swap(false)), ["after"]);
  assert.deepEqual(await findings(swap(true)), []);
});

function originOf({ id }: Got): { readonly origin: string } {
  return { origin: id.slice(0, 8) };
}

Deno.test("who is behind for over 5 s must be told: by a gap, or as long as it lasts by `stale`", async () => {
  const late = (...told: ("stale" | "fresh")[]) => (_: Ledger, { seen }: Subscriber) => {
    const last = seen.findLastIndex(({ type }) => type === "message");
    const message = seen[last];
    assert.ok(message?.type === "message");
    const { atMs, channel } = message;
    seen.splice(last, 1, { ...message, atMs: atMs + 5900 });
    told.forEach((type, i) => {
      seen.splice(last + i, 0, { type, atMs: atMs + 3000 + i * 1000, channel });
    });
  };
  const extended = (plant: (ledger: Ledger, stays: Subscriber) => void) =>
    findings((ledger, stays) => {
      ledger.endMs += 10_000;
      plant(ledger, stays);
    });
  assert.deepEqual(await extended(late()), ["behind"]);
  assert.deepEqual(await extended(late("stale")), []);
  assert.deepEqual(await extended(late("stale", "fresh")), ["behind"]);
});

Deno.test("a gap over a replicated message is found, unless a cut, retention or two crashes excuse it", async () => {
  const plant = (excuse: (ledger: Ledger, atMs: number) => void) =>
    findings((ledger, stays) => {
      const got = nth(stays, 12);
      const { atMs } = destroy(ledger, got);
      for (const { seen, channels } of ledger.subscribers) {
        const at = seen.findIndex((event) => event.atMs > atMs);
        if (channels.includes(got.channel)) seen.splice(at, 0, gapOver(got, atMs + 100));
      }
      excuse(ledger, atMs);
    });
  assert.deepEqual(await plant(() => {}), ["gap over replicated"]);
  const cut = (ledger: Ledger, atMs: number) =>
    void ledger.faults.push({ kind: "cut", node: "0>1", fromMs: atMs - 3000, toMs: atMs - 1000 });
  assert.deepEqual(await plant(cut), []);
  const oneCrash = (ledger: Ledger, atMs: number) =>
    void ledger.faults.push({ kind: "crash", node: "n1", fromMs: atMs, toMs: atMs });
  assert.deepEqual(await plant(oneCrash), ["gap over replicated"]);
});

Deno.test("being told that nobody can tell what is missing is found, unless those who knew were gone", async () => {
  const plant = (...faults: readonly Fault["kind"][]) =>
    findings((ledger, { seen }) => {
      const { atMs, channel } = seen.at(-1) as Got;
      seen.push({ type: "gap", atMs, channel, reason: "unknown", missing: [] });
      faults.forEach((kind, i) => {
        const fromMs = atMs - 12_000 + 500 * i;
        ledger.faults.push({ kind, node: `n${i}`, fromMs, toMs: fromMs });
      });
    });
  assert.deepEqual(await plant(), ["unknown gap"]);
  assert.deepEqual(await plant("crash"), ["unknown gap"]);
  assert.deepEqual(await plant("cut", "leave"), []);
  assert.deepEqual(await plant("crash", "crash"), []);
});

Deno.test("what nobody published, or not so, is found", async () => {
  const altered = (change: Partial<Got>) => (_: Ledger, { seen }: Subscriber) => {
    const at = seen.findIndex(({ type }) => type === "message");
    seen.splice(at, 1, { ...seen[at] as Got, ...change });
  };
  assert.deepEqual(await findings(altered({ data: "nobody's" })), ["invented"]);
  assert.deepEqual(await findings(altered({ channel: "c" })), ["invented"]);
  assert.deepEqual(await findings(altered({ id: "garbled" })), [
    "after",
    "behind",
    "invented",
    "missing",
  ]);
  const oneIdForTwo = await findings(({ publishes: [one, other] }) => {
    assert.ok(one?.answer && other);
    other.answer = one.answer;
  });
  assert.deepEqual(oneIdForTwo, ["invented"]);
});

Deno.test("two ids for one key are found, unless its custodian died meanwhile", async () => {
  const twice = (ledger: Ledger) => {
    const first = ledger.publishes[8], { answer } = first ?? {};
    assert.ok(first && answer && "id" in answer);
    const id = answer.id.replace(/[^.]+$/, "zz");
    ledger.publishes.push({
      ...first,
      atMs: first.atMs + 50,
      answer: { ...answer, id, level: "accepted" },
    });
    return first.atMs;
  };
  assert.deepEqual(await findings((ledger) => void twice(ledger)), ["key"]);
  const excused = await findings((ledger) => {
    const fromMs = twice(ledger);
    ledger.faults.push({ kind: "crash", node: "n0", fromMs, toMs: fromMs });
  });
  assert.deepEqual(excused, []);
  const standstill = await findings((ledger) => {
    const fromMs = twice(ledger);
    ledger.faults.push({ kind: "standstill", node: "n0", fromMs, toMs: fromMs + 3000 });
  });
  assert.deepEqual(standstill, ["key"]);
});

Deno.test("a live reader must not get history", async () => {
  const rules = await findings(({ publishes }, stays) => {
    const got = nth(stays, 3);
    const publish = publishes.find(({ data }) => data === got.data);
    assert.ok(publish);
    publishes.splice(publishes.indexOf(publish), 1, { ...publish, atMs: publish.atMs - 20_000 });
  });
  assert.deepEqual(rules, ["history", "stuck"]);
});

Deno.test("relays that have not the same in the end are found, unless it was dropped for its number", async () => {
  const lacking = (maxCount: number) => (ledger: Ledger, stays: Subscriber) => {
    Object.assign(ledger.retention, { maxCount });
    unhold(ledger, nth(stays, 0).id, "n2");
  };
  assert.deepEqual(await findings(lacking(1000)), ["converge"]);
  assert.deepEqual(await findings(lacking(5)), []);
  const elsewhere = await findings(({ stands }) => {
    const [stand] = stands;
    assert.ok(stand);
    stands[0] = {
      ...stand,
      vector: new Map([...stand.vector].map(([one, seq]) => [one, seq + 1])),
    };
  });
  assert.deepEqual(elsewhere, ["converge"]);
});

Deno.test("two orders of what was to be in one are found, unless one of both was given up, or a crash came between", async () => {
  const swapped = (excuse: (ledger: Ledger, one: Got) => void) =>
    findings((ledger, stays) => {
      const [, one, other] = messages(stays).filter((got) => publishOf(ledger, got).order);
      assert.ok(one && other);
      const { seen } = stays, from = seen.indexOf(one);
      seen.splice(seen.indexOf(other) + 1, 0, one);
      seen.splice(from, 1);
      excuse(ledger, one);
    });
  const isFound = async (excuse: (ledger: Ledger, one: Got) => void) =>
    (await swapped(excuse)).includes("total");
  assert.ok(await isFound(() => {}));
  const crash = ({ faults }: Ledger, { atMs }: Got) =>
    void faults.push({ kind: "crash", node: "n1", fromMs: atMs, toMs: atMs });
  assert.ok(!await isFound(crash));
  const standstill = ({ faults }: Ledger, { atMs }: Got) =>
    void faults.push({ kind: "standstill", node: "n1", fromMs: atMs, toMs: atMs + 3000 });
  assert.ok(await isFound(standstill));
  const given = ({ subscribers: [stays] }: Ledger, one: Got) =>
    void stays?.seen.unshift(gapOver(one, one.atMs));
  assert.ok(!await isFound(given));
});

Deno.test("what was archived is kept, though all relays crash, unless its store lost it, and nobody could fill that", async () => {
  const archived =
    (...faults: readonly [Fault["kind"], number][]) => (ledger: Ledger, stays: Subscriber) => {
      const got = nth(stays, 5), publish = destroy(ledger, got);
      ledger.subscribers[0]?.seen.unshift(gapOver(got, got.atMs));
      ledger.subscribers[1]?.seen.unshift(gapOver(got, got.atMs));
      publish.answer = { atMs: publish.atMs + 1, id: got.id, level: "archived" };
      for (const [kind, ms] of faults) {
        ledger.faults.push({
          kind,
          node: "n0",
          fromMs: publish.atMs + ms,
          toMs: publish.atMs + ms,
        });
      }
    };
  const crashes = (ms: number) => Array(3).fill(["crash", ms]) as [Fault["kind"], number][];
  assert.deepEqual(await findings(archived()), ["archived"]);
  assert.deepEqual(await findings(archived(...crashes(100))), ["archived"]);
  assert.deepEqual(await findings(archived(["loss", 50], ...crashes(100))), []);
  assert.deepEqual(await findings(archived(["loss", 50])), ["archived"]);
  assert.deepEqual(await findings(archived(["loss", 50], ...crashes(7000))), ["archived"]);
  assert.deepEqual(await findings(archived(["loss", 50], ["archive", 60], ...crashes(7000))), []);
});

Deno.test("what an archive had when all crashed is kept, whatever was answered; what it had not may be gone", async () => {
  const crashed = (isKept: boolean) => (ledger: Ledger, stays: Subscriber) => {
    const got = nth(stays, 5), { atMs } = destroy(ledger, got);
    for (const { seen } of ledger.subscribers) seen.unshift(gapOver(got, atMs + 200));
    for (const node of ["n0", "n1", "n2"]) {
      ledger.faults.push({ kind: "crash", node, fromMs: atMs + 100, toMs: atMs + 100 });
    }
    ledger.kept.push({ atMs: atMs + 100, ids: isKept ? [got.id] : [] });
  };
  assert.deepEqual(await findings(crashed(true)), ["archived", "gap over replicated"]);
  assert.deepEqual(await findings(crashed(false)), []);
});

Deno.test("who has a sound archive can tell what is missing, though all relays crash", async () => {
  const told = (...faults: readonly Fault["kind"][]) => (ledger: Ledger, { seen }: Subscriber) => {
    const { atMs, channel } = seen.at(-1) as Got;
    seen.push({ type: "gap", atMs, channel, reason: "unknown", missing: [] });
    ledger.kept.push({ atMs: atMs - 4000, ids: [] });
    for (const kind of ["crash", "crash", ...faults] as const) {
      ledger.faults.push({ kind, node: "n0", fromMs: atMs - 4000, toMs: atMs - 3000 });
    }
  };
  assert.deepEqual(await findings(told()), ["unknown gap"]);
  assert.deepEqual(await findings(told("archive")), []);
});

Deno.test("a relay that fetches again and again what it has is found", async () => {
  assert.equal((await sound).fetches.length, 3);
  const fetched = (times: number) => ({ fetches: [fetch] }: Ledger) => {
    assert.ok(fetch);
    Object.assign(fetch, { messages: times * 24 });
  };
  assert.deepEqual(await findings(fetched(3)), []);
  assert.deepEqual(await findings(fetched(9)), ["fetched"]);
});

Deno.test("`stale` and `fresh` take turns", async () => {
  const said = (...types: ("stale" | "fresh")[]) => (_: Ledger, { seen }: Subscriber) => {
    for (const type of types) seen.push({ type, atMs: seen.at(-1)?.atMs ?? 0, channel: "a{t}" });
  };
  assert.deepEqual(await findings(said("stale", "fresh", "stale")), []);
  assert.deepEqual(await findings(said("fresh")), ["stale"]);
  assert.deepEqual(await findings(said("stale", "stale")), ["stale"]);
});

Deno.test("a cursor over its limit is found", async () => {
  const rules = await findings((_, { seen }) => {
    const at = seen.findIndex(({ type }) => type === "message");
    seen.splice(at, 1, { ...seen[at] as Got, cursorChars: 6145 });
  });
  assert.deepEqual(rules, ["cursor"]);
});

Deno.test("who cannot connect in the end, and what is answered too late, is found", async () => {
  const gone = await findings((ledger, { seen }) => {
    seen.push({ type: "closed", atMs: ledger.endMs - 1 });
  });
  assert.deepEqual(gone, ["stuck"]);
  const late = await findings(({ publishes: [publish] }) => {
    assert.ok(publish?.answer);
    publish.answer = { ...publish.answer, atMs: publish.atMs + 13_000 };
  });
  assert.deepEqual(late, ["stuck"]);
});
