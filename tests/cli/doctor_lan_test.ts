/** The doctor on machines of a lab LAN, sound and not. */
import assert from "node:assert/strict";
import type { Host } from "../../scripts/lan/host.ts";
import { canOpenLabs, Lab } from "../../scripts/lan/lab.ts";
import { shell } from "../../scripts/lan/shell.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { about } from "../support/findings.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const ignore = !canOpenLabs();

/** `doctor --json` on a host of a lab. */
async function doctorOn(host: Host, ...args: string[]) {
  const command = ["run", "-A", "--no-prompt", `${ROOT}src/main.ts`, "doctor", "--json", ...args];
  const options = { cwd: ROOT, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const { code, stdout, stderr } = await host.spawn([Deno.execPath(), ...command], options)
    .output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(decode(stderr), "");
  const lines = decode(stdout).trimEnd().split("\n");
  assert.equal(lines.length, 1);
  const { findings, ok }: { findings: Finding[]; ok: boolean } = JSON.parse(lines[0] ?? "");
  assert.equal(ok, code === 0);
  return { code, findings };
}

Deno.test({ name: "two machines hear each other", ignore }, async () => {
  await using lab = await Lab.open(2);
  const results = await Promise.all(
    lab.hosts.map((host) => doctorOn(host, "--peer", "--seconds", "4")),
  );
  for (const { code, findings } of results) {
    assert.equal(code, 0, JSON.stringify(findings));
    assert.match(about(findings, /^peer 10\.77\.0\./).says, /^heard (\d+) of \1 .*round trip/);
    assert.equal(about(findings, /^eth0 10/).state, "ok");
  }
});

Deno.test({
  name: "a firewall that drops multicast is found on its machine and from the other",
  ignore,
}, async () => {
  await using lab = await Lab.open(2);
  const [one, two] = lab.hosts;
  assert(one && two);
  shell(
    `ip netns exec ${two.name} nft 'add table inet wall; ` +
      `add chain inet wall input { type filter hook input priority 0; }; ` +
      `add rule inet wall input iifname eth0 ip daddr 224.0.0.0/4 drop'`,
  );
  const [open, walled] = await Promise.all(
    lab.hosts.map((host) => doctorOn(host, "--peer", "--seconds", "4")),
  );
  assert.equal(walled?.code, 1);
  const loopback = about(walled.findings, /^eth0 10/);
  assert.equal(loopback.state, "fail");
  assert.match(loopback.mend ?? "", /firewall/);
  assert.match(about(walled.findings, /^peer /).says, /^its multicast does not arrive here/);
  assert.equal(open?.code, 1);
  assert.equal(about(open.findings, /^eth0 10/).state, "ok");
  assert.match(about(open.findings, /^peer /).says, /^it does not hear our multicast/);
});

Deno.test(
  {
    name:
      "without another doctor --peer fails; a link that is down, and that there is no address, is named",
    ignore,
  },
  async () => {
    await using lab = await Lab.open(1);
    const [host] = lab.hosts;
    assert(host);
    const alone = await doctorOn(host, "--peer", "--seconds", "1");
    assert.equal(alone.code, 1);
    assert.match(about(alone.findings, /^peers$/).says, /^no other doctor heard$/);
    host.unplug();
    const cut = await doctorOn(host, "--interface", host.address);
    assert.equal(cut.code, 1);
    assert.match(about(cut.findings, /^eth0 link$/).says, /^no carrier$/);
    shell(`ip -n ${host.name} addr flush dev eth0; ip -n ${host.name} addr flush dev lo`);
    const bare = await doctorOn(host, "--peer", "--seconds", "1");
    assert.equal(bare.code, 1);
    assert.match(about(bare.findings, /^interface$/).says, /^none has an IPv4 address$/);
  },
);
