/**
 * The end of a server: drain at the first signal, stop at the second.
 *
 * @module
 */
import type { Clock } from "../../backbone/clock.ts";
import type { ExitCode } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Terminal } from "./terminal.ts";

/** How long readers and peers may take to part. */
const DRAIN_MS = 5000;

/** Resolves with the next SIGINT or SIGTERM. */
function nextSignal(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    const stop = terminal.onSignal(() => {
      stop();
      resolve();
    });
  });
}

/** Waits for a signal, then drains: 0 when that ended or its time was up, 1 when a second signal cut it short. */
export async function drainOnSignal(
  drain: () => Promise<void>,
  { terminal, log, clock }: { terminal: Terminal; log: Log; clock: Clock },
): Promise<ExitCode> {
  await nextSignal(terminal);
  log("info", "draining; a second signal ends at once");
  let cancel = () => {}, unhook = () => {};
  const late = new Promise<ExitCode>((resolve) => {
    cancel = clock.after(DRAIN_MS, () => {
      log("warn", `not drained after ${DRAIN_MS / 1000} s, ending all the same`);
      resolve(0);
    });
  });
  const forced = new Promise<ExitCode>((resolve) => {
    unhook = terminal.onSignal(() => resolve(1));
  });
  try {
    return await Promise.race([drain().then((): ExitCode => 0), late, forced]);
  } finally {
    cancel();
    unhook();
  }
}
