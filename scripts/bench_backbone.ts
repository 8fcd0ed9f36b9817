/**
 * `deno task bench:backbone [--receivers N] [--size B] [--loss PCT] [--json]`: the backbone beside OpenPGM.
 *
 * One sender and N receivers (2), processes of their own, by `groundwave pgm send|recv` and by a peer in C over Debian's
 * libpgm, in turn and on the same hosts: network namespaces when root, else loopback (without loss, and without OpenPGM).
 * Payloads of B bytes (200 and 1400), PCT of what arrives at each receiver lost (5) where there is loss. Of several runs
 * the median counts, of several receivers the worst.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { buildOpenPgm, groundwave, type Peer } from "../tests/interop/peers.ts";
import { freeGroupPort } from "../tests/support/node_process.ts";
import { loopback } from "./bench/loopback.ts";
import { report } from "./bench/pgm_report.ts";
import {
  type Field,
  type Figures,
  type Load,
  measure,
  type Row,
  summary,
} from "./bench/pgm_rows.ts";
import { canOpenLabs, Lab } from "./lan/lab.ts";

const USAGE = "deno task bench:backbone [--receivers N] [--size B] [--loss PCT] [--json]";
const ROUNDS = 3;

/** What throughput is measured with, in payload bytes: more than a second of whoever is fastest, or its start would count most. */
const VOLUME = { messages: 400_000, bytes: 280e6 };

/** An even stream, slower than anybody's limit: what is measured is the wait for repairs. */
const STREAM = { rate: 4_000, count: 8_000, size: 200 };

interface Options {
  readonly receivers: number;
  readonly sizes: readonly number[];
  readonly loss: number;
  readonly json: boolean;
}

type Implementation = "groundwave" | "openpgm";

/** @throws {Error} that says what is wrong with the arguments. */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      receivers: { type: "string", default: "2" },
      size: { type: "string" },
      loss: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const between = (name: string, text: string, least: number, most: number) => {
    const value = Number(text);
    if (value >= least && value <= most) return value;
    throw new Error(`--${name} is ${least} to ${most}, not ${text}`);
  };
  return {
    receivers: between("receivers", values.receivers, 1, 100),
    sizes: values.size === undefined ? [200, 1400] : [between("size", values.size, 16, 1400)],
    loss: between("loss", values.loss, 0, 50),
    json: values.json,
  };
}

function loads({ sizes, loss }: Options, canLose: boolean): Load[] {
  const full = (size: number, loss: number): Load => ({
    name: `${size} B${loss ? `, ${loss} % loss` : ""}`,
    count: Math.min(VOLUME.messages, Math.floor(VOLUME.bytes / size)),
    size,
    rate: 0,
    loss,
  });
  const even = (loss: number): Load => ({
    name: `${STREAM.size} B, ${STREAM.rate} msg/s${loss ? `, ${loss} % loss` : ""}`,
    ...STREAM,
    loss,
  });
  const lossless = [...sizes.map((size) => full(size, 0)), even(0)];
  return canLose ? [...lossless, even(loss), ...sizes.map((size) => full(size, loss))] : lossless;
}

/** Every load by every peer, in turn. */
async function measureAll(
  field: Field,
  peers: readonly (readonly [Implementation, Peer])[],
  loads: readonly Load[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const load of loads) {
    console.error(`${load.name} …`);
    const runs: Record<Implementation, Figures[]> = { groundwave: [], openpgm: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, peer] of peers) runs[name].push(await measure(field, peer, load));
    }
    const openpgm = runs.openpgm.length > 0 ? summary(runs.openpgm) : null;
    rows.push({ ...load, groundwave: summary(runs.groundwave), openpgm });
  }
  return rows;
}

async function inLab(options: Options): Promise<Row[]> {
  const folder = await Deno.makeTempDir();
  try {
    await using lab = await Lab.open(1 + options.receivers);
    const field = { places: lab.hosts, lossy: lab.hosts.slice(1), place: {} };
    const openPgm = await buildOpenPgm(folder).catch((error) => {
      console.error(`without OpenPGM: ${error.message.trim()}`);
    });
    const ours = ["groundwave", groundwave] as const;
    const peers = openPgm ? [ours, ["openpgm", openPgm] as const] : [ours];
    return await measureAll(field, peers, loads(options, true));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function onLoopback(options: Options): Promise<Row[]> {
  console.error("without root: on loopback, without loss and without OpenPGM");
  const places = Array.from({ length: 1 + options.receivers }, () => loopback);
  const field = { places, lossy: [], place: { port: freeGroupPort(), group: "239.192.7.77" } };
  return measureAll(field, [["groundwave", groundwave]], loads(options, false));
}

async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: ${USAGE}`);
    return 2;
  }
  const rows = await (canOpenLabs() ? inLab(options) : onLoopback(options));
  const { receivers, json } = options;
  console.log(
    json ? JSON.stringify({ receivers, rounds: ROUNDS, rows }) : report(rows, receivers, ROUNDS),
  );
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
