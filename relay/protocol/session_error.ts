/**
 * Why a peer session ended, or could not begin.
 *
 * @module
 */

/**
 * `version`, `key`, `identity`: the other side is not one to talk to, and will not be in a moment. `protocol`: it sent
 * what it must not. `refused`: it says that we are not one to talk to, or did. `silent`: it said nothing for too long.
 * `closed`: the connection ended or could not be had.
 */
export type SessionErrorKind =
  | "version"
  | "key"
  | "identity"
  | "protocol"
  | "refused"
  | "silent"
  | "closed";

export class SessionError extends Error {
  override readonly name = "SessionError";

  constructor(readonly kind: SessionErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
  }

  /** Any thrown value: what is none of ours was thrown over something that the other side sent. */
  static from(thrown: unknown): SessionError {
    if (thrown instanceof SessionError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new SessionError("protocol", message, thrown);
  }

  /** Something is wrong with one of the sides: asking again at once is in vain, and an operator should know. */
  get isFault(): boolean {
    return this.kind !== "silent" && this.kind !== "closed";
  }
}
