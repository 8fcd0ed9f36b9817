/**
 * A publish by POST, for when no connection carries it.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Published } from "../../relay/protocol/upstream.ts";
import type { Platform } from "./platform.ts";
import { responseError } from "./transports/http.ts";
import type { Draft } from "./transports/transport.ts";

/** An answer that takes longer will not come. */
const ANSWER_MS = 15_000;

/**
 * Publishes over the relay at `base`. Options travel in the query: text then needs no preflight from another site.
 * @throws {GroundwaveError} What the relay answered; `unavailable` where it did not.
 */
export async function post(base: URL, platform: Platform, draft: Draft): Promise<Published> {
  const { channel, data, options } = draft;
  const text = typeof data === "string";
  const abort = new AbortController();
  const cancel = platform.after(ANSWER_MS, () => abort.abort());
  try {
    const query = new URLSearchParams({ channel, ...options });
    const response = await platform.fetch(new URL(`publish?${query}`, base), {
      method: "POST",
      headers: { "Content-Type": text ? "text/plain; charset=utf-8" : "application/octet-stream" },
      body: text ? data : new Uint8Array(data),
      signal: abort.signal,
    });
    if (!response.ok) throw await responseError(response);
    return await response.json() as Published;
  } catch (cause) {
    if (cause instanceof GroundwaveError) throw cause;
    throw new GroundwaveError(
      "unavailable",
      "the relay did not answer: the message may or may not have been published",
      { cause },
    );
  } finally {
    cancel();
  }
}
