/**
 * Help texts, from the descriptions of the commands alone.
 *
 * @module
 */
import type { Description } from "./command.ts";
import type { Flag } from "./flag.ts";
import { VERSION } from "./version.ts";

/** `groundwave --help`. */
export function programHelp(commands: readonly Description[]): string {
  return [
    `groundwave ${VERSION}: a realtime edge relay`,
    "",
    "Usage: groundwave COMMAND [flags]",
    "",
    "Commands:",
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    "",
    "`groundwave COMMAND --help` shows the flags of one, `groundwave --version` the version.",
    "",
    "Example:",
    "  deno task groundwave dev",
    "",
  ].join("\n");
}

/** `groundwave COMMAND --help`. */
export function commandHelp({ name, summary, operands, flags, example }: Description): string {
  const rows = Object.entries(flags).map(([key, flag]) => [signature(key, flag), meaning(flag)]);
  return [
    `groundwave ${name}: ${summary}`,
    "",
    `Usage: groundwave ${[name, ...operands].join(" ")} [flags]`,
    "",
    "Flags:",
    ...columns([
      ...rows,
      ["--config FILE", "JSON file with flags as keys"],
      ["--help, --version", "show this, or the version"],
    ]),
    "",
    "Every flag has an environment twin (--group-port = GROUNDWAVE_GROUP_PORT) and a key in the",
    "file. Flags win over the environment, the environment over the file.",
    "",
    "Example:",
    `  ${example}`,
    "",
  ].join("\n");
}

function signature(key: string, { placeholder }: Flag<unknown>): string {
  return placeholder === undefined ? `--${key}` : `--${key} ${placeholder}`;
}

function meaning({ help, initial }: Flag<unknown>): string {
  const plain = initial === undefined || initial === false;
  return plain ? help : `${help} (${initial})`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([left = ""]) => left.length)) + 2;
  return rows.map(([left = "", right = ""]) => `  ${left.padEnd(width)}${right}`);
}
