/**
 * How much a test tries: `deno task test` takes a sample, `deno task test:soak` goes further.
 *
 * @module
 */

const soaking = Deno.env.get("SOAK") === "1";

/** The seeds to run: 1 to `n`, or to `soakN` in a soak. A failing seed is named by its number. */
export function seeds(n: number, soakN: number): number[] {
  return Array.from({ length: soaking ? soakN : n }, (_, i) => i + 1);
}

/** How many of something to do: `n`, or `soakN` in a soak. */
export function amount(n: number, soakN: number): number {
  return soaking ? soakN : n;
}
