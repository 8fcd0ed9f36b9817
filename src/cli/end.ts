/**
 * When a command that could go on for ever ends.
 *
 * @module
 */
import type { Terminal } from "./terminal.ts";

/** The end of a run. */
export interface End extends Disposable {
  /** Resolves when it has come. */
  readonly promise: Promise<void>;
  readonly hasCome: boolean;
  /** Brings it about. */
  now(): void;
}

/** Comes at a signal, after `seconds` if given, or when it is told to. */
export function endOf(terminal: Terminal, seconds: number | undefined): End {
  const { promise, resolve } = Promise.withResolvers<void>();
  let hasCome = false;
  const now = () => {
    hasCome = true;
    resolve();
  };
  const unhook = terminal.onSignal(now);
  const timer = seconds === undefined ? undefined : setTimeout(now, seconds * 1000);
  return {
    promise,
    now,
    get hasCome() {
      return hasCome;
    },
    [Symbol.dispose]() {
      unhook();
      clearTimeout(timer);
    },
  };
}
