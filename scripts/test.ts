/**
 * `deno task test [filter…]`: all tests, part by part, with the time of each.
 *
 * A part is a folder under tests/ (and the browser suite, which needs a program of its own). Each runs as a child
 * with a limit, so that a hang is a failure with a name. Ends with the line `N passed, N failed`.
 *
 * @module
 */

/** Something outside npm that suites need. */
interface Need {
  readonly name: string;
  /** The Debian packages that bring it; undefined if none does. */
  readonly debian?: string;
  /** The test files that cannot run without it. */
  readonly suites: RegExp;
  readonly met: () => Promise<boolean>;
}

/** Suites in network namespaces. */
const LABS =
  /^tests\/(interop\/|scripts\/lan_test\.ts$|cli\/doctor_lan_test\.ts$|e2e\/chaos_test\.ts$)/;
const INTEROP = /^tests\/interop\//;
/** Suites with a real Redis. */
const REDIS = /\/(redis_(?!url_)\w+|chaos)_test\.ts$/;

const NEEDS: readonly Need[] = [
  program("chromium", "chromium", /^tests\/e2e\/page_test\.ts$/),
  program("ip", "iproute2", LABS),
  program("nft", "nftables", LABS),
  program("ethtool", "ethtool", LABS),
  program("gcc", "gcc libc6-dev", INTEROP),
  program("tshark", "tshark", INTEROP),
  program("redis-server", "redis-server", REDIS),
  program("redis-cli", "redis-tools", REDIS),
  {
    name: "libpgm",
    debian: "libpgm-dev",
    suites: INTEROP,
    met: () => isFile("/usr/include/pgm-5.3/pgm/pgm.h"),
  },
  { name: "root, to make network namespaces", suites: LABS, met: canUnshare },
];

/** Parts that come in a set order and have their own limit; other folders follow, by name. */
const PARTS: readonly { readonly name: string; readonly limitS: number }[] = [
  { name: "scripts", limitS: 120 },
  { name: "backbone", limitS: 300 },
  { name: "relay", limitS: 300 },
  { name: "edge", limitS: 300 },
  { name: "client", limitS: 180 },
  { name: "cli", limitS: 180 },
  { name: "sim", limitS: 600 },
  { name: "interop", limitS: 300 },
  { name: "e2e", limitS: 600 },
  { name: "browser", limitS: 300 },
];

const DEFAULT_LIMIT_S = 300;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** The soak runs more seeds and longer loads. */
const SOAK_FACTOR = 10;

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Part {
  readonly name: string;
  readonly limitS: number;
  readonly files: readonly string[];
}

/** Every test file under `folder`, sorted. */
export async function findTests(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await findTests(path));
    else if (entry.name.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

/** The files that match any of the filters (all, without one), by part in running order. */
export function plan(files: readonly string[], filters: readonly string[]): Part[] {
  const wanted = filters.map((filter) => filter.replace(/^(\.\/)?tests\//, "").replace(/\/$/, ""));
  const parts = new Map<string, string[]>(PARTS.map(({ name }) => [name, []]));
  for (const file of files) {
    const name = partOf(file);
    const inside = file.replace(/^tests\//, "");
    const matches = (filter: string) =>
      filter === name || inside === filter || inside.startsWith(`${filter}/`);
    if (wanted.length > 0 && !wanted.some(matches)) continue;
    parts.set(name, [...parts.get(name) ?? [], file]);
  }
  return [...parts].filter(([, files]) => files.length > 0).map(([name, files]) => ({
    name,
    files,
    limitS: PARTS.find((part) => part.name === name)?.limitS ?? DEFAULT_LIMIT_S,
  }));
}

function partOf(file: string): string {
  if (file === "tests/e2e/page_test.ts") return "browser";
  return file.split("/")[1] ?? file;
}

/** What `deno test` says it did. Without a summary (it did not compile, or was killed) that is one failure. */
export function count(output: string, success: boolean): Count {
  const summary = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/m.exec(output);
  const passed = Number(summary?.[1] ?? 0), failed = Number(summary?.[2] ?? 0);
  return { passed, failed: success ? failed : Math.max(failed, 1) };
}

/** Runs one part; what it printed is shown only if it failed. */
async function run(part: Part, soak: boolean): Promise<Count> {
  const started = performance.now();
  const limitS = part.limitS * (soak ? SOAK_FACTOR : 1);
  const { success, output, late } = await denoTest(part.files, limitS);
  const result = count(output, success);
  const verdict = result.failed ? `${result.failed} FAILED` : "ok";
  console.log(`${timed(part.name, started)}  ${result.passed} passed  ${verdict}`);
  if (result.failed) console.log(output.trimEnd());
  if (late) console.log(`${part.name}: stopped after its limit of ${limitS} s`);
  return result;
}

/** `deno test` in a process group of its own, so that whatever it leaves running ends with it. */
async function denoTest(files: readonly string[], limitS: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-prompt", ...files],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    killGroup(child.pid);
  }, limitS * 1000);
  // The terminal's Ctrl-C does not reach that group.
  const abandon = () => {
    killGroup(child.pid);
    Deno.exit(130);
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, abandon);
  const { success, stdout, stderr } = await child.output();
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, abandon);
  clearTimeout(limit);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, output: decode(stdout) + decode(stderr), late };
}

