/**
 * What a command sees of the process it runs in, so that tests can hand in another.
 *
 * @module
 */

/** The surroundings of one command. */
export interface Terminal {
  /** An environment variable; absent and empty are the same. */
  env(name: string): string | undefined;
  /** Writes to standard output, at once and as it is. */
  out(data: string | Uint8Array): void;
  /** Writes to standard error, at once and as it is. */
  err(text: string): void;
  /** @throws {Deno.errors.NotFound} and its kin. */
  readFile(path: string): Promise<string>;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
  /** Calls `fn` at every SIGINT and SIGTERM; the answer stops that. */
  onSignal(fn: () => void): () => void;
}

/** The process itself. */
export const systemTerminal: Terminal = {
  env: (name) => Deno.env.get(name) || undefined,
  out: (data) => writeAll(Deno.stdout, data),
  err: (text) => writeAll(Deno.stderr, text),
  readFile: (path) => Deno.readTextFile(path),
  readInput: async () => new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer()),
  onSignal(fn) {
    const signals = ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) Deno.addSignalListener(signal, fn);
    return () => {
      for (const signal of signals) Deno.removeSignalListener(signal, fn);
    };
  },
};

function writeAll(to: { writeSync(bytes: Uint8Array): number }, data: string | Uint8Array): void {
  let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(to.writeSync(rest));
}
