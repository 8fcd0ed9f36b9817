import assert from "node:assert/strict";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { run } from "../../src/cli/program.ts";
import { freePort } from "../support/free_port.ts";
import { freeTcpPort, redisTest, startRedis, startRedisCluster } from "../support/redis_server.ts";
import { fakeTerminal } from "../support/terminal.ts";

/** What the doctor says of a Redis, as `about state` and in full. */
async function look(url: string) {
  const terminal = fakeTerminal(), port = String(freePort());
  const flags = ["--json", "--interface", "127.0.0.1", "--group-port", port, "--redis", url];
  const code = await run(["doctor", ...flags], terminal);
  assert.equal(terminal.written.err, "");
  const all: Finding[] = JSON.parse(terminal.written.out).findings;
  const findings = all.filter(({ about }) => about.startsWith("redis "));
  const said = findings.map(({ about, state }) => `${about.slice(6)} ${state}`);
  return { code, said, text: JSON.stringify(findings) };
}

redisTest("a sound Redis, alone or as a Cluster, is found sound", async () => {
  await using redis = await startRedis(["--requirepass", "secret"]);
  const alone = await look(`redis://:secret@${redis.address}/2`);
  assert.deepEqual(alone.said, ["version ok", "role ok", "writes ok", "table ok"]);
  assert.match(alone.text, /\d+\.\d+\.\d+ at redis:\/\/127\.0\.0\.1:\d+\/2 answers in/);
  assert.match(alone.text, /none yet/);
  assert.doesNotMatch(alone.text, /secret/);
  assert.equal(alone.code, 0);

  await using cluster = await startRedisCluster();
  const { said, text } = await look(`redis+cluster://${cluster.servers[0]?.address}`);
  assert.deepEqual(said, ["version ok", "role ok", "writes ok", "table ok"], text);
});

redisTest("what is wrong with a Redis is said in a line, with what to do", async () => {
  const nobody = await look(`redis://127.0.0.1:${freeTcpPort()}`);
  assert.deepEqual([nobody.said, nobody.code], [["version fail"], 1]);
  assert.match(nobody.text, /nothing listens there.*see that it runs/);

  await using redis = await startRedis();
  await using replica = await startRedis(["--replicaof", "127.0.0.1", `${redis.port}`]);
  const copy = await look(`redis://${replica.address}`);
  assert.deepEqual(copy.said, ["version ok", "role fail", "writes fail", "table ok"], copy.text);

  await redis.cli("config", "set", "maxmemory", "1");
  const full = await look(`redis://${redis.address}`);
  assert.deepEqual(full.said, ["version ok", "role ok", "writes fail", "table ok"]);
  assert.match(full.text, /full.*memory/);
});

redisTest("a table that is none is found", async () => {
  await using redis = await startRedis();
  // Each run has a port of its own, and so a table of its own: the key is spoilt for all of them.
  const terminal = fakeTerminal(), port = String(freePort());
  await redis.cli("set", `{groundwave:239.192.7.0:${port}}:groups`, "x");
  const flags = ["--interface", "127.0.0.1", "--group-port", port];
  const code = await run(["doctor", ...flags, "--redis", `redis://${redis.address}`], terminal);
  assert.equal(code, 1);
  assert.match(terminal.written.out, /^fail {2}redis table: something else has the name.*; until/m);
});

redisTest("a URL that is none is a wrong command line, and is not shown", async () => {
  const terminal = fakeTerminal();
  assert.equal(await run(["doctor", "--redis", "http://u:secret@h"], terminal), 2);
  assert.match(terminal.written.err, /--redis: this value is not allowed; give redis:\/\//);
  assert.doesNotMatch(terminal.written.err, /secret/);
});
