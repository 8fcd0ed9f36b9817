/**
 * The demo page: one channel by two transports, and a place to publish.
 *
 * @module
 */
import { GroundwaveError } from "../../client/mod.ts";
import { find } from "./dom.ts";
import { Pane } from "./pane.ts";

const DEFAULT_CHANNEL = "news";

const base = new URL(".", location.href.split("#")[0]);
const panes = [
  new Pane(base, "websocket", "WebSocket"),
  new Pane(base, "sse", "Server-Sent Events"),
];

const channelInput = find(document, "#channel", HTMLInputElement);
const textInput = find(document, "#text", HTMLInputElement);
const eventInput = find(document, "#event", HTMLInputElement);
const outcome = find(document, "#outcome", HTMLElement);

/** The channel is in the address, so that it can be shared. */
function channelOfAddress(): string {
  try {
    return decodeURIComponent(location.hash.slice(1)) || DEFAULT_CHANNEL;
  } catch {
    return DEFAULT_CHANNEL;
  }
}

function watch(): void {
  const channel = channelOfAddress();
  channelInput.value = channel;
  document.title = `${channel} · Groundwave`;
  const escaped = encodeURIComponent(channel).replaceAll("'", "%27");
  // URL parsers would resolve a path of dots.
  const target = /^\.+$/.test(channel) ? `publish?channel=${escaped}` : `publish/${escaped}`;
  show("#publish-command", `curl -d hi '${base}${target}'`);
  show("#listen-command", `curl -N '${base}sse?channel=${escaped}'`);
  for (const pane of panes) pane.watch(channel);
}

function show(selector: string, text: string): void {
  find(document, selector, HTMLElement).textContent = text;
}

async function publish(): Promise<void> {
  const event = eventInput.value.trim(), startedMs = performance.now();
  const publisher = panes.find(({ client }) => client.state === "open") ?? panes[0];
  if (!publisher) return;
  try {
    const { id, ack } = await publisher.client.publish(channelOfAddress(), textInput.value, {
      ...(event !== "" && { event }),
    });
    const tookMs = Math.round(performance.now() - startedMs);
    tell(`${ack} as ${id} in ${tookMs} ms`, "good");
    textInput.value = "";
  } catch (error) {
    if (!(error instanceof GroundwaveError)) throw error;
    tell(`${error.code}: ${error.message}`, "bad");
  }
}

function tell(text: string, kind: "good" | "bad"): void {
  outcome.textContent = text;
  outcome.dataset["kind"] = kind;
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const source = find(document, `#${button.dataset["copies"]}`, HTMLElement);
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    // Clipboards need a secure context: then at least select it.
    getSelection()?.selectAllChildren(source);
    button.textContent = "Selected";
  }
  setTimeout(() => button.textContent = "Copy", 1500);
}

find(document, "#channel-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = encodeURIComponent(channelInput.value.trim() || DEFAULT_CHANNEL);
  textInput.focus();
});
channelInput.addEventListener("change", () => channelInput.form?.requestSubmit());
find(document, "#publish-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void publish();
});
for (const button of document.querySelectorAll<HTMLButtonElement>("button.copy")) {
  button.addEventListener("click", () => void copy(button));
}
addEventListener("hashchange", watch);
watch();
