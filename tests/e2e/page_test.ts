import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { openChromium } from "../support/chromium.ts";
import { freeGroupPort, type ServerProcess, startNode } from "../support/node_process.ts";

/** Beyond this, something that should happen by itself will not. */
const PATIENCE_MS = 20_000;

const PANES = ["websocket", "sse"] as const;

/** Data of the messages in each pane, the oldest first, once there are `count` of them. */
async function shown(page: Page, count: number): Promise<Record<string, string[]>> {
  const panes: Record<string, string[]> = {};
  for (const pane of PANES) {
    const data = page.locator(`#${pane} [data-id] .data`);
    await data.nth(count - 1).waitFor({ timeout: PATIENCE_MS });
    panes[pane] = (await data.allTextContents()).reverse();
  }
  return panes;
}

async function inState(page: Page, state: string): Promise<void> {
  for (const pane of PANES) {
    await page.locator(`#${pane}[data-state="${state}"]`).waitFor({ timeout: PATIENCE_MS });
  }
}

async function post(
  node: ServerProcess,
  channel: string,
  data: string,
  query = "",
): Promise<void> {
  const url = `${node.url}/publish/${channel}${query}`;
  const response = await fetch(url, { method: "POST", body: data });
  assert.equal(response.status, 200, await response.text());
}

function assertShown(panes: Record<string, string[]>, expected: readonly string[]): void {
  for (const [pane, data] of Object.entries(panes)) assert.deepEqual(data, expected, pane);
}

/** Errors that the page's script makes, and those that its console shows. */
function watchErrors(page: Page): { readonly script: string[]; readonly console: string[] } {
  const errors = { script: [] as string[], console: [] as string[] };
  page.on("pageerror", (error) => errors.script.push(error.message));
  page.on("console", (line) => {
    if (line.type() === "error") errors.console.push(line.text());
  });
  return errors;
}

async function startPair(): Promise<
  [ServerProcess, ServerProcess, restart: () => Promise<ServerProcess>]
> {
  const groups = ["--group-port", String(freeGroupPort())];
  const [one, two] = await Promise.all([
    startNode("dev", "--port", "0", ...groups),
    startNode("dev", "--port", "0", ...groups),
  ]);
  return [one, two, () => startNode("dev", "--port", new URL(one.url).port, ...groups)];
}

Deno.test("the page shows what either node takes, and outlives its own node's crash", async () => {
  const [one, two, restart] = await startPair(), nodes = [one, two];
  const browser = await openChromium();
  try {
    const page = await browser.newPage(), errors = watchErrors(page);
    await page.goto(`${one.url}/#room`);
    await inState(page, "live");
    await page.getByRole("textbox", { name: "Message" }).fill("from the page");
    await page.getByRole("textbox", { name: "Event" }).fill("greeting");
    await page.keyboard.press("Enter");
    assertShown(await shown(page, 1), ["from the page"]);
    await post(two, "room", "from the other node");
    assertShown(await shown(page, 2), ["from the page", "from the other node"]);
    for (const pane of PANES) {
      assert.equal(await page.locator(`#${pane} .event:not([hidden])`).textContent(), "greeting");
      assert.equal(new Set(await page.locator(`#${pane} .chip`).allTextContents()).size, 2);
      assert.match(await page.locator(`#${pane} .latency`).first().innerText(), /^\d+ ms$/);
    }
    assert.deepEqual(errors, { script: [], console: [] });

    await one.end("SIGKILL");
    await inState(page, "waiting");
    const meanwhile = Array.from({ length: 20 }, (_, i) => `meanwhile ${i}`);
    // Nobody is left to hold more than the node itself does.
    for (const data of meanwhile) await post(two, "room", data, "?ack=accepted");
    nodes.push(await restart());
    await inState(page, "live");
    const expected = ["from the page", "from the other node", ...meanwhile];
    assertShown(await shown(page, expected.length), expected);

    await page.getByRole("textbox", { name: "Message" }).fill("back again");
    await page.getByRole("button", { name: "Publish" }).click();
    assertShown(await shown(page, expected.length + 1), [...expected, "back again"]);
    for (const pane of PANES) {
      assert.equal(await page.locator(`#${pane} [data-counter="gaps"]`).textContent(), "0");
      assert.equal(await page.locator(`#${pane} .note.back`).count(), 1);
    }
    assert.deepEqual(errors.script, []);
    // A browser reports each connection that it could not make; nothing else may be there.
    assert.deepEqual(errors.console.filter((text) => !/ERR_|WebSocket connection/.test(text)), []);
  } finally {
    await browser.close();
    await Promise.all(nodes.map((node) => node.end()));
  }
});

Deno.test("the page fits a phone, whatever is published, and its channel is in the address", async () => {
  const node = await startNode("dev", "--port", "0", "--group-port", String(freeGroupPort()));
  const browser = await openChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    const errors = watchErrors(page), channel = "c".repeat(200), long = "x".repeat(2000);
    await page.goto(`${node.url}/#${channel}`);
    await inState(page, "live");
    assert.equal(await page.getByRole("textbox", { name: "Channel" }).inputValue(), channel);
    await post(node, channel, long);
    await post(node, channel, "<b>no markup</b>\nsecond line");
    const panes = await shown(page, 2);
    for (const pane of PANES) assert.equal(panes[pane]?.[1], "<b>no markup</b>\nsecond line");
    const [content, viewport] = await page.evaluate<number[]>(
      "[document.documentElement.scrollWidth, innerWidth]",
    );
    assert.equal(content, viewport, "nothing is wider than the screen");

    await page.getByRole("textbox", { name: "Channel" }).fill("a b/ü'");
    await page.getByRole("textbox", { name: "Message" }).fill("elsewhere");
    await page.keyboard.press("Enter");
    assertShown(await shown(page, 1), ["elsewhere"]);
    assert.equal(new URL(page.url()).hash, "#a%20b%2F%C3%BC'");
    const command = await page.locator("#publish-command").textContent();
    assert.equal(command, `curl -d hi '${node.url}/publish/a%20b%2F%C3%BC%27'`);
    await page.getByRole("textbox", { name: "Event" }).fill("gap");
    await page.keyboard.press("Enter");
    await page.locator('#outcome[data-kind="bad"]', { hasText: "event_reserved" }).waitFor();
    assert.deepEqual(errors, { script: [], console: [] });
  } finally {
    await browser.close();
    await node.end();
  }
});

Deno.test("the example of the client's documentation runs, on a page from anywhere", async () => {
  const node = await startNode("dev", "--port", "0", "--group-port", String(freeGroupPort()));
  const browser = await openChromium();
  try {
    const source = await Deno.readTextFile(new URL("../../src/client/mod.ts", import.meta.url));
    const [, example] = /```html\n([^]*?)```/.exec(source.replaceAll(/\n \* ?/g, "\n")) ?? [];
    assert.ok(example, "there is an example");
    const page = await browser.newPage(), errors = watchErrors(page);
    const printed = page.waitForEvent("console", { timeout: PATIENCE_MS });
    await page.setContent(example.replaceAll("http://localhost:8000", node.url));
    assert.equal((await printed).text(), "hello");
    assert.deepEqual(errors, { script: [], console: [] });
  } finally {
    await browser.close();
    await node.end();
  }
});
