/** The checker passes a sound run, and finds what is planted there in what subscribers saw. */
import assert from "node:assert/strict";
import { judge } from "../../support/cluster_checker.ts";
import type { Fault, Ledger, Seen, Subscriber } from "../../support/cluster_ledger.ts";
import {
  destroy,
  drop,
  gapOver,
  type Got,
  lower,
  messages,
  nth,
  plantedIn,
  publishOf,
  recordSound,
} from "../../support/cluster_plants.ts";

type Gap = Extract<Seen, { type: "gap" }>;

const sound = recordSound(), findings = plantedIn(sound);

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
  // Nobody can miss a relay that has come up behind a cut, as long as that lasts.
  const unseen = (startMs: number, healMs: number) => (ledger: Ledger, stays: Subscriber) => {
    const { atMs, node } = publishOf(ledger, messages(stays).at(-1) as Got);
    ledger.starts.push({ node, atMs: atMs + startMs });
    ledger.faults.push({ kind: "cut", node: "0>1", fromMs: atMs - 400, toMs: atMs + healMs });
    late()(ledger, stays);
  };
  assert.deepEqual(await extended(unseen(-300, 4000)), []);
  assert.deepEqual(await extended(unseen(-300, 100)), ["behind"]);
  assert.deepEqual(await extended(unseen(-500, 4000)), ["behind"]);
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

Deno.test("what a channel has dropped is no gap in another, what is lost is one in each of the slot", async () => {
  const plant = (reason: "expired" | "lost") =>
    findings((_, { seen }) => {
      const at = seen.findIndex((event) => event.type === "message" && event.channel === "b{t}");
      const got = seen[at] as Got, atMs = got.atMs - 1;
      seen.splice(at, 0, { ...gapOver(got, atMs) as Gap, channel: "a{t}", reason });
    });
  assert.deepEqual(await plant("expired"), []);
  assert.deepEqual(await plant("lost"), ["gap over replicated"]);
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

Deno.test("a live reader must not get history", async () => {
  const rules = await findings(({ publishes }, stays) => {
    const got = nth(stays, 3);
    const publish = publishes.find(({ data }) => data === got.data);
    assert.ok(publish);
    publishes.splice(publishes.indexOf(publish), 1, { ...publish, atMs: publish.atMs - 20_000 });
  });
  assert.deepEqual(rules, ["history", "stuck"]);
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
