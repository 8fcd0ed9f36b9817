import assert from "node:assert/strict";
import { Reader } from "../../backbone/reader.ts";

const FROM: Deno.NetAddr = { transport: "udp", hostname: "10.0.0.1", port: 1 };

/** Reads one datagram after the other, `waiting` more waiting behind each; answers how often was looked for those. */
async function looks(datagrams: number, waiting: (heard: number) => number): Promise<number> {
  let heard = 0, looks = 0;
  const { promise: end, resolve } = Promise.withResolvers<void>();
  const socket = {
    receive: (buffer: Uint8Array) => Promise.resolve([buffer.subarray(0, 1), FROM]),
    close() {},
  } as unknown as Deno.DatagramConn;
  const drain = {
    read() {
      looks++;
      return waiting(heard);
    },
  };
  const reader = new Reader(() => Promise.resolve(socket), () => drain, {
    datagram() {
      if (++heard < datagrams) return;
      reader.close();
      resolve();
    },
    error: (_, cause) => assert.fail(String(cause)),
  });
  void reader.run();
  await end;
  return looks;
}

Deno.test("where datagrams come alone, others are looked for now and then", async () => {
  const often = await looks(100, () => 0);
  assert(often >= 5 && often <= 20, `${often} times`);
});

Deno.test("where datagrams come together, others are looked for each time", async () => {
  assert(await looks(100, () => 3) >= 99);
});

Deno.test("that they come together again is noticed", async () => {
  assert(await looks(200, (heard) => heard > 100 ? 3 : 0) >= 90);
});
