import assert from "node:assert/strict";
import { renderAssets } from "../../scripts/bundle.ts";
import { assets } from "../../src/edge/assets.ts";

Deno.test("the committed assets are those of the sources", async () => {
  const committed = await Deno.readTextFile(new URL("../../src/edge/assets.ts", import.meta.url));
  const rendered = await renderAssets();
  // Not assert.equal, which would print both.
  assert.ok(rendered === committed, "run: deno run -A scripts/bundle.ts");
});

Deno.test("the client module stands alone, and the page takes it from where it is served", () => {
  const client = assets["/client.js"]?.body ?? "", page = assets["/page.js"]?.body ?? "";
  assert.doesNotMatch(client, /\bimport\b/);
  assert.match(client, /export\{[^}]*\bas connect\b/);
  const imported = page.match(/from"[^"]*"/g) ?? [];
  assert.deepEqual([...new Set(imported)], ['from"./client.js"']);
});
