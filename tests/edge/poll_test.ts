import assert from "node:assert/strict";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { settle } from "./fake_host.ts";
import { errorOf, fixture } from "./fixture.ts";

interface Page {
  messages: { op: string; channel: string; data: string }[];
  cursor: string;
  gap?: unknown;
  readonly stale?: string[];
}

async function pageOf(response: Response): Promise<Page> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return await response.json();
}

const data = ({ messages }: Page) => messages.map(({ data }) => data);

Deno.test("history answers what is held, page by page", async () => {
  const { ask, upstream } = fixture();
  for (const text of ["1", "2", "3"]) await upstream.publish({ channel: "a", data: text });
  await upstream.publish({ channel: "b", data: "4" });
  const first = await pageOf(await ask("/history?channel=a&channel=b&limit=2"));
  assert.deepEqual(data(first), ["1", "2"]);
  assert.equal("gap" in first, false);
  const rest = await pageOf(await ask(`/history?channel=a&channel=b&after=${first.cursor}`));
  assert.deepEqual(data(rest), ["3", "4"]);
  assert.deepEqual(rest.messages[1], {
    op: "message",
    channel: "b",
    id: (rest.messages[1] as unknown as { id: string }).id,
    data: "4",
    time: 1_700_000_000_003,
  });
  assert.deepEqual(data(await pageOf(await ask(`/history?channel=a&after=${rest.cursor}`))), []);
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("a gap is an object, several are an array", async () => {
  const { ask, upstream } = fixture();
  const { cursor } = await pageOf(await ask("/history?channel=a&channel=b"));
  await upstream.publish({ channel: "a", data: "lost" });
  await upstream.publish({ channel: "b", data: "lost" });
  upstream.forget();
  const one = await pageOf(await ask(`/history?channel=a&after=${cursor}`));
  assert.equal((one.gap as { channel: string }).channel, "a");
  const two = await pageOf(await ask(`/poll?channel=a&channel=b&after=${cursor}`));
  assert.deepEqual((two.gap as { channel: string }[]).map(({ channel }) => channel), ["a", "b"]);
});

Deno.test("a poll with something to tell answers at once", async () => {
  const { ask, upstream, host } = fixture();
  await upstream.publish({ channel: "a", data: "x" });
  assert.deepEqual(data(await pageOf(await ask("/poll?channel=a&after=earliest"))), ["x"]);
  assert.deepEqual(data(await pageOf(await ask("/poll?channel=a&wait=0"))), []);
  assert.equal(host.timers, 0);
});

Deno.test("a poll waits for what comes, and takes all that comes with it", async () => {
  const { ask, upstream, host } = fixture();
  const asking = ask("/poll?channel=a");
  await settle();
  await host.pass(20_000);
  upstream.emit({ type: "stale", channel: "a" });
  for (const text of ["1", "2"]) void upstream.publish({ channel: "a", data: text });
  const page = await pageOf(await asking);
  assert.deepEqual(data(page), ["1", "2"]);
  await upstream.publish({ channel: "a", data: "3" });
  const next = await pageOf(await ask(`/poll?channel=a&after=${page.cursor}`));
  assert.deepEqual(data(next), ["3"]);
  assert.equal(upstream.subscriptions, 0);
});

Deno.test("a poll that waits in vain is empty, and its cursor loses nothing", async () => {
  const { ask, upstream, host } = fixture();
  const asking = ask("/poll?channel=a&wait=3");
  await settle();
  assert.equal(upstream.subscriptions, 1);
  await host.pass(3000);
  const page = await pageOf(await asking);
  assert.deepEqual(page.messages, []);
  await upstream.publish({ channel: "a", data: "x" });
  assert.deepEqual(data(await pageOf(await ask(`/poll?channel=a&after=${page.cursor}`))), ["x"]);
});

Deno.test("a poll that becomes stale says so within 2 s, one that is fresh again does not", async () => {
  const { ask, upstream, host } = fixture();
  const asking = ask("/poll?channel=a&channel=b");
  await settle();
  upstream.emit({ type: "stale", channel: "a" });
  upstream.emit({ type: "stale", channel: "b" });
  upstream.emit({ type: "fresh", channel: "b" });
  await host.pass(2000);
  assert.deepEqual((await pageOf(await asking)).stale, ["a"]);
  const again = ask("/poll?channel=a");
  await settle();
  upstream.emit({ type: "stale", channel: "a" });
  upstream.emit({ type: "fresh", channel: "a" });
  await host.pass(2000);
  assert.equal((await pageOf(await again)).stale, undefined);
  assert.equal(host.timers, 0);
});

Deno.test("a client that goes away ends the wait and holds nothing", async () => {
  const { ask, upstream, host } = fixture();
  const abort = new AbortController();
  const asking = ask("/poll?channel=a", { signal: abort.signal });
  await settle();
  assert.equal(upstream.subscriptions, 1);
  abort.abort();
  await asking;
  await host.pass(1000);
  assert.deepEqual([upstream.subscriptions, host.timers], [0, 0]);
});

Deno.test("the relay's end of the subscription is the poll's error", async () => {
  const { ask, upstream } = fixture();
  const asking = ask("/poll?channel=a");
  await settle();
  upstream.closeAll(new GroundwaveError("unavailable", "lost the way"));
  assert.equal(await errorOf(await asking), "503 unavailable");
});

Deno.test("an answer is bounded in bytes, and the next goes on after it", async () => {
  const { ask, upstream } = fixture({ limits: { pageBytes: 1000 } });
  for (let at = 0; at < 10; at++) {
    await upstream.publish({ channel: "a", data: `${at} ${"x".repeat(400)}` });
  }
  let after = "earliest";
  const seen: number[] = [];
  for (let pages = 0; pages < 5; pages++) {
    const page = await pageOf(await ask(`/poll?channel=a&after=${after}`));
    assert.equal(page.messages.length, 2);
    seen.push(...data(page).map((text) => parseInt(text)));
    after = page.cursor;
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("bad requests get the table's error", async () => {
  const refused = [
    ["400 bad_request", "/poll"],
    ["400 channel_invalid", "/poll?channel="],
    ["400 bad_request", "/poll?channel=a&wait=61"],
    ["400 bad_request", "/poll?channel=a&wait=-1"],
    ["400 bad_request", "/poll?channel=a&wait=1e1"],
    ["400 bad_request", "/poll?channel=a&wait="],
    ["400 bad_request", "/poll?channel=a&wait=1&wait=1"],
    ["400 cursor_invalid", "/poll?channel=a&after=x"],
    ["400 bad_request", "/history"],
    ["400 bad_request", "/history?channel=a&limit=0"],
    ["400 bad_request", "/history?channel=a&limit=1001"],
    ["400 bad_request", "/history?channel=a&limit=0x10"],
    ["400 cursor_invalid", "/history?channel=a&after="],
  ] as const;
  for (const [expected, target] of refused) {
    const { ask, upstream } = fixture();
    assert.equal(await errorOf(await ask(target)), expected, target);
    assert.equal(upstream.subscriptions, 0);
  }
});

Deno.test("a gap leads its page: what came before it is answered first", async () => {
  const { ask, upstream } = fixture();
  for (const text of ["1", "2", "3"]) {
    const { id } = await upstream.publish({ channel: "a", data: text });
    if (text === "2") upstream.lose(id);
  }
  const first = await pageOf(await ask("/poll?channel=a&after=earliest"));
  assert.deepEqual([data(first), first.gap], [["1"], undefined]);
  const second = await pageOf(await ask(`/poll?channel=a&after=${first.cursor}`));
  assert.deepEqual(data(second), ["3"]);
  assert.equal((second.gap as { reason: string }).reason, "lost");
});

Deno.test("a waiting poll leaves a gap behind messages to the next", async () => {
  const { ask, upstream } = fixture();
  const asking = ask("/poll?channel=a");
  await settle();
  const missing = [{ origin: "memory00", from: 9, to: 9 }];
  void upstream.publish({ channel: "a", data: "1" });
  upstream.emit({ type: "gap", channel: "a", reason: "lost", missing });
  void upstream.publish({ channel: "a", data: "2" });
  const page = await pageOf(await asking);
  assert.deepEqual([data(page), page.gap], [["1"], undefined]);
  assert.deepEqual(data(await pageOf(await ask(`/poll?channel=a&after=${page.cursor}`))), ["2"]);
});
