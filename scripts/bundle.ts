/**
 * Writes `src/edge/assets.ts`: the browser client as one ES module, and the demo page, as text that any runtime can
 * serve without files. Run it after a change in `src/client` or `src/edge/page`: `deno run -A scripts/bundle.ts`.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
const CLIENT = "src/client/mod.ts";
const PAGE = "src/edge/page/";
const TARGET = "src/edge/assets.ts";

/** What is written: the same text for the same sources, so that a test can tell when it is out of date. */
export async function renderAssets(): Promise<string> {
  const read = (path: string) => Deno.readTextFile(new URL(PAGE + path, ROOT));
  const assets = {
    "/": { type: "text/html; charset=utf-8", body: await read("index.html") },
    "/client.js": { type: "text/javascript; charset=utf-8", body: await bundle(CLIENT) },
    "/page.js": { type: "text/javascript; charset=utf-8", body: await bundle(`${PAGE}main.ts`) },
    "/page.css": { type: "text/css; charset=utf-8", body: await read("style.css") },
  };
  return `/**
 * Written by scripts/bundle.ts from src/client and src/edge/page. Do not edit.
 *
 * @module
 */

/** What the edge serves to browsers, by path. */
export const assets: Readonly<Record<string, { readonly type: string; readonly body: string }>> =
  ${JSON.stringify(assets, null, 2)};
`;
}

/** One minified ES module. The page imports the client as anybody would, from where the edge serves it. */
async function bundle(entry: string): Promise<string> {
  const specifier = "../../client/mod.ts";
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--platform", "browser", "--minify", `--external=${specifier}`, entry],
    cwd: ROOT,
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`deno bundle ${entry} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).replaceAll(`"${specifier}"`, `"./client.js"`);
}

if (import.meta.main) {
  const text = await renderAssets();
  await Deno.writeTextFile(new URL(TARGET, ROOT), text);
  console.log(`${TARGET}: ${text.length} characters`);
}
