import assert from "node:assert/strict";
import { openUdp } from "../../backbone/udp.ts";
import { Exchange } from "../../src/cli/doctor/exchange.ts";
import { type Finding, findingLine } from "../../src/cli/doctor/finding.ts";
import { checkBuffer, checkMemberships } from "../../src/cli/doctor/host.ts";
import { checkLink } from "../../src/cli/doctor/link.ts";
import { checkOwnPort } from "../../src/cli/doctor/own_port.ts";
import { judgePeers } from "../../src/cli/doctor/peers.ts";
import { decodeMessage, encodeMessage } from "../../src/cli/doctor/probe.ts";
import { run } from "../../src/cli/program.ts";
import { about } from "../support/findings.ts";
import { freePort } from "../support/free_port.ts";
import { fakeTerminal } from "../support/terminal.ts";

const GROUP = { address: "239.192.7.0", port: 3055 };

/** `doctor --json` in this process. */
async function doctor(...args: string[]) {
  const terminal = fakeTerminal();
  const code = await run(["doctor", "--json", ...args], terminal);
  assert.equal(terminal.written.err, "");
  const findings: Finding[] = JSON.parse(terminal.written.out).findings;
  return { code, findings };
}

Deno.test("loopback works, its port is free; then it is taken, by one that shares and one that does not", async () => {
  const port = freePort(), flags = ["--interface", "127.0.0.1", "--group-port", String(port)];
  const { code, findings } = await doctor(...flags);
  assert.equal(code, 0);
  assert.equal(about(findings, /^lo 127/).state, "ok");
  assert.equal(about(findings, /^127\.0\.0\.1:/).state, "ok");

  const own = { port, datagram: () => {} };
  const node = await openUdp({ interfaceAddress: "127.0.0.1", own, error: () => {} });
  try {
    const beside = await doctor(...flags);
    assert.equal(beside.code, 0);
    assert.equal(about(beside.findings, /^127\.0\.0\.1:/).state, "warn");
  } finally {
    node.close();
  }

  const other = freePort();
  const hog = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: other });
  try {
    const hogged = await doctor(...flags.with(-1, String(other)), "--peer", "--seconds", "1");
    assert.equal(hogged.code, 1);
    for (const where of [/^lo 127/, /^peers$/]) {
      const { state, says, mend } = about(hogged.findings, where);
      assert.equal(state, "fail");
      assert.match(says, /taken by a program that does not share it/);
      assert.match(mend ?? "", /ss -ulpn/);
    }
  } finally {
    hog.close();
  }
});

Deno.test("a port that may not be had is a warning, as an address is that has gone", () => {
  const { state, says } = checkOwnPort("203.0.113.9", 3055);
  assert.equal(state, "warn");
  assert.match(says, /^no socket for multicast: /);
});

Deno.test("lines name the state, the place, the trouble and its mend", async () => {
  const terminal = fakeTerminal();
  const port = String(freePort());
  const code = await run(["doctor", "--interface=127.0.0.1", "--group-port", port], terminal);
  assert.equal(code, 0);
  const lines = terminal.written.out.trimEnd().split("\n");
  for (const line of lines) assert.match(line, /^(ok {4}|warn {2}|fail {2})\S.*: \S/);
  const finding = { state: "warn", about: "a", says: "b", mend: "c" } as const;
  assert.equal(findingLine(finding), "warn  a: b; c");
});

Deno.test("an address that no interface has is an error that names those there are", async () => {
  const terminal = fakeTerminal();
  assert.equal(await run(["doctor", "--interface", "203.0.113.9"], terminal), 1);
  assert.match(
    terminal.written.err,
    /^no interface has the address 203\.0\.113\.9; .*127\.0\.0\.1/,
  );
});

Deno.test("links: down, unplugged, without multicast, behind a bridge that prunes", () => {
  const link = (files: Record<string, string>) =>
    checkLink("eth0", "fail", (path) => files[path.replace("/sys/class/net/eth0/", "")]);
  const states = (files: Record<string, string>) => link(files).map(({ state }) => state);
  const snooping = { "master/bridge/multicast_snooping": "1" };
  assert.deepEqual(link({}), [], "not Linux: nothing is known");
  assert.deepEqual(states({ flags: "0x1003" }), ["ok"]);
  assert.deepEqual(states({ flags: "0x9" }), ["ok"], "lo has no multicast flag, and can");
  assert.deepEqual(states({ flags: "0x1002" }), ["fail"]);
  assert.match(link({ flags: "0x1002" })[0]?.mend ?? "", /^ip link set eth0 up$/);
  assert.deepEqual(states({ flags: "0x1003", carrier: "0" }), ["fail"]);
  assert.match(link({ flags: "0x3" })[0]?.mend ?? "", /^ip link set eth0 multicast on$/);
  assert.deepEqual(states({ flags: "0x1003", ...snooping }), ["ok", "warn"]);
  const queries = { "master/bridge/multicast_querier": "1" };
  assert.deepEqual(states({ flags: "0x1003", ...snooping, ...queries }), ["ok", "ok"]);
  const off = { "bridge/multicast_snooping": "0" };
  assert.deepEqual(states({ flags: "0x1003", ...off }), ["ok", "ok"]);
});

