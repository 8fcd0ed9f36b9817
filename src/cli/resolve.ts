/**
 * From command line, environment and configuration file to the options of a command.
 *
 * @module
 */
import { UsageError } from "./errors.ts";
import type { Flag, Flags, Options } from "./flag.ts";
import { didYouMean } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";

/** The command line, taken apart but not yet understood. */
export interface Arguments {
  /** Flags as given; true for one without a value. */
  readonly flags: ReadonlyMap<string, string | true>;
  readonly operands: readonly string[];
}

/** Names that every command takes besides its own flags. */
const COMMON: Readonly<
  Record<"config" | "help" | "version", { readonly placeholder?: string }>
> = {
  config: { placeholder: "FILE" },
  help: {},
  version: {},
};

/**
 * Takes `--flag value`, `--flag=value` and operands apart, in any order; `--` ends the flags.
 *
 * @throws {UsageError} for a flag that is unknown, repeated or lacks its value.
 */
export function parseArguments(args: readonly string[], flags: Flags): Arguments {
  const table: Readonly<Record<string, { readonly placeholder?: string | undefined }>> = {
    ...flags,
    ...COMMON,
  };
  const given = new Map<string, string | true>(), operands: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") return { flags: given, operands: [...operands, ...rest] };
    if (arg === "-h") arg = "--help";
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      continue;
    }
    const [, name = "", attached] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const known = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!known) throw unknownFlag(arg, Object.keys(table));
    if (given.has(name)) throw new UsageError(`--${name} is given twice`);
    const value = attached ?? (known.placeholder === undefined ? true : rest.shift());
    if (value === undefined) throw new UsageError(`--${name} needs a value: ${known.placeholder}`);
    given.set(name, value);
  }
  return { flags: given, operands };
}

/**
 * The options of a command. Flags win over the environment, the environment over the file.
 *
 * @throws {UsageError} for a value that is not allowed, naming where it stands, and for a file that cannot be used.
 */
export async function resolve<F extends Flags>(
  flags: F,
  given: Arguments["flags"],
  terminal: Terminal,
): Promise<Options<F>> {
  const file = await readConfig(flags, given, terminal);
  const options: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const twin = environmentTwin(name), fromEnvironment = terminal.env(twin);
    if (given.has(name)) options[name] = check(flag, `--${name}`, given.get(name));
    else if (fromEnvironment !== undefined) options[name] = check(flag, twin, fromEnvironment);
    else if (file && Object.hasOwn(file.keys, name)) {
      options[name] = check(flag, `"${name}" in ${file.path}`, file.keys[name]);
    } else options[name] = flag.initial;
  }
  // Every key of F was set above from its own flag's schema.
  return options as Options<F>;
}

/** `group-port` is `GROUNDWAVE_GROUP_PORT` in the environment. */
function environmentTwin(name: string): string {
  return `GROUNDWAVE_${name.toUpperCase().replaceAll("-", "_")}`;
}

function check<T>(flag: Flag<T>, source: string, value: unknown): T {
  const result = flag.schema.safeParse(value);
  if (result.success) return result.data;
  const shown = flag.secret ? "this value" : JSON.stringify(value);
  throw new UsageError(`${source}: ${shown} is not allowed; give ${flag.allowed}`);
}

async function readConfig(
  flags: Flags,
  given: Arguments["flags"],
  terminal: Terminal,
): Promise<{ path: string; keys: Readonly<Record<string, unknown>> } | undefined> {
  const path = given.get("config") ?? terminal.env("GROUNDWAVE_CONFIG");
  if (typeof path !== "string") return undefined;
  const keys = parseConfig(path, await readText(path, terminal));
  for (const key of Object.keys(keys)) {
    if (Object.hasOwn(flags, key)) continue;
    throw new UsageError(`${path}: unknown key "${key}"${didYouMean(key, Object.keys(flags))}`);
  }
  return { path, keys };
}

async function readText(path: string, terminal: Terminal): Promise<string> {
  try {
    return await terminal.readFile(path);
  } catch (error) {
    throw new UsageError(`--config ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

function parseConfig(path: string, source: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new UsageError(
    `${path}: expected a JSON object with flags as keys, such as {"port": 8000}`,
  );
}

/** Without the value: it may be a secret behind a slip of the finger. */
function unknownFlag(arg: string, names: readonly string[]): UsageError {
  const flag = arg.replace(/=.*/s, "");
  return new UsageError(
    `unknown flag ${flag}${didYouMean(flag, names.map((name) => `--${name}`))}`,
  );
}
