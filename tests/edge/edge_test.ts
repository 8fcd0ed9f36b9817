import assert from "node:assert/strict";
import type { Assets } from "../../src/edge/page.ts";
import { errorOf, fixture, StreamReader } from "./fixture.ts";
import { settle } from "./fake_host.ts";

const PATHS = {
  GET: ["/sse", "/ws", "/poll", "/history", "/healthz", "/readyz", "/metrics", "/", "/client.js"],
  POST: ["/publish", "/publish/a", "/publish/a/b"],
};

const assets: Assets = {
  "/": { type: "text/html; charset=utf-8", body: "<!doctype html><p>page" },
  "/client.js": { type: "text/javascript; charset=utf-8", body: "export {}" },
};

Deno.test("wrong methods are 405 with those that are right, unknown paths 404", async () => {
  const { ask } = fixture({ assets });
  for (const [right, paths] of Object.entries(PATHS)) {
    for (const path of paths) {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"]) {
        if (method === right) continue;
        const response = await ask(path, { method });
        assert.equal(response.headers.get("allow")?.split(", ")[0], right, `${method} ${path}`);
        assert.equal(await errorOf(response), "405 method_not_allowed", `${method} ${path}`);
      }
    }
  }
  for (const path of ["/nothing", "/publishx", "/sse/a", "/client.js/", "//sse"]) {
    assert.equal(await errorOf(await ask(path)), "404 not_found", path);
  }
  assert.equal(await errorOf(await ask("/publishx", { method: "POST" })), "404 not_found");
  const head = await ask("/publish/a", { method: "HEAD" });
  assert.equal(head.status, 405);
});

Deno.test("other origins may do everything, and read when to come back", async () => {
  const { ask, post } = fixture({ assets });
  for (
    const response of [
      await post("/publish/a", "x"),
      await ask("/history?channel=a"),
      await ask("/healthz"),
      await ask("/client.js"),
      await post("/publish/a?ack=archived", "x"),
      await ask("/nothing"),
    ]
  ) {
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    const exposed = response.headers.has("retry-after") ? "Retry-After" : null;
    assert.equal(response.headers.get("access-control-expose-headers"), exposed);
    await response.body?.cancel();
  }
  const preflight = await ask("/publish/a", {
    method: "OPTIONS",
    headers: {
      "origin": "http://elsewhere.test",
      "access-control-request-method": "POST",
      "access-control-request-headers": "groundwave-event,idempotency-key",
    },
  });
  assert.equal(preflight.status, 204);
  const allowed = preflight.headers;
  assert.equal(allowed.get("access-control-allow-origin"), "*");
  assert.match(allowed.get("access-control-allow-methods") ?? "", /POST/);
  assert.match(allowed.get("access-control-allow-headers") ?? "", /groundwave-event/);
});

Deno.test("health is being alive, readiness is the relay's word", async () => {
  const { ask, upstream } = fixture();
  assert.deepEqual(await (await ask("/healthz")).json(), { status: "ok", node: "memory" });
  assert.deepEqual(await (await ask("/readyz")).json(), { status: "ready" });
  const notes = ["Redis: nothing listens there"];
  upstream.readinessNow = { ready: true, reasons: [], notes };
  assert.deepEqual(await (await ask("/readyz")).json(), { status: "ready", notes });
  upstream.readinessNow = { ready: false, reasons: ["starting"], notes: [] };
  const response = await ask("/readyz");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: "unavailable", reasons: ["starting"] });
  assert.equal((await ask("/healthz", { method: "HEAD" })).status, 200);
});

Deno.test("metrics are Prometheus text: each family once, labels escaped", async () => {
  const { ask, post } = fixture();
  await (await post("/publish/a", "x")).body?.cancel();
  await (await post("/publish/a?event=gap", "x")).body?.cancel();
  const messages = ["b", "b", ""].map((channel) => ({ channel, data: "x" }));
  const json = { "content-type": "application/json" };
  await (await post("/publish", JSON.stringify({ messages }), json)).body?.cancel();
  const stream = new StreamReader(await ask("/sse?channel=a&after=earliest"));
  await stream.next();
  await stream.next();
  const text = await (await ask("/metrics")).text();
  for (
    const line of [
      'groundwave_edge_connections{transport="sse"} 1',
      'groundwave_edge_deliveries_total{transport="sse"} 1',
      'groundwave_edge_publishes_total{result="accepted"} 3',
      'groundwave_edge_publishes_total{result="channel_invalid"} 1',
      'groundwave_edge_errors_total{code="channel_invalid"} 1',
      'groundwave_edge_errors_total{code="event_reserved"} 1',
      'groundwave_memory_messages{quoted="a\\"b\\\\c"} 3',
    ]
  ) assert.ok(text.split("\n").includes(line), `${line}\n${text}`);
  const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.equal(new Set(families).size, families.length);
  await stream.cancel();
});

