/** The checker finds what is planted in a sound run of keys, orders, archives and what relays hold in the end. */
import assert from "node:assert/strict";
import type { Fault, Ledger, Subscriber } from "../../support/cluster_ledger.ts";
import {
  destroy,
  gapOver,
  type Got,
  messages,
  nth,
  plantedIn,
  publishOf,
  recordSound,
  unhold,
} from "../../support/cluster_plants.ts";

const sound = recordSound(), findings = plantedIn(sound);

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
  const dying = await findings((ledger) => {
    const fromMs = twice(ledger) - 10;
    ledger.faults.push({ kind: "silence", node: "n0", fromMs, toMs: fromMs + 500 });
    ledger.faults.push({ kind: "crash", node: "n0", fromMs: fromMs + 500, toMs: fromMs + 500 });
  });
  assert.deepEqual(dying, []);
  const standstill = await findings((ledger) => {
    const fromMs = twice(ledger);
    ledger.faults.push({ kind: "standstill", node: "n0", fromMs, toMs: fromMs + 3000 });
  });
  assert.deepEqual(standstill, ["key"]);
});

Deno.test("relays that have not the same in the end are found, unless it was dropped for its number", async () => {
  const lacking = (maxCount: number) => (ledger: Ledger, stays: Subscriber) => {
    Object.assign(ledger.retention, { maxCount });
    unhold(ledger, nth(stays, 1).id, "n2");
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
