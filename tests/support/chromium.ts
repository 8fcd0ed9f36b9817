/**
 * Headless Chromium for tests of pages.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";

/** Where Debian's chromium puts it. */
const EXECUTABLE = "/usr/bin/chromium";

/** Without the network chatter of a browser that is used by somebody. */
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a browser; `await using` closes it. */
export async function openChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath: EXECUTABLE, args: ARGS });
}
