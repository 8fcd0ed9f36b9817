/**
 * A terminal that remembers.
 *
 * @module
 */
import type { Terminal } from "../../src/cli/terminal.ts";

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array;
}

export interface FakeTerminal extends Terminal {
  /** All of standard output so far, and of standard error. */
  readonly written: { out: string; err: string };
  /** Delivers a SIGINT. */
  interrupt(): void;
  /** Handlers in place. */
  readonly handlers: ReadonlySet<() => void>;
}

/** The surroundings of one command, in memory. */
export function fakeTerminal({ env = {}, files = {}, input }: Surroundings = {}): FakeTerminal {
  const written = { out: "", err: "" }, handlers = new Set<() => void>();
  const decode = (data: string | Uint8Array) =>
    typeof data === "string" ? data : new TextDecoder().decode(data);
  return {
    written,
    handlers,
    env: (name) => env[name] || undefined,
    out: (data) => void (written.out += decode(data)),
    err: (text) => void (written.err += text),
    readFile(path) {
      const content = files[path];
      return content === undefined
        ? Promise.reject(new Deno.errors.NotFound(`${path}: no such file`))
        : Promise.resolve(content);
    },
    readInput: () => Promise.resolve(input ?? new Uint8Array()),
    onSignal(fn) {
      handlers.add(fn);
      return () => void handlers.delete(fn);
    },
    interrupt() {
      for (const fn of [...handlers]) fn();
    },
  };
}
