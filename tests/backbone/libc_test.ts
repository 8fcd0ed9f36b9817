import { deepEqual, equal, ok } from "node:assert/strict";
import { Drain } from "../../backbone/drain.ts";
import { descriptorOf, type Libc, openLibc } from "../../backbone/libc.ts";
import { Segments } from "../../backbone/segments.ts";

const ignore = Deno.build.os !== "linux";
const HERE = "127.0.0.1";

/** Two sockets and libc, for one test. */
async function withSockets(
  test: (libc: Libc, one: Deno.DatagramConn, two: Deno.DatagramConn) => Promise<void>,
): Promise<void> {
  const libc = openLibc();
  ok(libc);
  const open = () => Deno.listenDatagram({ transport: "udp", hostname: HERE, port: 0 });
  const one = open(), two = open();
  try {
    await test(libc, one, two);
  } finally {
    one.close();
    two.close();
    libc.close();
  }
}

const addressOf = (socket: Deno.DatagramConn) => socket.addr as Deno.NetAddr;
const targetOf = (socket: Deno.DatagramConn) => ({ address: HERE, port: addressOf(socket).port });

Deno.test({
  name:
    "one call takes datagrams of one length and a shorter last one, and an empty one is left alone",
  ignore,
  fn: () =>
    withSockets(async (libc, one, two) => {
      const segments = Segments.of(libc, addressOf(one));
      const datagrams = [9, 9, 9, 4, 4, 7, 0].map((length, n) => new Uint8Array(length).fill(n));
      const taken = datagrams.map((_, at) => segments?.send(datagrams, at, targetOf(two)));
      deepEqual(taken, [4, 3, 2, 2, 1, 1, 0]);
      for (const at of [0, 1, 2, 3, 1, 2, 3, 2, 3, 3, 4, 4, 5]) {
        deepEqual((await two.receive())[0], datagrams[at]);
      }
      // What goes by the socket otherwise is not cut.
      const whole = new Uint8Array(3_000);
      await one.send(whole, two.addr);
      deepEqual((await two.receive())[0], whole);
      equal(segments?.send(Array(40).fill(new Uint8Array(5)), 0, targetOf(two)), 32);
    }),
});

Deno.test({
  name: "what waits is read at once, with its sender, and only while it is wanted",
  ignore,
  fn: () =>
    withSockets(async (libc, one, two) => {
      const drain = Drain.of(libc, addressOf(two), new Uint8Array(10));
      for (const socket of [one, one, two, one]) await socket.send(Uint8Array.of(1), two.addr);
      const from: number[] = [];
      const note = (bytes: Uint8Array, { address, port }: { address: string; port: number }) => {
        deepEqual([...bytes, address], [1, HERE]);
        from.push(port);
      };
      drain?.read(note, () => from.length < 3);
      const [a, b] = [addressOf(one).port, addressOf(two).port];
      deepEqual(from, [a, a, b]);
      drain?.read(note, () => true);
      drain?.read(note, () => true);
      deepEqual(from, [a, a, b, a]);
    }),
});

Deno.test({
  name: "of sockets that share an address none can be told",
  ignore,
  fn: () =>
    withSockets((libc, one) => {
      ok(descriptorOf(libc, addressOf(one)) !== undefined);
      const group = { transport: "udp", hostname: "239.192.7.1", reuseAddress: true } as const;
      const first = Deno.listenDatagram({ ...group, port: 0 });
      const { port } = addressOf(first);
      const second = Deno.listenDatagram({ ...group, port });
      try {
        equal(descriptorOf(libc, addressOf(first)), undefined);
      } finally {
        first.close();
        second.close();
      }
      equal(descriptorOf(libc, { transport: "udp", hostname: HERE, port: 1 }), undefined);
      return Promise.resolve();
    }),
});
