/**
 * What a node tells its operator: one line per event on standard error.
 *
 * @module
 */
import type { Terminal } from "./terminal.ts";

export type Level = "info" | "warn" | "error";

/** Details of an event. Whoever logs sees to it that no token or message data is among them. */
export type Fields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type Log = (level: Level, message: string, fields?: Fields) => void;

/** `text`: `12:00:00.000 info  message key=value`. `json`: an object with `time`, `level`, `message` and the fields. */
export type LogFormat = "text" | "json";

/** A log that writes whole lines. `wallMs` is the wall clock, in milliseconds since the epoch. */
export function createLog(
  format: LogFormat,
  wallMs: () => number,
  terminal: Pick<Terminal, "err">,
): Log {
  const render = format === "json" ? jsonLine : textLine;
  return (level, message, fields = {}) =>
    terminal.err(render(new Date(wallMs()), level, message, fields) + "\n");
}

function jsonLine(time: Date, level: Level, message: string, fields: Fields): string {
  return JSON.stringify({ ...fields, time: time.toISOString(), level, message });
}

function textLine(time: Date, level: Level, message: string, fields: Fields): string {
  const clock = time.toISOString().slice(11, 23);
  const details = Object.entries(fields).map(([key, value]) => ` ${key}=${quote(value)}`);
  return `${clock} ${level.padEnd(5)} ${message}${details.join("")}`;
}

/** Values without blanks or control characters stand as they are: one event stays one line. */
function quote(value: Fields[string]): string {
  const text = typeof value === "object" ? value.join(",") : String(value);
  return /^[\x21-\x7e]+$/.test(text) && !text.includes('"') ? text : JSON.stringify(text);
}