Deno.test("the host: small buffers and too few memberships come with the line that mends them", () => {
  const small = checkBuffer(212_992);
  assert.equal(small.state, "warn");
  assert.match(small.mend ?? "", /^sysctl -w net\.core\.rmem_max=\d+$/);
  assert.equal(checkBuffer(64 << 20).state, "ok");
  assert.equal(checkMemberships(() => "20").state, "ok");
  assert.equal(checkMemberships(() => "0").state, "fail");
  assert.equal(checkMemberships(() => undefined).state, "ok");
});

/** Two exchanges, and a network between them that says what passes; answers the verdicts of both. */
function meet(passes: (from: "a" | "b", way: "group" | "own", nth: number) => boolean) {
  const ends = { a: new Exchange("AAAAAAAA"), b: new Exchange("BBBBBBBB") };
  const addresses = { a: "10.0.0.1", b: "10.0.0.2" };
  const nth = { a: 0, b: 0 };
  const deliver = (
    from: "a" | "b",
    way: "group" | "own",
    content: Parameters<typeof encodeMessage>[0],
    nowMs: number,
  ) => {
    const to = from === "a" ? "b" : "a", message = decodeMessage(encodeMessage(content));
    assert(message);
    if (!passes(from, way, nth[from]++)) return;
    const answer = ends[to].handle(message, addresses[from], nowMs);
    if (answer) deliver(to, "own", answer, nowMs + 1);
  };
  for (let nowMs = 0; nowMs < 1000; nowMs += 100) {
    for (const from of ["a", "b"] as const) {
      const probe = ends[from].probe(nowMs);
      const own = decodeMessage(encodeMessage(probe));
      assert(own && ends[from].handle(own, addresses[from], nowMs) === undefined);
      deliver(from, "group", probe, nowMs);
    }
  }
  const verdict = (end: Exchange) => judgePeers(end.report(), GROUP)[0];
  return { a: verdict(ends.a), b: verdict(ends.b) };
}

Deno.test("doctors that meet tell which way is blocked", () => {
  const all = meet(() => true);
  assert.deepEqual([all.a?.state, all.b?.state], ["ok", "ok"]);
  assert.match(all.a?.says ?? "", /^heard 10 of 10 packets and hears us, round trip 1\.0 ms$/);

  const toB = meet((from, way) => way === "own" || from === "a");
  assert.match(toB.a?.says ?? "", /^its multicast does not arrive here, its unicast does$/);
  assert.match(toB.b?.says ?? "", /^it does not hear our multicast$/);

  const noUnicast = meet((_from, way) => way === "group");
  assert.match(noUnicast.a?.says ?? "", /its unicast does not arrive$/);
  assert.equal(noUnicast.a?.state, "warn");

  const lossy = meet((from, way, nth) => way === "own" || from === "b" || nth % 4 !== 2);
  assert.equal(lossy.b?.state, "warn");
  assert.match(lossy.b?.says ?? "", /^heard [5-9] of (9|10) packets$/);

  const none = meet(() => false);
  assert.deepEqual([none.a?.state, none.b?.state], ["fail", "fail"]);
  assert.match(none.a?.says ?? "", /^no other doctor heard$/);
});

Deno.test("what is no doctor's message is passed over", () => {
  const cases = ["", "{", "null", "[]", "{}", `{"groundwave":"doctor"}`, "\xff".repeat(2000)];
  for (const text of cases) assert.equal(decodeMessage(new TextEncoder().encode(text)), undefined);
  const hears = Array.from({ length: 65 }, () => "AAAAAAAA");
  assert.equal(decodeMessage(encodeMessage({ id: "AAAAAAAA", sent: 1, hears })), undefined);
  assert.equal(decodeMessage(encodeMessage({ id: "short", sent: 1, hears: [] })), undefined);
});

Deno.test("an exchange looks at a bounded number of others", () => {
  const exchange = new Exchange("AAAAAAAA");
  for (let i = 0; i < 1000; i++) {
    const id = String(i).padStart(8, "0");
    exchange.handle({ groundwave: "doctor", id, sent: 1, hears: [] }, "10.0.0.1", 0);
  }
  assert.equal(exchange.report().length, 64);
});
