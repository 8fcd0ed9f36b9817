/**
 * Waiting for what nobody tells of.
 *
 * @module
 */

/** Resolves once `condition` holds; asked every 50 ms, for 20 s at most or for `forMs`. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = "a test",
  forMs = 20_000,
) {
  for (const endMs = performance.now() + forMs; !await condition();) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
