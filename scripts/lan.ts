/**
 * `deno task lan [HOSTS]`: a LAN of 3 hosts, or so many, to try things in. Needs root.
 *
 * Reads commands from standard input, a line each; at its end, or at Ctrl-C, the LAN is gone.
 *
 *     1 COMMAND…      the shell of host 1 runs a command; with & at its end, in the background
 *     loss 2 5 3055   host 2 loses 5 % of what arrives for UDP port 3055
 *     cut 2           pulls the cable of host 2
 *     mend 2          plugs it in again
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Host } from "./lan/host.ts";
import { Lab } from "./lan/lab.ts";

/** Does what a line says. @throws {Error} that says what is wrong with it. */
async function obey(lab: Lab, line: string): Promise<void> {
  const [word = "", ...rest] = line.trim().split(/\s+/);
  const [number, percent, port] = rest;
  switch (word) {
    case "":
      return;
    case "loss":
      return hostOf(lab, number).lose(Number(percent), Number(port));
    case "cut":
      return hostOf(lab, number).cut();
    case "mend":
      return hostOf(lab, number).mend();
  }
  const command = line.trim().slice(word.length);
  const { code } = await hostOf(lab, word).spawn(["sh", "-c", command], { stdin: "null" }).status;
  if (code !== 0) console.error(`ended with ${code}`);
}

function hostOf({ hosts }: Lab, number: string | undefined): Host {
  const host = hosts[Number(number) - 1];
  if (host) return host;
  throw new Error(`there is no host ${number}: 1 to ${hosts.length}, loss, cut, mend`);
}

async function main(count: number): Promise<void> {
  await using lab = await Lab.open(count);
  for (const { name, address } of lab.hosts) console.log(`${address}  ip netns exec ${name} …`);
  console.log(`switch     ip netns exec ${lab.switchName} …`);
  for await (const line of createInterface({ input: process.stdin })) {
    await obey(lab, line).catch((error) => console.error(String(error.message ?? error)));
  }
}

if (import.meta.main) await main(Number(Deno.args[0] ?? 3));
