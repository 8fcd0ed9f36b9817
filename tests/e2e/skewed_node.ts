/**
 * A node on a machine whose clock is off by so many milliseconds: the first argument. The others are the command's.
 *
 * @module
 */
import { run } from "../../src/cli/program.ts";
import { systemTerminal } from "../../src/cli/terminal.ts";

if (import.meta.main) {
  const [offMs, ...args] = Deno.args, now = Date.now;
  Date.now = () => now() + Number(offMs);
  Deno.exit(await run(args, systemTerminal));
}
