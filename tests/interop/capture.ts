/**
 * What Wireshark makes of the packets on a lab's switch.
 *
 * @module
 */
import type { Lab } from "../../scripts/lan/lab.ts";
import { PORT } from "./peers.ts";

/** One PGM packet as tshark decodes it. */
export interface Captured {
  /** The address it came from. */
  readonly from: string;
  readonly type: keyof typeof TYPES | "other";
  readonly gsi: string;
  /** The packet's checksum is wrong or absent. */
  readonly badChecksum: boolean;
  readonly malformed: boolean;
  /** Sequence numbers in the list option of a NAK or NCF. */
  readonly listed: number;
}

const TYPES = { spm: 0x00, odata: 0x04, rdata: 0x05, nak: 0x08, ncf: 0x0a, spmr: 0x0c } as const;

const FIELDS = [
  "ip.src",
  "pgm.hdr.type",
  "pgm.hdr.gsi",
  "pgm.hdr.cksum.status",
  "_ws.malformed",
  "pgm.opts.nak.list",
] as const;

/** `pgm.hdr.cksum.status` of a packet that is as it was sent. */
const GOOD = "1";

/** Where the mark goes that ends a recording: nobody listens there. */
const MARK_PORT = 9;
/** The kernel hands packets to dumpcap in blocks, at the latest after some 250 ms. */
const MARK_LIMIT_MS = 10_000;

/** Records what passes the lab's switch until it is stopped. */
export class Capture implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;

  private constructor(lab: Lab, folder: string, child: Deno.ChildProcess) {
    this.#lab = lab;
    this.#folder = folder;
    this.#child = child;
  }

  /** Resolves when every packet from now on is recorded. */
  static async start(lab: Lab): Promise<Capture> {
    const folder = await Deno.makeTempDir();
    // dumpcap says on standard error when it has begun.
    const child = new Deno.Command("ip", {
      args: [
        "netns",
        "exec",
        lab.switchName,
        "dumpcap",
        "-q",
        "-i",
        "lan",
        "-B",
        "64",
        "-w",
        `${folder}/lan.pcap`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const capture = new Capture(lab, folder, child);
    let said = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("File: ")) return capture;
    }
    await capture[Symbol.asyncDispose]();
    throw new Error(`dumpcap ended: ${said}`);
  }

  /** Ends the recording; answers the PGM packets in it. */
  async stop(): Promise<Captured[]> {
    await this.#mark();
    this.#child.kill("SIGINT");
    await this.#child.status;
    const { success, stdout, stderr } = await new Deno.Command("tshark", {
      args: [
        ...["-n", "-r", this.#file, "-d", `udp.port==${PORT},pgm`, "-Y", "pgm"],
        ...["-T", "fields", "-E", "separator=|", ...FIELDS.flatMap((field) => ["-e", field])],
      ],
      stdin: "null",
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(decode(stderr));
    return decode(stdout).split("\n").filter((line) => line !== "").map(read);
  }

  /** Sends a last packet and waits until it is recorded: then all before it are. */
  async #mark(): Promise<void> {
    const mark = crypto.randomUUID(), endMs = performance.now() + MARK_LIMIT_MS;
    const send = `printf ${mark} > /dev/udp/239.255.255.255/${MARK_PORT}`;
    await this.#lab.hosts[0]?.spawn(["bash", "-c", send]).status;
    while (!new TextDecoder().decode(await Deno.readFile(this.#file)).includes(mark)) {
      if (performance.now() > endMs) throw new Error("the recording does not reach its end");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  get #file(): string {
    return `${this.#folder}/lan.pcap`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function read(line: string): Captured {
  const [from = "", type, gsi = "", checksum, malformed, list] = line.split("|");
  const names = Object.keys(TYPES) as (keyof typeof TYPES)[];
  return {
    from,
    type: names.find((name) => TYPES[name] === Number(type)) ?? "other",
    gsi,
    // tshark 4.0 gives the field twice, and means the second.
    badChecksum: checksum?.split(",").at(-1) !== GOOD,
    malformed: malformed !== "",
    listed: list ? list.split(",").length : 0,
  };
}
