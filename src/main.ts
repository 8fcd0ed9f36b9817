/**
 * The `groundwave` command.
 *
 * @module
 */
import { run } from "./cli/program.ts";
import { systemTerminal } from "./cli/terminal.ts";

if (import.meta.main) Deno.exit(await run(Deno.args, systemTerminal));