Deno.test("the page runs under a strict policy, and what has not changed is not sent again", async () => {
  const { ask } = fixture({ assets });
  const page = await ask("/");
  assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'none'/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(await page.text(), assets["/"]?.body);
  const script = await ask("/client.js");
  assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.equal(script.headers.get("cache-control"), "no-cache");
  assert.equal(script.headers.has("content-security-policy"), false);
  await script.body?.cancel();
  const tag = script.headers.get("etag") ?? "";
  assert.notEqual(tag, "");
  const again = await ask("/client.js", { headers: { "if-none-match": tag } });
  assert.equal(again.status, 304);
  assert.equal((await ask("/client.js", { method: "HEAD" })).status, 200);
});

Deno.test("connections are bounded in all and per address, and give their places back", async () => {
  const { ask, socket, host } = fixture({
    limits: { connections: 3, connectionsPerAddress: 2 },
  });
  const one = await ask("/sse?channel=a"), two = await socket();
  const refused = await ask("/sse?channel=a");
  assert.equal(refused.headers.get("retry-after"), "5");
  assert.equal(await errorOf(refused), "429 rate_limited");
  assert.equal(await errorOf(await ask("/poll?channel=a")), "429 rate_limited");
  const other = await ask("/sse?channel=a", {}, "192.0.2.2");
  assert.equal(await errorOf(await ask("/sse?channel=a", {}, "192.0.2.3")), "429 rate_limited");
  await one.body?.cancel();
  two.leave();
  await other.body?.cancel();
  assert.equal(await errorOf(await ask("/sse?channel=")), "400 channel_invalid");
  for (let count = 0; count < 2; count++) {
    const again = await ask("/sse?channel=a");
    assert.equal(again.status, 200);
    await again.body?.cancel();
  }
  await host.pass(2000);
  assert.equal(host.timers, 0);
});

Deno.test("a drain refuses what is new and ends streams in waves, with the reason", async () => {
  const { ask, post, socket, edge, host, upstream } = fixture({ limits: { drainMs: 2000 } });
  const streams = [];
  for (let at = 0; at < 20; at++) streams.push(new StreamReader(await ask("/sse?channel=a")));
  const web = await socket("/ws?channel=a");
  const poll = ask("/poll?channel=a");
  await settle();
  assert.equal(upstream.subscriptions, 22);
  const drained = edge.drain();
  await settle();
  const left = upstream.subscriptions;
  assert.ok(left > 0 && left < 22, `${left} of 22 after the first wave`);
  assert.equal(await errorOf(await ask("/sse?channel=a")), "503 draining");
  assert.equal(await errorOf(await post("/publish/a", "x")), "503 draining");
  assert.deepEqual(await (await ask("/readyz")).json(), {
    status: "unavailable",
    reasons: ["draining"],
  });
  await host.pass(2000);
  await drained;
  await edge.drain();
  assert.equal(upstream.subscriptions, 0);
  for (const stream of streams) {
    await stream.next();
    const last = await stream.next();
    assert.equal(JSON.parse(last?.data ?? "").code, "draining");
    assert.equal(await stream.next(), undefined);
  }
  assert.deepEqual(web.socket.closedWith, { code: 4001, reason: "draining" });
  assert.deepEqual((await (await poll).json()).messages, []);
  await host.pass(2000);
  assert.equal(host.timers, 0);
});

Deno.test("a drain ends what was being prepared when it began", async () => {
  const { ask, edge, host, upstream } = fixture();
  const gate = Promise.withResolvers<void>();
  upstream.gate = gate.promise;
  const asked = ask("/sse?channel=a"), polled = ask("/poll?channel=a");
  await settle();
  const drained = edge.drain();
  await settle();
  gate.resolve();
  assert.equal(await errorOf(await asked), "503 draining");
  assert.deepEqual((await (await polled).json()).messages, []);
  await drained;
  assert.equal(upstream.subscriptions, 0);
  assert.equal(host.timers, 0);
});

Deno.test("a grant decides who may read what, by every path", async () => {
  for (
    const [identified, expected] of [
      [true, "403 forbidden"],
      [false, "401 unauthorized"],
    ] as const
  ) {
    const grant = { identified, publish: () => false, subscribe: (c: string) => c === "mine" };
    const { ask, upstream } = fixture({ grants: { of: () => Promise.resolve(grant) } });
    for (const path of ["/sse", "/poll", "/history"]) {
      const refused = await ask(`${path}?channel=mine&channel=yours&wait=0`);
      assert.equal(await errorOf(refused), expected, path);
      const allowed = await ask(`${path}?channel=mine&wait=0`);
      assert.equal(allowed.status, 200, path);
      await allowed.body?.cancel();
    }
    assert.equal(upstream.subscriptions, 0);
  }
});
