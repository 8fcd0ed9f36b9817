/**
 * `groundwave COMMAND …`: finds the command and turns its end into an exit code.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Command } from "./command.ts";
import { dev } from "./dev.ts";
import { doctor } from "./doctor.ts";
import { CommandError, type ExitCode, UsageError } from "./errors.ts";
import { programHelp } from "./help.ts";
import { dump } from "./pgm/dump.ts";
import { recv } from "./pgm/recv.ts";
import { send } from "./pgm/send.ts";
import { publish } from "./publish.ts";
import { serve } from "./serve.ts";
import { subscribe } from "./subscribe.ts";
import { didYouMean } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

const COMMANDS: readonly Command[] = [dev, serve, publish, subscribe, send, recv, dump, doctor];

/** Runs one command line. Never throws: what went wrong is on standard error, and in the answer. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    return report(error, terminal);
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  for (const command of COMMANDS) {
    const words = command.name.split(" ");
    if (words.some((word, at) => args[at] !== word)) continue;
    return await command.execute(args.slice(words.length), terminal);
  }
  // The first word alone stands for all commands that begin with it.
  const family = COMMANDS.filter(({ name }) => name.startsWith(`${args[0]} `));
  return family.length > 0
    ? withoutCommand(args.slice(0, 2), family, terminal)
    : withoutCommand(args.slice(0, 1), COMMANDS, terminal);
}

/** What there is to say when `words` name none of `commands`. */
function withoutCommand(
  words: readonly string[],
  commands: readonly Command[],
  terminal: Terminal,
): ExitCode {
  const last = words.at(-1);
  if (last === "--help" || last === "-h") {
    terminal.out(programHelp(commands));
    return 0;
  }
  if (last === "--version") {
    terminal.out(`groundwave ${VERSION}\n`);
    return 0;
  }
  const word = words.join(" ");
  if (word === "" || commands.some(({ name }) => name.startsWith(`${word} `))) {
    terminal.err(programHelp(commands));
    return 2;
  }
  const what = last?.startsWith("-") ? "unknown flag" : "unknown command";
  const known = [...commands.map(({ name }) => name), "--help", "--version"];
  throw new UsageError(`${what} ${word}${didYouMean(word, known)}`);
}

function report(error: unknown, terminal: Terminal): ExitCode {
  // Whoever read our output has seen enough, as in `subscribe … | head`.
  if (error instanceof Deno.errors.BrokenPipe) return 0;
  if (error instanceof UsageError) {
    terminal.err(`${error.message}\nSee --help.\n`);
    return 2;
  }
  if (error instanceof GroundwaveError) terminal.err(`${error.code}: ${error.message}\n`);
  else if (error instanceof CommandError) terminal.err(`${error.message}\n`);
  else terminal.err(`${error instanceof Error ? error.stack ?? error.message : error}\n`);
  return 1;
}
