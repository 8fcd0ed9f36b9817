/**
 * `groundwave COMMAND …`: finds the command and turns its end into an exit code.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Command } from "./command.ts";
import { dev } from "./dev.ts";
import { CommandError, type ExitCode, UsageError } from "./errors.ts";
import { programHelp } from "./help.ts";
import { publish } from "./publish.ts";
import { serve } from "./serve.ts";
import { subscribe } from "./subscribe.ts";
import { didYouMean } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

const COMMANDS: readonly Command[] = [dev, serve, publish, subscribe];

/** Runs one command line. Never throws: what went wrong is on standard error, and in the answer. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    return report(error, terminal);
  }
}

async function dispatch([name, ...rest]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (name === undefined) {
    terminal.err(programHelp(COMMANDS));
    return 2;
  }
  if (name === "--help" || name === "-h") {
    terminal.out(programHelp(COMMANDS));
    return 0;
  }
  if (name === "--version") {
    terminal.out(`groundwave ${VERSION}\n`);
    return 0;
  }
  const command = COMMANDS.find((command) => command.name === name);
  if (command) return await command.execute(rest, terminal);
  const what = name.startsWith("-") ? "unknown flag" : "unknown command";
  const known = [...COMMANDS.map(({ name }) => name), "--help", "--version"];
  throw new UsageError(`${what} ${name}${didYouMean(name, known)}`);
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
