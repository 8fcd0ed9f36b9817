/**
 * Conversations between our `groundwave pgm send|recv` and OpenPGM's like, on the hosts of a lab.
 *
 * @module
 */
import type { Host } from "../../scripts/lan/host.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HEADERS = "/usr/include/pgm-5.3";

/** A lab is a world of its own, so that these are always free. */
export const GROUP = "239.192.7.1", PORT = 3055;

/** Where one end runs: a host of a lab, or this machine. */
export type Place = Pick<Host, "address" | "spawn" | "hears">;

/** A program that sends and receives numbered, stamped messages: how it is started. */
export type Peer = (mode: "send" | "recv", flags: Flags) => string[];

/** Numbers and texts as `--name value`; true as `--name`. */
export type Flags = Readonly<Record<string, string | number | true>>;

/** What a receiver says at its end. */
export interface Tally {
  readonly received: number;
  readonly bytes: number;
  readonly duplicates: number;
  readonly lost: number;
  /** Sent. OpenPGM does not tell. */
  readonly naks?: number;
  readonly elapsed_s: number;
  readonly messages_per_s: number;
  readonly p50_us: number;
  readonly p99_us: number;
}

/** Ours, one payload per packet, as OpenPGM understands it. */
export const plainGroundwave: Peer = (mode, flags) =>
  groundwave(mode, mode === "send" ? { ...flags, "no-pack": true } : flags);

/** Ours, as it is. */
export const groundwave: Peer = (mode, flags) => [
  Deno.execPath(),
  ...["run", "-A", "--no-check", `${ROOT}src/main.ts`, "pgm", mode],
  ...argumentsOf(mode === "recv" ? { ...flags, json: true } : flags),
];

/**
 * OpenPGM's, compiled into a folder.
 *
 * @throws {Error} with the compiler's words.
 */
export async function buildOpenPgm(folder: string): Promise<Peer> {
  const program = `${folder}/openpgm_peer`;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [
      ...["-D_GNU_SOURCE", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", `-I${HEADERS}`],
      ...["-o", program, `${ROOT}tests/interop/openpgm_peer.c`, "-lpgm", "-lpthread", "-lm"],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return (mode, flags) => [program, mode, ...argumentsOf(flags)];
}

export interface Transfer {
  readonly sender: Peer;
  /** At the second place and those after it. */
  readonly receivers: readonly Peer[];
  readonly count: number;
  /** Payload bytes. */
  readonly size: number;
  /** Messages a second; as fast as they go if absent. */
  readonly rate?: number;
  /** When receivers give up. */
  readonly seconds: number;
  /** Whether the sender keeps pace with the receivers; ours alone can. */
  readonly paced?: boolean;
  /** Group and port, if not the usual. */
  readonly place?: Flags;
}

/** One sender and its receivers, each in a place of its own, until every receiver has all or gives up. */
export async function transfer(
  [from, ...to]: readonly Place[],
  { sender, receivers, count, seconds, size, rate = 0, paced = false, place = {} }: Transfer,
): Promise<Tally[]> {
  if (from === undefined) throw new Error("nowhere to send from");
  const receiving = await Promise.all(receivers.map((peer, index) => {
    const at = to[index];
    if (at === undefined) throw new Error(`no place for receiver ${index + 1}`);
    const origin = paced ? { origin: originOf(index) } : {};
    return receive(at, peer, { ...place, ...origin, count, seconds });
  }));
  const tag = paced ? { tag: receivers.map((_, index) => originOf(index)).join() } : {};
  const sent = outputOf(start(from, sender, "send", { ...place, ...tag, count, size, rate }));
  const [tallies] = await Promise.all([Promise.all(receiving.map(({ tally }) => tally)), sent]);
  return tallies;
}

function originOf(receiver: number): string {
  return String(receiver).padStart(8, "r");
}

/** Starts a receiver; resolves when it hears the group. */
export async function receive(
  at: Place,
  peer: Peer,
  flags: Flags,
): Promise<{ readonly tally: Promise<Tally> }> {
  const child = start(at, peer, "recv", flags);
  const tally = outputOf(child).then((text) => JSON.parse(text.trim().split("\n").at(-1) ?? ""));
  let ended = false;
  const end = () => void (ended = true);
  tally.then(end, end);
  while (!ended && !at.hears(String(flags.group ?? GROUP))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { tally };
}

/** Starts one end of a conversation. */
export function start(
  at: Place,
  peer: Peer,
  mode: "send" | "recv",
  flags: Flags,
): Deno.ChildProcess {
  const usual = { interface: at.address, group: GROUP, port: PORT };
  const command = peer(mode, { ...usual, ...flags });
  return at.spawn(command, { stdin: "null", stdout: "piped", stderr: "piped" });
}

/**
 * All that a program writes, once it has ended.
 *
 * @throws {Error} with its last words, if it failed.
 */
export async function outputOf(child: Deno.ChildProcess): Promise<string> {
  const { code, stdout, stderr } = await child.output();
  if (code === 0) return new TextDecoder().decode(stdout);
  throw new Error(`ended with ${code}: ${new TextDecoder().decode(stderr)}`);
}

function argumentsOf(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)]
  );
}
