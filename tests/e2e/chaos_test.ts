/** Real nodes on a lossy LAN are killed, cut off and stopped, and Redis with them: no promise is broken. */
import assert from "node:assert/strict";
import { canOpenLabs, Lab } from "../../scripts/lan/lab.ts";
import { amount } from "../support/soak.ts";
import type { ChaosPlan, ChaosReport } from "./chaos/main.ts";

const MAIN = new URL("chaos/main.ts", import.meta.url).pathname;
const NODES = 4;

async function chaos(plan: Omit<ChaosPlan, "clients" | "nodes">): Promise<ChaosReport> {
  await using lab = await Lab.open(NODES + 1);
  const [clients, ...nodes] = lab.hosts.map(({ options }) => options);
  const command = [Deno.execPath(), "run", "-A", MAIN, JSON.stringify({ ...plan, clients, nodes })];
  const child = lab.hosts[0]?.spawn(command, { stdin: "null", stdout: "piped", stderr: "inherit" });
  assert.ok(child);
  const { success, stdout } = await child.output();
  assert.ok(success, "the run ended before its end");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Where what happened is kept, if something went wrong. */
async function keep({ violations, trace }: ChaosReport): Promise<string> {
  const path = await Deno.makeTempFile({ prefix: "groundwave-chaos-", suffix: ".log" });
  await Deno.writeTextFile(path, [...violations, "", ...trace].join("\n"));
  return path;
}

Deno.test({ name: "chaos: zero violations", ignore: !canOpenLabs() }, async () => {
  const seed = Math.floor(performance.timeOrigin) % 1_000_000;
  const report = await chaos({ seed, forMs: amount(60_000, 1_800_000), perS: 10, loss: 5 });
  const { violations, trace: _, ...figures } = report;
  if (violations.length > 0) {
    const path = await keep(report);
    assert.fail(
      `${violations.length} violations, see ${path}:\n${violations.slice(0, 20).join("\n")}`,
    );
  }
  console.log(JSON.stringify(figures));
  const { faults, replicated, delivered } = report;
  assert.ok((faults.crash ?? 0) >= 2 && (faults.cut ?? 0) >= 1, "too little went wrong");
  assert.ok(replicated > 500 && delivered > 5000, "too little was published");
});
