/**
 * Failures as HTTP answers, by the one table of `relay/protocol/errors.ts`.
 *
 * @module
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Core } from "./core.ts";

/** Seconds after which to try again where nobody knows better. */
const RETRY_AFTER_S = 1;

/** The last resort of every request: any failure becomes an answer of the table. */
export function answerError(core: Core): (thrown: Error, c: Context) => Response {
  return (thrown, c) => {
    const error = GroundwaveError.from(thrown);
    if (error.code === "internal") {
      core.log("error", "a request failed", { path: c.req.path, cause: String(error.cause) });
    }
    core.counters.errors.add(error.code);
    const retryAfterS = retryAfter(error);
    if (retryAfterS !== undefined) c.header("Retry-After", String(retryAfterS));
    return c.json(error, error.class.status as ContentfulStatusCode);
  };
}

/** Whole seconds, only for what is to be tried again. */
function retryAfter(error: GroundwaveError): number | undefined {
  const { status, retry } = error.class;
  if (retry !== "yes" || (status !== 429 && status !== 503)) return undefined;
  return Math.max(1, Math.ceil(error.options.retryAfterS ?? RETRY_AFTER_S));
}
