/**
 * Failures as HTTP answers, by the one table of `relay/protocol/errors.ts`.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { answerJson } from "./answer.ts";
import type { Core } from "./core.ts";

/** Seconds after which to try again where nobody knows better. */
const RETRY_AFTER_S = 1;

/** The last resort of every request: any failure becomes an answer of the table. */
export function answerError(core: Core): (thrown: unknown, path: string) => Response {
  return (thrown, path) => {
    const error = GroundwaveError.from(thrown);
    if (error.code === "internal") {
      core.log("error", "a request failed", { path, cause: String(error.cause) });
    }
    core.counters.errors.add(error.code);
    return answerJson(error, retryAfter(error), error.class.status);
  };
}

/** Whole seconds, only for what is to be tried again; other sites may read them. */
function retryAfter(error: GroundwaveError): Record<string, string> {
  const { status } = error.class;
  if (status !== 429 && status !== 503) return {};
  const seconds = Math.ceil(error.options.retryAfterS ?? RETRY_AFTER_S);
  return {
    "Retry-After": String(Math.max(1, seconds)),
    "Access-Control-Expose-Headers": "Retry-After",
  };
}
