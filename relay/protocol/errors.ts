/**
 * The error table of the public interface: one for HTTP, WebSocket and the command.
 *
 * @module
 */

/** What each code means outside: HTTP status, WebSocket close code, and whether trying again can help. */
export interface ErrorClass {
  /** HTTP status. */
  readonly status: number;
  /** WebSocket close code where the error ends the connection; 4000 to 4499 ask to reconnect. */
  readonly close: number | undefined;
  /** `no`: never as it is. `yes`: later. `token`: with a new token. */
  readonly retry: "no" | "yes" | "token";
}

/** The table, by code. */
export const ERRORS = {
  bad_request: { status: 400, close: 4500, retry: "no" },
  channel_invalid: { status: 400, close: 4500, retry: "no" },
  cursor_invalid: { status: 400, close: 4500, retry: "no" },
  encoding_invalid: { status: 400, close: 4500, retry: "no" },
  event_reserved: { status: 400, close: 4500, retry: "no" },
  unauthorized: { status: 401, close: 4501, retry: "token" },
  forbidden: { status: 403, close: 4503, retry: "no" },
  not_found: { status: 404, close: undefined, retry: "no" },
  method_not_allowed: { status: 405, close: undefined, retry: "no" },
  key_conflict: { status: 409, close: undefined, retry: "no" },
  too_large: { status: 413, close: 4513, retry: "no" },
  unsupported_media_type: { status: 415, close: undefined, retry: "no" },
  rate_limited: { status: 429, close: 4429, retry: "yes" },
  window_full: { status: 429, close: 4429, retry: "yes" },
  internal: { status: 500, close: 4000, retry: "yes" },
  not_replicated: { status: 503, close: 4001, retry: "yes" },
  not_archived: { status: 503, close: 4001, retry: "yes" },
  unavailable: { status: 503, close: 4001, retry: "yes" },
  draining: { status: 503, close: 4001, retry: "yes" },
  slow_reader: { status: 503, close: 4008, retry: "yes" },
  token_expired: { status: 401, close: 4401, retry: "token" },
} as const satisfies Record<string, ErrorClass>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/** The body of an error on every surface: `{"error":{"code","message"}}`. */
export interface ErrorBody {
  /** Which error, and a sentence for people. */
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** A failure that a caller may see. Everything else is `internal` and its text stays inside. */
export class GroundwaveError extends Error {
  /** Tells it from other errors, also across copies of this module. */
  override readonly name = "GroundwaveError";

  /** An error of the table; the message is shown to the caller. */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly options: {
      readonly cause?: unknown;
      /** Seconds after which trying again makes sense; sent as `Retry-After`. */
      readonly retryAfterS?: number;
    } = {},
  ) {
    super(message, { cause: options.cause });
  }

  /** Its row in the table. */
  get class(): ErrorClass {
    return ERRORS[this.code];
  }

  /** Its body on every surface. */
  toJSON(): ErrorBody {
    return { error: { code: this.code, message: this.message } };
  }

  /** Any thrown value as an error of the table; what is not one becomes `internal` without its text. */
  static from(thrown: unknown): GroundwaveError {
    if (thrown instanceof GroundwaveError) return thrown;
    return new GroundwaveError("internal", "something went wrong inside the relay", {
      cause: thrown,
    });
  }
}
