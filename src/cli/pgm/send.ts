/**
 * `groundwave pgm send`: sends numbered and stamped messages to a group.
 *
 * @module
 */
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Backbone } from "../../../backbone/backbone.ts";
import type { CounterName } from "../../../backbone/pgm/counters.ts";
import { LARGEST_MESSAGE } from "../../../backbone/pgm/session.ts";
import { defineCommand } from "../command.ts";
import { flag, integer, toggle } from "../flag.ts";
import { type End, endOf } from "../end.ts";
import { groupFlags, json, limits, tag, ttl } from "./flags.ts";
import { ONLY, openToSend } from "./group.ts";
import { FineTimer } from "./fine_timer.ts";
import { Payloads } from "./payloads.ts";
import { STAMP_BYTES } from "./stamp.ts";
import { createWallClock } from "./wall_clock.ts";

/** A turn of the event loop sends no more: receiving, repairs and timers want their turns too. */
const MOST_PER_TURN = 1_024;

/** What waits in the queue only ages; this much keeps the wire busy for some milliseconds. */
const BACKLOG_BYTES = 1 << 20;

/** How long what the window does not take has to wait: it opens as acknowledgements come, or as the budget refills. */
const FULL_MS = 1;

/**
 * How long nobody must have asked for a repair after the last message, and how long that is waited for. A backbone that is
 * closed waits for receivers of ours, which ask again within milliseconds; others take half a second.
 */
const FAREWELL_MS = { quiet: 1_000, most: 10_000 };

export const send = defineCommand(
  {
    name: "pgm send",
    summary: "send numbered messages to a group; any PGM receiver will do, with --no-pack",
    operands: [],
    flags: {
      ...groupFlags,
      ttl,
      size: flag("BYTES", "length of a message", integer(STAMP_BYTES, LARGEST_MESSAGE), 200),
      rate: flag("N", "messages a second; 0: as fast as the window takes", integer(0, 1e7), 1_000),
      ...limits,
      tag,
      "no-pack": toggle("one message per packet, as OpenPGM's receivers expect"),
      json,
    },
    example: "deno task groundwave pgm send --count 10000 --rate 0",
  },
  async (
    { size, rate, count = Infinity, seconds, tag, "no-pack": plain, json, ...group },
    _operands,
    terminal,
  ) => {
    using end = endOf(terminal, seconds);
    const backbone = await openToSend({ ...group, pack: !plain }, terminal);
    try {
      if (tag) backbone.tag(ONLY, tag.split(","));
      const startMs = performance.now();
      const sent = await sendAll(backbone, { size, rate, count }, end);
      const elapsed_s = Math.round(performance.now() - startMs) / 1000;
      await farewell(backbone);
      const report = {
        sent,
        bytes: sent * size,
        naks: counted(backbone, "naks_received"),
        repairs: counted(backbone, "rdata_sent"),
        elapsed_s,
        messages_per_s: elapsed_s > 0 ? Math.round(sent / elapsed_s) : 0,
      };
      terminal.out(json ? `${JSON.stringify(report)}\n` : inWords(report));
    } finally {
      await backbone.close();
    }
    return 0;
  },
);

/** Sends until all is on the wire, or what was taken when the end came; answers how many that are. */
async function sendAll(
  backbone: Backbone,
  { size, rate, count }: { readonly size: number; readonly rate: number; readonly count: number },
  end: End,
): Promise<number> {
  const payloads = new Payloads(size, createWallClock());
  const backlog = Math.max(2, Math.floor(BACKLOG_BYTES / size));
  using timer = new FineTimer();
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  for (let taken = 0;;) {
    const goal = end.hasCome ? taken : count, onWire = counted(backbone, "messages_sent");
    if (onWire === goal) return taken;
    const due = rate === 0 ? goal : 1 + Math.floor(elapsedMs() * rate / 1000);
    const turnEnd = taken + MOST_PER_TURN;
    const most = Math.min(goal, due, onWire + backlog, turnEnd);
    while (taken < most && backbone.send(ONLY, payloads.stamped(taken))) taken++;
    const waitMs = taken < due ? FULL_MS : taken * 1000 / rate - elapsedMs();
    await (taken === turnEnd ? setImmediate() : timer.wait(waitMs));
  }
}

/** Stays until nobody has asked for a repair for a while. */
async function farewell(backbone: Backbone): Promise<void> {
  const endMs = performance.now() + FAREWELL_MS.most;
  const naks = () => counted(backbone, "naks_received");
  for (let asked = -1; asked !== naks() && performance.now() < endMs;) {
    asked = naks();
    await setTimeout(FAREWELL_MS.quiet);
  }
}

/** What was sent, and what was asked for again. */
interface Report {
  readonly sent: number;
  readonly bytes: number;
  readonly naks: number;
  readonly repairs: number;
  readonly elapsed_s: number;
  readonly messages_per_s: number;
}

function inWords({ sent, bytes, naks, repairs, elapsed_s, messages_per_s }: Report): string {
  return `${sent} messages (${bytes} bytes) in ${elapsed_s} s, ${messages_per_s} a second; ` +
    `${naks} NAKs heard, ${repairs} repairs sent\n`;
}

function counted(backbone: Backbone, name: CounterName): number {
  return backbone.counters()[name] ?? 0;
}
