/**
 * What `subscribe` shows of a stream.
 *
 * @module
 */
import type { Gap, Message } from "../client/mod.ts";
import type { Terminal } from "./terminal.ts";

/** Shows one event each, at once. */
export interface Printer {
  message(message: Message): void;
  gap(gap: Gap): void;
  /** The relay lost sight of the channel, or has it in view again. */
  freshness(channel: string, state: "stale" | "fresh"): void;
}

/** Data alone on standard output, after `channel: ` where there are several; everything else on standard error. */
export function textPrinter(terminal: Terminal, several: boolean): Printer {
  return {
    message({ channel, data }) {
      if (several) terminal.out(`${channel}: `);
      terminal.out(data);
      terminal.out("\n");
    },
    gap({ channel, reason, missing }) {
      const count = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
      terminal.err(`${channel}: missed ${count || "some"} (${reason})\n`);
    },
    freshness: (channel, state) => terminal.err(`${channel}: ${state}\n`),
  };
}

/** One object a line, as INTERFACE gives it for WebSockets. */
export function jsonPrinter(terminal: Terminal): Printer {
  const line = (object: object) => terminal.out(JSON.stringify(object) + "\n");
  return {
    message({ data, ...rest }) {
      const carried = typeof data === "string"
        ? { data }
        : { data: data.toBase64(), encoding: "base64" };
      line({ op: "message", ...rest, ...carried });
    },
    gap: (gap) => line({ op: "gap", ...gap }),
    freshness: (channel, state) => line({ op: state, channel }),
  };
}
