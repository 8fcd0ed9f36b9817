/**
 * A node on a host of the lab, that is killed and comes back.
 *
 * @module
 */
import type { Host } from "../../../scripts/lan/host.ts";
import { eventually } from "../../support/eventually.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;
const PORT = 8000;
/** How long a node may take to fetch what it keeps, with much else to do on the machine. */
const ANSWER_MS = 2000;

export interface ChaosNodeOptions {
  readonly host: Host;
  readonly name: string;
  readonly redis: string;
  /** Of the cluster. */
  readonly groups: number;
  /** Takes what it logs, a line each. */
  readonly note: (line: string) => void;
}

export class ChaosNode {
  readonly host: Host;
  readonly name: string;
  readonly url: string;
  readonly #options: ChaosNodeOptions;
  #child: Deno.ChildProcess | undefined;
  #fetched = 0;

  constructor(options: ChaosNodeOptions) {
    this.#options = options;
    this.host = options.host;
    this.name = options.name;
    this.url = `http://${this.host.address}:${PORT}`;
  }

  /** Whether its process runs. */
  get isUp(): boolean {
    return this.#child !== undefined;
  }

  /** Messages that catch-ups had brought to its process when it was last looked at. */
  get fetched(): number {
    return this.#fetched;
  }

  /** Starts its process; resolves once it answers. */
  async start(): Promise<void> {
    this.#fetched = 0;
    const { host, name, redis, groups, note } = this.#options;
    const place = ["--id", name, "--host", host.address, "--port", `${PORT}`];
    const lan = ["--interface", host.address, "--group-count", `${groups}`, "--redis", redis];
    const command = ["run", "-A", "--no-prompt", `${ROOT}src/main.ts`, "serve", ...place, ...lan];
    note("starts");
    const child = host.spawn([Deno.execPath(), ...command, "--anonymous", "all"], {
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    this.#child = child;
    void this.#read(child.stderr);
    const answers = async () => (await this.#get("/healthz"))?.status === 200;
    await eventually(() => answers() || !this.isUp, `${name} to answer`);
  }

  /** Kills its process without a warning. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill("SIGKILL");
    await child.status;
  }

  /** Whether all nodes are in its view, it keeps what it should, and two keep every group as it sees it. */
  async isWhole(nodes: number): Promise<boolean> {
    const ready = await this.#get("/readyz"), figures = await this.#get("/metrics");
    if (ready?.status !== 200 || figures?.status !== 200) return false;
    const metric = (name: string) =>
      Number(new RegExp(`^groundwave_${name} (\\S+)$`, "m").exec(figures.text)?.[1]);
    this.#fetched = metric("relay_pulled_total");
    return metric("relay_peers") === nodes - 1 && metric("under_replicated_groups") === 0;
  }

  /** What it holds of a channel, and where it stands there. */
  async history(channel: string): Promise<History> {
    const ids: string[] = [];
    for (let after = "earliest";;) {
      const query = new URLSearchParams({ channel, after, limit: "1000" });
      const response = await fetch(`${this.url}/history?${query}`);
      const { messages, cursor, gap } = await response.json() as Page;
      ids.push(...messages.map(({ id }) => id));
      // A page ends at a gap.
      if (messages.length === 0 && gap === undefined) return { ids, cursor };
      after = cursor;
    }
  }

  async #get(
    path: string,
  ): Promise<{ readonly status: number; readonly text: string } | undefined> {
    try {
      const response = await fetch(this.url + path, { signal: AbortSignal.timeout(ANSWER_MS) });
      return { status: response.status, text: await response.text() };
    } catch {
      return undefined;
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#options.note(line);
    }
  }
}

export interface History {
  readonly ids: readonly string[];
  readonly cursor: string;
}

/** The answer of `GET /history`. */
interface Page {
  readonly messages: readonly { readonly id: string }[];
  readonly cursor: string;
  readonly gap?: unknown;
}