function timed(name: string, started: number): string {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return `${name.padEnd(10)} ${seconds.padStart(6)} s`;
}

/** Ends a process group, if it is still there. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A need of a program on the PATH. */
function program(name: string, debian: string, suites: RegExp): Need {
  return { name, debian, suites, met: () => onPath(name) };
}

/** Installs what `files` need, where that is possible. Answers what is still missing. */
async function provide(files: readonly string[]): Promise<Need[]> {
  const lacking = async () => {
    const needed = NEEDS.filter(({ suites }) => files.some((file) => suites.test(file)));
    const met = await Promise.all(needed.map((need) => need.met()));
    return needed.filter((_, i) => !met[i]);
  };
  const missing = await lacking();
  const packages = missing.flatMap(({ debian }) => debian?.split(" ") ?? []);
  if (packages.length === 0 || Deno.uid() !== 0 || !await onPath("apt-get")) return missing;
  console.log(`installing ${packages.join(", ")} …`);
  await apt("update", "-q");
  await apt("install", "-q", "-y", "--no-install-recommends", ...packages);
  return await lacking();
}

async function apt(...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("apt-get", {
    args: ["-o", "DPkg::Lock::Timeout=120", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    signal: AbortSignal.timeout(600_000),
  }).output();
  if (success) return;
  console.log(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
}

async function onPath(program: string): Promise<boolean> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    if (await isFile(`${folder || "."}/${program}`)) return true;
  }
  return false;
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile ?? false;
}

/** Whether this process may make network namespaces. */
async function canUnshare(): Promise<boolean> {
  try {
    const args = ["--net", "--mount", "true"];
    return (await new Deno.Command("unshare", { args }).output()).success;
  } catch {
    return false;
  }
}

/** Says which files were left out and why; answers how many. */
function tellSkipped(missing: readonly Need[], files: readonly string[]): number {
  const skipped = new Set<string>();
  for (const { name, debian, suites } of missing) {
    for (const file of files.filter((file) => suites.test(file))) {
      console.log(`SKIPPED ${file}: needs ${name}`);
      skipped.add(file);
    }
    if (debian) {
      console.log(`  to install it: apt-get install -y --no-install-recommends ${debian}`);
    }
  }
  return skipped.size;
}

async function main(filters: readonly string[]): Promise<number> {
  const soak = Deno.env.get("SOAK") === "1", ci = Deno.env.get("CI") === "true";
  const started = performance.now();
  const parts = plan(await findTests("tests"), filters);
  if (parts.length === 0) console.log(`no test matches ${filters.join(" ")}`);
  const missing = await provide(parts.flatMap(({ files }) => files));
  let passed = 0, failed = parts.length === 0 ? 1 : 0;
  for (const part of parts) {
    const files = part.files.filter((file) => !missing.some(({ suites }) => suites.test(file)));
    if (files.length === 0) continue;
    const result = await run({ ...part, files }, soak);
    passed += result.passed;
    failed += result.failed;
  }
  const skipped = tellSkipped(missing, parts.flatMap(({ files }) => files));
  if (ci) failed += skipped;
  console.log(timed("total", started));
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  Deno.chdir(new URL("..", import.meta.url));
  Deno.exit(await main(Deno.args));
}
