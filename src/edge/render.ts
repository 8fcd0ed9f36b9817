/**
 * How events look outside: as JSON objects, one per line, and as blocks of an event stream (WHATWG HTML §9.2).
 *
 * Readers at one place receive the same event object one after another, so that the last rendering serves them all.
 *
 * @module
 */
import type { GroundwaveError } from "../../relay/protocol/errors.ts";
import { type Message, messageId } from "../../relay/protocol/message.ts";
import type { GapEvent, MessageEvent, StreamEvent } from "../../relay/protocol/upstream.ts";
import { toBase64 } from "./base64.ts";

/** Which data an SSE reader gets: that of the message alone, or the message as a JSON object. */
export type Format = "raw" | "json";

/** Event name of raw data that the lines of an event stream cannot carry. */
const BASE64_EVENT = "groundwave.base64";

/** Remembers the last rendering only: a window of one is all that a fan-out needs. */
export function memoLast<K extends object | string, V>(render: (key: K) => V): (key: K) => V {
  let last: { key: K; value: V } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: render(key) };
    return last.value;
  };
}

/**
 * `message` as the JSON object of every JSON surface, on one line. Put together from its parts: of an object whose texts
 * were joined, as ids are, V8 makes JSON the slow way.
 */
function messageJson(message: Message): string {
  const { channel, data, event, timeMs } = message, binary = typeof data !== "string";
  const named = event === undefined ? "" : `,"event":${JSON.stringify(event)}`;
  return `{"op":"message","channel":${JSON.stringify(channel)},"id":"${messageId(message)}"` +
    `,"data":${JSON.stringify(binary ? toBase64(data) : data)}${named}` +
    `,"time":${timeMs}${binary ? `,"encoding":"base64"` : ""}}`;
}

function gapJson({ channel, reason, missing, cursor }: GapEvent): string {
  return JSON.stringify({ op: "gap", channel, reason, missing, cursor });
}

export function errorJson({ code, message }: GroundwaveError, more: object = {}): string {
  return JSON.stringify({ op: "error", code, message, ...more });
}

/** Events as JSON lines, each rendered once for all its readers. */
export function jsonRenderer(): (event: StreamEvent) => string {
  const message = memoLast(messageJson);
  return (event) => {
    if (event.type === "message") return message(event.message);
    if (event.type === "gap") return gapJson(event);
    return JSON.stringify({ op: event.type, channel: event.channel });
  };
}

/** Events as blocks of an event stream, each rendered once for all its readers. */
export function sseRenderer(
  format: Format,
  json: (event: StreamEvent) => string,
): (event: StreamEvent) => string {
  // Cursors differ between readers of different channels; the body below the id line does not.
  const rawBody = memoLast(rawLines);
  const message = memoLast((event: MessageEvent) => {
    const body = format === "raw" ? rawBody(event.message) : `data: ${json(event)}\n`;
    return `id: ${event.cursor}\n${body}\n`;
  });
  return (event) => {
    if (event.type === "message") return message(event);
    const id = event.type === "gap" ? `id: ${event.cursor}\n` : "";
    return `${id}event: ${event.type}\ndata: ${json(event)}\n\n`;
  };
}

/**
 * The fields of a message in the raw format. Data that lines cannot carry (binary, or with a CR, which ends a line as
 * well) goes as base64 under a name of its own; the event's name then stands in a second line of data.
 */
function rawLines({ data, event }: Message): string {
  if (typeof data === "string" && !data.includes("\r")) {
    const name = event === undefined ? "" : `event: ${event}\n`;
    return `${name}data: ${data.replaceAll("\n", "\ndata: ")}\n`;
  }
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const name = event === undefined ? "" : `data: ${event}\n`;
  return `event: ${BASE64_EVENT}\ndata: ${toBase64(bytes)}\n${name}`;
}

/** The first block of a stream: where the reader stands, and when to come back. */
export function openingBlock(retryMs: number, cursor: string): string {
  return `retry: ${retryMs}\nid: ${cursor}\n\n`;
}

/** Breaks a silence, so that proxies keep the stream open and the reader's cursor stays young. */
export function keepAliveBlock(cursor: string): string {
  return `:\n\nid: ${cursor}\n\n`;
}

export function errorBlock(error: GroundwaveError): string {
  return `event: error\ndata: ${errorJson(error)}\n\n`;
}
