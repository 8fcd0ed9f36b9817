import assert from "node:assert/strict";
import { createLog } from "../../src/cli/log.ts";
import { drainOnSignal } from "../../src/cli/shutdown.ts";
import { fakeTerminal } from "../support/terminal.ts";

/** A server that drains when told, on a clock that is wound by hand. */
function server() {
  const terminal = fakeTerminal(), drained = Promise.withResolvers<void>();
  const timers = new Map<() => void, number>();
  let drains = 0;
  const drain = () => {
    drains += 1;
    return drained.promise;
  };
  const clock = {
    nowMs: () => 0,
    after(ms: number, fn: () => void) {
      timers.set(fn, ms);
      return () => void timers.delete(fn);
    },
  };
  const log = createLog("text", () => 0, terminal);
  const code = drainOnSignal(drain, { terminal, log, clock });
  return { terminal, drained, timers, code, drains: () => drains };
}

/** Lets everything run that is only waiting for its turn. */
const settle = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("the first signal drains, once, and leaves nothing behind", async () => {
  const { terminal, drained, timers, code, drains } = server();
  assert.equal(drains(), 0);
  terminal.interrupt();
  await settle();
  assert.equal(drains(), 1);
  drained.resolve();
  assert.equal(await code, 0);
  assert.equal(timers.size, 0);
  assert.equal(terminal.handlers.size, 0);
});

Deno.test("a drain that does not end is cut off, and said so", async () => {
  const { terminal, timers, code } = server();
  terminal.interrupt();
  await settle();
  const [timer] = timers;
  assert(timer && timer[1] <= 5000);
  timer[0]();
  assert.equal(await code, 0);
  assert.match(terminal.written.err, /warn .*not drained/);
});

Deno.test("a second signal ends at once", async () => {
  const { terminal, timers, code, drains } = server();
  terminal.interrupt();
  await settle();
  terminal.interrupt();
  assert.equal(await code, 1);
  assert.equal(drains(), 1);
  assert.equal(timers.size, 0);
});

Deno.test("a drain that fails is the command's failure", async () => {
  const { terminal, drained, timers, code } = server();
  terminal.interrupt();
  drained.reject(new Error("stuck"));
  await assert.rejects(code, /stuck/);
  assert.equal(timers.size, 0);
});
