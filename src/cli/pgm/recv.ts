/**
 * `groundwave pgm recv`: hears a group and measures what comes.
 *
 * @module
 */
import { lengthOf } from "../../../backbone/pgm/serial.ts";
import { defineCommand } from "../command.ts";
import { endOf } from "../end.ts";
import { groupFlags, json, limits, origin, ttl } from "./flags.ts";
import { openToHear } from "./group.ts";
import { type Report, Tally } from "./tally.ts";
import { createWallClock } from "./wall_clock.ts";

export const recv = defineCommand({
  name: "pgm recv",
  summary: "hear a group and measure what comes; any PGM source will do",
  operands: [],
  flags: { ...groupFlags, ttl, origin, ...limits, json },
  example: "deno task groundwave pgm recv --count 10000",
}, async ({ count = Infinity, seconds, json, ...group }, _operands, terminal) => {
  using end = endOf(terminal, seconds);
  const nowUs = createWallClock(), tally = new Tally();
  const backbone = await openToHear(group, {
    message: (_group, sender, payload) => {
      if (end.hasCome) return;
      tally.add(sender, payload, nowUs());
      // What is lost will not come: whoever waits for it waits for ever.
      if (tally.accounted >= count) end.now();
    },
    lost: (_group, sender, range) => {
      const { from, to } = range;
      terminal.err(`lost ${lengthOf(range)} packets of ${sender}: ${from} to ${to}\n`);
    },
  }, terminal);
  try {
    terminal.err(`hearing ${group.group}:${group.port}\n`);
    await end.promise;
  } finally {
    await backbone.close();
  }
  const report = tally.report(backbone.counters()["nak_sent"] ?? 0);
  terminal.out(json ? `${JSON.stringify(report)}\n` : inWords(report));
  return 0;
});

function inWords(report: Report): string {
  const { received, bytes, duplicates, lost, naks, elapsed_s, messages_per_s } = report;
  const latency = report.p50_us === null
    ? "latency unknown (no stamps)"
    : `latency p50 ${report.p50_us} µs, p99 ${report.p99_us} µs`;
  return `${received} messages (${bytes} bytes) in ${elapsed_s} s, ${messages_per_s} a second; ` +
    `${lost} lost, ${duplicates} duplicates, ${naks} NAKs sent; ${latency}\n`;
}
