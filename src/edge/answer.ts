/**
 * Answers as the edge gives them. They are built from plain headers in one step: composing them in a framework's
 * middleware costs a publish as much as everything else it does here.
 *
 * @module
 */

/** Any site may speak to a relay: no cookie is ever read, so there is nothing that one could borrow. */
const CROSS_ORIGIN = { "Access-Control-Allow-Origin": "*" };

export const NO_STORE = { "Cache-Control": "no-store" };

/** An answer with a body of media type `type`. */
export function answer(
  body: string | ReadableStream<Uint8Array> | null,
  type: string,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): Response {
  return new Response(body, {
    status,
    headers: { ...CROSS_ORIGIN, "Content-Type": type, ...headers },
  });
}

/** An answer whose body is `value` as JSON text. */
export function answerJson(
  value: unknown,
  headers?: Readonly<Record<string, string>>,
  status?: number,
): Response {
  return answer(JSON.stringify(value), "application/json", headers, status);
}
