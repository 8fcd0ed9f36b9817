/**
 * A command of `groundwave`: its description is declared, everything common is done here.
 *
 * @module
 */
import { type ExitCode, UsageError } from "./errors.ts";
import type { Flags, Options } from "./flag.ts";
import { commandHelp } from "./help.ts";
import { parseArguments, resolve } from "./resolve.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** What a command is, in data. */
export interface Description<F extends Flags = Flags> {
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** What follows the name, as the help shows it; `…` at the end stands for more of the same, brackets for optional. */
  readonly operands: readonly string[];
  readonly flags: F;
  /** A line that works as it is. */
  readonly example: string;
}

/** A command that can be called. */
export interface Command extends Description {
  /** Answers the exit code. @throws {UsageError} and whatever the command fails with. */
  execute(args: readonly string[], terminal: Terminal): Promise<ExitCode>;
}

/** Joins a description with what the command does once its flags are understood. */
export function defineCommand<F extends Flags>(
  description: Description<F>,
  run: (
    options: Options<F>,
    operands: readonly string[],
    terminal: Terminal,
  ) => Promise<ExitCode>,
): Command {
  return {
    ...description,
    async execute(args, terminal) {
      const { flags, operands } = parseArguments(args, description.flags);
      if (flags.has("help")) terminal.out(commandHelp(description));
      else if (flags.has("version")) terminal.out(`groundwave ${VERSION}\n`);
      else {
        checkOperands(description, operands);
        return await run(await resolve(description.flags, flags, terminal), operands, terminal);
      }
      return 0;
    },
  };
}

function checkOperands({ name, operands }: Description, given: readonly string[]): void {
  const needed = operands.filter((operand) => !operand.startsWith("["));
  const missing = needed[given.length];
  if (missing !== undefined) throw new UsageError(`${name} needs ${missing}`);
  const open = operands.at(-1)?.endsWith("…") ?? false;
  if (!open && given.length > operands.length) {
    throw new UsageError(`${name}: unexpected "${given[operands.length]}"`);
  }
}
