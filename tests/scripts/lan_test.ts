import { equal, match, ok, rejects, throws } from "node:assert/strict";
import type { Host } from "../../scripts/lan/host.ts";
import { canOpenLabs, Lab } from "../../scripts/lan/lab.ts";
import { shell } from "../../scripts/lan/shell.ts";

const ignore = !canOpenLabs();
const ROOT = new URL("../..", import.meta.url).pathname;
const GROUP = "239.192.7.1", PORT = 3055;

/** A program that hears the group, and writes a dot for each datagram and its end at "end". */
const LISTEN = `
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "${GROUP}", port: ${PORT} });
  await socket.joinMulticastV4("${GROUP}", Deno.args[0]);
  for await (const [bytes] of socket) {
    const text = new TextDecoder().decode(bytes);
    await Deno.stdout.write(bytes);
    if (text === "end") break;
  }
  socket.close();`;

/** A program that sends its further arguments to a group or host. */
const SEND = `
  const [own, hostname, ...texts] = Deno.args;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: own, port: 0 });
  for (const text of texts) {
    await socket.send(new TextEncoder().encode(text), { transport: "udp", hostname, port: ${PORT} });
  }
  socket.close();`;

function run(host: Host, program: string, ...args: string[]): Deno.ChildProcess {
  const code = ["eval", "--unstable-net", program, "--", host.address, ...args];
  return host.spawn([Deno.execPath(), ...code], {
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function outputOf(child: Deno.ChildProcess): Promise<string> {
  const { success, stdout, stderr } = await child.output();
  ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Until the listener of a host hears the group. */
async function hearing(host: Host): Promise<void> {
  while (!host.hears(GROUP)) await new Promise((resolve) => setTimeout(resolve, 5));
}

function namespaces(): string[] {
  return shell("ip netns list").split("\n").map((line) => line.split(" ")[0] ?? "");
}

Deno.test(
  { name: "multicast reaches every host; a loss is its host's alone", ignore },
  async () => {
    await using lab = await Lab.open(3);
    const [one, two, three] = lab.hosts;
    ok(one && two && three);
    const heard = [two, three].map((host) => outputOf(run(host, LISTEN)));
    await Promise.all([hearing(two), hearing(three)]);
    await outputOf(run(one, SEND, GROUP, "a"));
    three.lose(100, PORT);
    await outputOf(run(one, SEND, GROUP, "b"));
    three.lose(0, PORT);
    await outputOf(run(one, SEND, GROUP, "end"));
    equal((await Promise.all(heard)).join(), "abend,aend");
    throws(() => one.lose(101, PORT), RangeError);
  },
);

Deno.test({ name: "an unplugged host hears nothing until it is mended", ignore }, async () => {
  await using lab = await Lab.open(2);
  const [one, two] = lab.hosts;
  ok(one && two);
  const heard = outputOf(run(two, LISTEN));
  await hearing(two);
  two.unplug();
  await outputOf(run(one, SEND, GROUP, "a"));
  two.mend();
  await outputOf(run(one, SEND, GROUP, "end"));
  equal(await heard, "end");
});

Deno.test({ name: "a cut goes both ways or one, and may spare a host", ignore }, async () => {
  await using lab = await Lab.open(3);
  const [one, two, three] = lab.hosts;
  ok(one && two && three);
  const heard = [two, three].map((host) => outputOf(run(host, LISTEN)));
  await Promise.all([hearing(two), hearing(three)]);
  const send = (host: Host, text: string) => outputOf(run(host, SEND, GROUP, text));
  one.cut("mute", three);
  await send(one, "a");
  one.cut("mute");
  await send(one, "b");
  one.cut("deaf");
  await send(one, "c");
  one.mend();
  two.cut("deaf");
  await send(one, "d");
  two.cut("both");
  await send(one, "e");
  two.mend();
  await send(one, "end");
  equal((await Promise.all(heard)).join(), "cend,acdeend");
});

Deno.test({ name: "what runs on a host is stopped, goes on, and is killed", ignore }, async () => {
  await using lab = await Lab.open(2);
  const [one, two] = lab.hosts;
  ok(one && two);
  const stopped = one.spawn(["sh", "-c", "sleep 600"]), other = two.spawn(["sleep", "600"]);
  const state = () => shell(`cut -d' ' -f3 /proc/${stopped.pid}/stat`).trim();
  const until = async (wanted: string) => {
    while (state() !== wanted) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until("S");
  one.signal("SIGSTOP");
  await until("T");
  one.signal("SIGCONT");
  await until("S");
  one.signal("SIGKILL");
  equal((await stopped.status).signal, "SIGKILL");
  other.kill("SIGTERM");
  equal((await other.status).signal, "SIGTERM", "it was another host's");
  one.signal("SIGKILL");
});

Deno.test({ name: "two labs are apart, and nothing of a closed one is left", ignore }, async () => {
  const labs = [await Lab.open(1), await Lab.open(1)];
  const [a, b] = labs.flatMap(({ hosts }) => hosts);
  ok(a && b);
  equal(a.address, b.address);
  const child = a.spawn(["sleep", "600"]);
  await Promise.all(labs.map((lab) => lab.close()));
  equal((await child.status).signal, "SIGKILL");
  const left = namespaces();
  ok(!left.includes(a.name) && !left.includes(b.name), left.join());
  await rejects(Lab.open(0), RangeError);
});

/** Runs the command until it has said where its hosts are. */
async function labProcess(): Promise<{ child: Deno.ChildProcess; host: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${ROOT}scripts/lan.ts`, "1"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  let written = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    written += text;
    if (written.includes("switch")) break;
  }
  match(written, /^10\.77\.0\.1 {2}ip netns exec gwlab-\S+-host1 …\n/);
  return { child, host: /gwlab-\S+-host1/.exec(written)?.[0] ?? "" };
}

Deno.test({ name: "an interrupted lab cleans up after itself", ignore }, async () => {
  const { child, host } = await labProcess();
  ok(namespaces().includes(host));
  child.kill("SIGINT");
  equal((await child.status).code, 130);
  await child.stdin.close().catch(() => {});
  ok(!namespaces().includes(host));
});

Deno.test(
  { name: "the lab of a process that crashed goes when another opens", ignore },
  async () => {
    const crashed = await labProcess(), alive = await labProcess();
    try {
      crashed.child.kill("SIGKILL");
      await crashed.child.status;
      await crashed.child.stdin.close().catch(() => {});
      ok(namespaces().includes(crashed.host));
      await using _lab = await Lab.open(1);
      ok(!namespaces().includes(crashed.host));
      ok(namespaces().includes(alive.host));
    } finally {
      await alive.child.stdin.close();
      equal((await alive.child.status).code, 0);
    }
    ok(!namespaces().includes(alive.host));
  },
);
