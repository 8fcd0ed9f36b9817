/**
 * What a backbone does before it is closed.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { lossyUdp } from "../support/lossy_socket.ts";
import { notingSocket, openLoopback, pass, settled, within } from "../support/loopback_backbone.ts";
import { dropper, lossOfAll } from "../support/pgm_faults.ts";
import { seededRandom } from "../support/random.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const GROUP = 1;

Deno.test("closing twice is closing once; nothing is taken afterwards", async () => {
  const a = await openLoopback("AAAAAAAA", freePort());
  await a.join(1);
  await Promise.all([a.close(), a.close()]);
  equal(a.send(1, Uint8Array.of(1)), 0);
  await a.join(1);
});

Deno.test("closing loses nothing that was taken, though packets are lost", async () => {
  const port = freePort(), messages = 900;
  const drop = dropper(lossOfAll(0.1), seededRandom(7));
  let received = 0;
  const done = Promise.withResolvers<void>();
  const b = await openLoopback("BBBBBBBB", port, {
    message: () => {
      if (++received === messages) done.resolve();
    },
  }, { openSocket: lossyUdp(drop) });
  const a = await openLoopback("AAAAAAAA", port, {}, { openSocket: lossyUdp(drop) });
  try {
    await b.join(GROUP);
    for (let i = 0; i < messages; i++) ok(a.send(GROUP, new Uint8Array(7_000)));
    await a.close();
    await within(2_000, done.promise);
    equal(received, messages);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
});

Deno.test("closing says goodbye three times, and ends its timers", async () => {
  const notes: string[] = [];
  const clock = new VirtualClock();
  const a = await openLoopback("AAAAAAAA", 3055, {}, { openSocket: notingSocket(notes), clock });
  a.send(1, Uint8Array.of(1));
  await settled();
  const before = notes.length;
  const closed = a.close();
  await pass(clock, 100, 1);
  await closed;
  equal(notes.length - before, 3);
});
