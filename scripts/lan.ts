/**
 * `deno task lan [HOSTS]`: a LAN of 3 hosts, or so many, to try things in. Needs root.
 *
 * Reads commands from standard input, a line each; at its end, or at Ctrl-C, the LAN is gone.
 *
 *     1 COMMAND…      the shell of host 1 runs a command; with & at its end, in the background
 *     loss 2 5 3055   host 2 loses 5 % of what arrives for UDP port 3055
 *     cut 2           nothing comes from host 2, and nothing gets there
 *     cut 2 deaf      nothing gets to host 2, which is heard (or `mute`: the other way round)
 *     unplug 2        pulls the cable of host 2
 *     mend 2          plugs it in again, and undoes a cut
 *     stop 2          stops all that runs on host 2 as by SIGSTOP
 *     go 2            lets it go on
 *     kill 2          kills it
 *     restart 2       kills it, and runs again what was last run there in the background
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Cut, Host } from "./lan/host.ts";
import { Lab } from "./lan/lab.ts";

/** What was last run on each host in the background. */
type Running = Map<Host, string>;

/** Does what a line says. @throws {Error} that says what is wrong with it. */
async function obey(lab: Lab, running: Running, line: string): Promise<void> {
  const [word = "", number, ...rest] = line.trim().split(/\s+/);
  if (word === "") return;
  const verb = VERBS[word];
  if (verb) return await verb(hostOf(lab, number), rest, running);
  const command = line.trim().slice(word.length);
  await run(hostOf(lab, word), command, running);
}

const VERBS: Readonly<
  Record<string, (host: Host, rest: readonly string[], running: Running) => void | Promise<void>>
> = {
  loss: (host, [percent, port]) => host.lose(Number(percent), Number(port)),
  cut: (host, [which = "both"]) => {
    if (!isCut(which)) throw new Error(`a cut is both, deaf or mute, not ${which}`);
    host.cut(which);
  },
  unplug: (host) => host.unplug(),
  mend: (host) => host.mend(),
  stop: (host) => host.signal("SIGSTOP"),
  go: (host) => host.signal("SIGCONT"),
  kill: (host) => host.signal("SIGKILL"),
  restart: async (host, _, running) => {
    const command = running.get(host);
    if (command === undefined) throw new Error("nothing was run there in the background");
    host.signal("SIGKILL");
    await run(host, command, running);
  },
};

function isCut(text: string): text is Cut {
  return ["both", "deaf", "mute"].includes(text);
}

async function run(host: Host, command: string, running: Running): Promise<void> {
  if (/&\s*$/.test(command)) running.set(host, command);
  const { code } = await host.spawn(["sh", "-c", command], { stdin: "null" }).status;
  if (code !== 0) console.error(`ended with ${code}`);
}

function hostOf({ hosts }: Lab, number: string | undefined): Host {
  const host = hosts[Number(number) - 1];
  if (host) return host;
  throw new Error(
    `there is no host ${number}: 1 to ${hosts.length}, ${Object.keys(VERBS).join(", ")}`,
  );
}

async function main(count: number): Promise<void> {
  await using lab = await Lab.open(count);
  for (const { name, address } of lab.hosts) console.log(`${address}  ip netns exec ${name} …`);
  console.log(`switch     ip netns exec ${lab.switchName} …`);
  const running: Running = new Map();
  for await (const line of createInterface({ input: process.stdin })) {
    await obey(lab, running, line).catch((error) => console.error(String(error.message ?? error)));
  }
}

if (import.meta.main) await main(Number(Deno.args[0] ?? 3));
