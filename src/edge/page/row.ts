/**
 * One line in a pane: a message, or a note about the connection.
 *
 * @module
 */
import type { Gap, Message } from "../../client/mod.ts";
import { find, stamp } from "./dom.ts";

/** Characters of data that a row shows. */
const MAX_CHARS = 600;

/** Bytes of binary data that a row shows. */
const MAX_BYTES = 24;

/** Origins are random: consecutive ones get hues far apart (the golden angle). */
const GOLDEN_ANGLE = 137.508;

/** A row for a message; `latencyMs` is undefined where it was published before anybody looked. */
export function messageRow(message: Message, latencyMs: number | undefined): HTMLElement {
  const row = find(stamp("message-row"), ".row", HTMLElement);
  const [origin = ""] = message.id.split(".");
  const chip = find(row, ".chip", HTMLElement), event = find(row, ".event", HTMLElement);
  chip.textContent = origin;
  chip.title = `node ${origin}`;
  chip.style.setProperty("--hue", String(hueOf(origin)));
  event.textContent = message.event ?? "";
  event.hidden = message.event === undefined;
  find(row, ".latency", HTMLElement).textContent = latencyMs === undefined
    ? "history"
    : `${latencyMs} ms`;
  fillData(find(row, ".data", HTMLElement), message.data);
  find(row, ".id", HTMLElement).textContent = message.id;
  fillTime(row, message.time);
  row.dataset["id"] = message.id;
  return row;
}

/** A row for what happened between messages. */
export function noteRow(text: string, kind: "gap" | "lost" | "back"): HTMLElement {
  const row = find(stamp("note-row"), ".row", HTMLElement);
  row.classList.add(kind);
  find(row, ".note-text", HTMLElement).textContent = text;
  fillTime(row, Date.now());
  return row;
}

/** A gap in words. */
export function gapText({ reason, missing }: Gap): string {
  const count = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const what = count === 0 ? "messages" : count === 1 ? "1 message" : `${count} messages`;
  return `Gap: ${what} ${reason === "unknown" ? "may be missing" : reason}`;
}

function fillData(element: HTMLElement, data: string | Uint8Array): void {
  if (typeof data !== "string") {
    const start = Array.from(
      data.subarray(0, MAX_BYTES),
      (byte) => byte.toString(16).padStart(2, "0"),
    );
    element.textContent = `${data.length} bytes: ${start.join(" ")}${
      data.length > MAX_BYTES ? " …" : ""
    }`;
    element.classList.add("binary");
  } else if (data === "") {
    element.textContent = "empty";
    element.classList.add("none");
  } else {
    element.textContent = data.length > MAX_CHARS ? `${data.slice(0, MAX_CHARS)}…` : data;
  }
}

function fillTime(row: HTMLElement, timeMs: number): void {
  const time = find(row, "time", HTMLTimeElement), date = new Date(timeMs);
  time.dateTime = date.toISOString();
  time.textContent = date.toLocaleTimeString(undefined, { hour12: false });
}

function hueOf(origin: string): number {
  let sum = 0;
  for (const char of origin) sum = (sum * 31 + char.charCodeAt(0)) % 65_521;
  return Math.round((sum * GOLDEN_ANGLE) % 360);
}
