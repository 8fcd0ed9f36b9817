/** Many datagrams at once, out and in. */
import { deepEqual, equal } from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { INTERFACE, open } from "../support/udp_sockets.ts";

/** Datagrams of the given lengths, each full of its own number. */
function numbered(lengths: readonly number[]): Uint8Array[] {
  return lengths.map((length, number) => new Uint8Array(length).fill(number));
}

Deno.test("many at once arrive as they were, in order, whatever their lengths", async () => {
  const group = { address: "239.192.7.1", port: freePort() };
  const lengths = [
    1400,
    1400,
    1400,
    200,
    200,
    1400,
    0,
    0,
    7,
    1,
    ...Array(70).fill(1200),
    300,
    65_000,
  ];
  const datagrams = numbered(lengths);
  const socket = await open();
  const arrived: Uint8Array[] = [], all = Promise.withResolvers<void>();
  try {
    await socket.join(group, {
      datagram: (bytes, from) => {
        equal(from.address, INTERFACE);
        if (arrived.push(bytes.slice()) === lengths.length) all.resolve();
      },
      error: (_kind, cause) => all.reject(cause),
    });
    await socket.sendAll(datagrams, group);
    await all.promise;
    deepEqual(arrived, datagrams);
  } finally {
    socket.close();
  }
});

Deno.test("whoever sends without a pause still hears, in order, and reads each datagram once", async () => {
  const heard = { address: "239.192.7.1", port: freePort() }, sent = { ...heard, port: freePort() };
  const socket = await open(), batch = numbered(Array(16).fill(1400));
  const stream = new URL("../support/datagram_stream.ts", import.meta.url);
  let next = 0, late = 0, count = 0;
  await socket.join(heard, {
    datagram: (bytes) => {
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (number < next) late++;
      next = number + 1;
      count++;
    },
    error: () => {},
  });
  const worker = new Worker(stream, { type: "module", name: `${heard.address}:${heard.port}` });
  try {
    for (let sends = 0; count < 5_000; sends++) {
      await socket.sendAll(batch, sent);
      // What Deno itself does in between gives it turns in which it receives.
      if (sends % 7 === 0) await socket.send(Uint8Array.of(1), sent);
      if (sends % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    equal(late, 0);
  } finally {
    worker.terminate();
    socket.close();
  }
});

Deno.test("what waits is read between sends, before the event loop comes to it", async () => {
  const heard = { address: "239.192.7.1", port: freePort() }, sent = { ...heard, port: freePort() };
  const [socket, other] = [await open(), await open()];
  let count = 0;
  try {
    await socket.join(heard, { datagram: () => count++, error: () => {} });
    await other.send(Uint8Array.of(1), heard);
    for (let sends = 0; sends < 8 && count === 0; sends++) {
      await socket.sendAll(numbered(Array(16).fill(1400)), sent);
    }
    equal(count, 1);
  } finally {
    socket.close();
    other.close();
  }
});

Deno.test("a socket that is closed by what it hears hears nothing more", async () => {
  const group = { address: "239.192.7.1", port: freePort() };
  const [sender, hearer] = [await open(), await open()];
  const heard: number[] = [], closed = Promise.withResolvers<void>();
  try {
    await hearer.join(group, {
      datagram: ([number = 0]) => {
        heard.push(number);
        hearer.close();
        closed.resolve();
      },
      error: () => {},
    });
    await sender.sendAll(numbered([5, 5, 5, 5, 5]), group);
    await closed.promise;
    deepEqual(heard, [0]);
  } finally {
    sender.close();
    hearer.close();
  }
});
