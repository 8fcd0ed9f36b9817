/**
 * Long poll: for networks where nothing else gets through.
 *
 * @module
 */
import { ANSWER_MS, httpTransport, queryOf } from "./http.ts";

/** How long a relay may wait for something to tell. */
const WAIT_S = 25;

/** Pause after an answer without a message, so that who answers at once makes no storm: something between, or gap after gap. */
const PAUSE_MS = 250;

/** Opens a long poll link. */
export const poll = httpTransport(async (run, wanted) => {
  for (;;) {
    const query = queryOf(wanted);
    query.set("wait", String(WAIT_S));
    const frames = await run.page(query, WAIT_S * 1000 + ANSWER_MS);
    for (const frame of frames) run.tell(frame);
    if (!frames.some(({ op }) => op === "message")) await run.pause(PAUSE_MS);
  }
});
