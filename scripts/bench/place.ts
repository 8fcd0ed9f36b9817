/**
 * Where the servers of a bench run: hosts of a lab, or this machine.
 *
 * @module
 */
import { denoRun, type ServerProcess, watchServer } from "../../tests/support/node_process.ts";
import type { Place } from "../../tests/interop/peers.ts";

/** Runs `groundwave dev` there, as a node of a cluster of its own. */
export function startNodeAt(place: Place, groupPort: number): Promise<ServerProcess> {
  const { address } = place;
  const [program, options] = denoRun("src/main.ts", "dev", ...[
    ...["--host", address, "--port", "0", "--interface", address, "--group-port", `${groupPort}`],
  ]);
  return watchServer("groundwave", place.spawn([program, ...options.args ?? []], options));
}

/** Runs any program there that prints its URL. */
export function startProgramAt(place: Place, command: readonly string[]): Promise<ServerProcess> {
  const options = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  return watchServer(command[0] ?? "", place.spawn([...command], options));
}
