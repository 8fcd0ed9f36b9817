/**
 * How a command ends when it does not end well.
 *
 * @module
 */

/** 0: done or drained. 1: failed. 2: bad usage or configuration. */
export type ExitCode = 0 | 1 | 2;

/** The command was called or configured wrongly: exit code 2. The message says where and what is allowed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command could not do what it was asked, and its message says all there is to say: exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
